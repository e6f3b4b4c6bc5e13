"""A group of deliveries is stored as if each had come alone, on both databases."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.arriving import once
from bot.ports.store import Store
from store.records import Delivery, Firing, FiringStatus, Unstorable
from store.session import SqlStore
from tests.arriving import delivered, file_all
from tests.builders import CHANNEL, NOON, PROD, a_firing
from tests.contract.store import raw
from tests.contract.store.things import a_delivery, taken
from tests.unit.services.scene import ENTRY

FIRINGS = (
    "SELECT source, fingerprint, starts_at, ends_at, status, seen_status, app, env, app_label, "
    "env_label, labels, annotations FROM firing ORDER BY source, fingerprint, starts_at"
)
DELIVERIES = "SELECT digest, source, receiver, group_key, truncated, count FROM delivery ORDER BY 1"


def a_stream(seed: int) -> list[Delivery]:
    """Repeats, ends, ends before beginnings, late firings, second starts, apps known later."""
    dice = random.Random(seed)
    deliveries = []
    for n in range(30):
        firings = once([_any_firing(dice) for _ in range(dice.randint(1, 4))])
        deliveries.append(a_delivery(*firings, digest=f"d{dice.randint(0, 20)}", body=b"%d" % n))
    return deliveries


def _any_firing(dice: random.Random) -> Firing:
    over = dice.random() < 0.4
    return a_firing(
        fingerprint=f"f{dice.randint(0, 5)}",
        starts_at=NOON + timedelta(hours=dice.randint(0, 1)),
        status=FiringStatus.RESOLVED if over else FiringStatus.FIRING,
        ends_at=NOON + timedelta(hours=3) if over and dice.random() < 0.8 else None,
        where=PROD if dice.random() < 0.7 else None,
    )


@pytest.mark.parametrize("seed", range(6))
async def test_a_group_leaves_what_its_deliveries_would_have_left_alone(
    timed_store: SqlStore, database_url: str, seed: int
) -> None:
    dice, stream = random.Random(seed), a_stream(seed)
    for one in stream:
        await taken(timed_store, one)
    alone = await _all(database_url)
    for table in ("firing", "delivery"):
        await raw.run(database_url, f"DELETE FROM {table}")

    while stream:
        size = dice.randint(1, 6)
        group, stream = stream[:size], stream[size:]
        await delivered(timed_store, *group)

    assert await _all(database_url) == alone


async def _all(url: str) -> list[list[tuple[object, ...]]]:
    return [list(await raw.run(url, FIRINGS)), list(await raw.run(url, DELIVERIES))]


async def test_a_repeat_in_one_group_is_one_delivery_that_came_twice(
    store: Store, database_url: str
) -> None:
    await delivered(store, a_delivery(), a_delivery(), a_delivery(digest="d2"))
    await delivered(store, a_delivery())

    assert await raw.run(database_url, "SELECT digest, count FROM delivery ORDER BY 1") == [
        ("d1", 3),
        ("d2", 1),
    ]
    assert await raw.run(database_url, "SELECT count(*) FROM firing") == [(1,)]


@pytest.mark.parametrize("number", [1, 7, 64, 65, 200])
async def test_every_delivery_of_a_group_is_there_however_many_they_are(
    store: Store, database_url: str, number: int
) -> None:
    group = [
        a_delivery(
            a_firing(fingerprint=f"{n:x}a"), a_firing(fingerprint=f"{n:x}b"), digest=f"d{n:03}"
        )
        for n in range(number)
    ]

    await delivered(store, *group)

    found = await raw.run(database_url, "SELECT digest FROM delivery ORDER BY 1")
    assert found == [(f"d{n:03}",) for n in range(number)]
    assert await raw.run(database_url, "SELECT count(*) FROM firing") == [(2 * number,)]


async def test_what_began_and_ended_in_one_group_is_over(store: Store) -> None:
    over = replace(a_firing(), status=FiringStatus.RESOLVED, ends_at=NOON)

    await delivered(store, a_delivery(), a_delivery(over, digest="d2"))

    async with store.read() as tx:
        assert await tx.alerts.unassigned([PROD]) == []


async def test_a_group_with_one_that_cannot_be_stored_leaves_nothing(
    store: Store, database_url: str
) -> None:
    odd = a_delivery(a_firing(fingerprint="\ud800"), digest="d2")

    with pytest.raises(Unstorable):
        await delivered(store, a_delivery(), odd)

    assert await raw.run(database_url, "SELECT count(*) FROM arrival") == [(0,)]
    await delivered(store, a_delivery())
    assert await raw.run(database_url, "SELECT count(*) FROM delivery") == [(1,)]


async def test_replicas_that_store_the_same_groups_never_wait_for_each_other(
    timed_store: SqlStore, replica: SqlStore, database_url: str
) -> None:
    firings = [a_firing(fingerprint=f"f{n:02}") for n in range(40)]
    groups = [
        [a_delivery(*order, digest=f"d{n}") for n in numbers]
        for order in (firings, firings[::-1], firings[::3] + firings[1::3])
        for numbers in (range(6), range(5, -1, -1))
    ]

    async with asyncio.timeout(60):
        await asyncio.gather(
            *(delivered(one, *group) for one in (timed_store, replica) for group in groups * 3)
        )
        await file_all(timed_store)  # each may have left rows to another, who left them to it

    assert await raw.run(database_url, "SELECT count(*) FROM firing") == [(40,)]
    assert await raw.run(database_url, "SELECT sum(count) FROM delivery") == [(6 * 36,)]


async def test_a_group_and_a_worker_that_takes_its_alerts_never_wait_for_each_other(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    """Rows were stored in another order than that of their keys."""
    for n in reversed(range(30)):
        await delivered(timed_store, a_delivery(a_firing(fingerprint=f"f{n:02}"), digest=f"s{n}"))
    async with timed_store.read() as tx:
        ids = [firing.id for firing in await tx.alerts.unassigned([PROD])]
    async with timed_store.write() as tx:
        case = await tx.cases.open_for(PROD, channel=CHANNEL, entry=ENTRY)
    group = [a_delivery(*(a_firing(fingerprint=f"f{n:02}") for n in range(30)))]

    async def assign() -> None:
        async with replica.write() as tx:
            await tx.alerts.assign(ids, case.id)

    async with asyncio.timeout(60):
        await asyncio.gather(*(delivered(timed_store, *group) for _ in range(10)), assign())

    async with timed_store.read() as tx:
        assert len(await tx.alerts.of_case(case.id)) == 30


async def test_of_a_storm_a_case_shows_those_that_fire_first(store: Store) -> None:
    many = [
        a_firing(fingerprint=f"f{n:04}", starts_at=NOON + timedelta(seconds=n)) for n in range(700)
    ]
    over = [
        replace(a_firing(fingerprint=f"r{n:04}"), status=FiringStatus.RESOLVED, ends_at=NOON)
        for n in range(3)
    ]
    await delivered(store, a_delivery(*many, *over))
    async with store.write() as tx:
        case = await tx.cases.open_for(PROD, channel=CHANNEL, entry=ENTRY)
        waiting = await tx.alerts.unassigned([PROD], limit=1000)
        await tx.alerts.assign([firing.id for firing in waiting], case.id)

    async with store.read() as tx:
        found = await tx.alerts.of_case(case.id)

    assert [firing.fingerprint for firing in found] == [f"f{n:04}" for n in range(500)]
