"""Ticks of scheduled jobs: each is run by one process."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from store.records import Slot
from store.session import SqlStore
from tests.contract.store import behind
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE

MINUTE = timedelta(minutes=1)


async def claim(store: SqlStore, owner: str, job: str = "snapshot") -> Slot | None:
    async with store.write() as tx:
        return await tx.slots.claim(job, period=MINUTE, owner=owner, lease=LEASE)


async def finish(store: SqlStore, slot: Slot | None) -> None:
    assert slot is not None
    async with store.write() as tx:
        await tx.slots.finish(slot)


async def test_of_twenty_racers_one_gets_the_tick(timed_store: SqlStore, replica: SqlStore) -> None:
    racers = [claim(s, f"racer-{n}") for n in range(10) for s in (timed_store, replica)]

    won = [slot for slot in await asyncio.gather(*racers) if slot is not None]

    assert len(won) == 1


async def test_each_job_and_each_period_has_a_tick_of_its_own(
    timed_store: SqlStore, hand: Hand
) -> None:
    first = await claim(timed_store, "one")
    other = await claim(timed_store, "one", "expire")
    hand.passes(seconds=60)
    second = await claim(timed_store, "one")

    assert first is not None
    assert other is not None
    assert second is not None
    assert second.slot == first.slot + 1


async def test_a_tick_whose_owner_died_is_taken_once_after_its_lease(
    timed_store: SqlStore, hand: Hand
) -> None:
    await claim(timed_store, "dead")
    hand.passes(seconds=29)
    assert await claim(timed_store, "early") is None
    hand.passes(seconds=2)

    won = [
        s
        for s in [await claim(timed_store, "two"), await claim(timed_store, "three")]
        if s is not None
    ]

    assert [s.owner for s in won] == ["two"]


async def test_a_finished_tick_is_not_taken_again(timed_store: SqlStore, hand: Hand) -> None:
    await finish(timed_store, await claim(timed_store, "one"))
    hand.passes(seconds=50)

    assert await claim(timed_store, "two") is None


async def test_who_lost_a_tick_does_not_finish_it(timed_store: SqlStore, hand: Hand) -> None:
    hour = timedelta(hours=1)
    async with timed_store.write() as tx:
        lost = await tx.slots.claim("report", period=hour, owner="slow", lease=LEASE)
    hand.passes(seconds=31)
    async with timed_store.write() as tx:
        await tx.slots.claim("report", period=hour, owner="two", lease=LEASE)
    await finish(timed_store, lost)
    hand.passes(seconds=31)

    async with timed_store.write() as tx:
        again = await tx.slots.claim("report", period=hour, owner="three", lease=LEASE)

    assert again is not None
    assert again.owner == "three"


async def test_ticks_of_more_than_a_day_ago_are_cleared_away(
    timed_store: SqlStore, hand: Hand, database_url: str
) -> None:
    for _ in range(3):
        await finish(timed_store, await claim(timed_store, "one"))
        await claim(timed_store, "dead", "expire")
        hand.passes(minutes=1)

    hand.passes(hours=25)
    await claim(timed_store, "one")
    await claim(timed_store, "one", "expire")

    assert await behind.count(database_url, behind.SLOTS) == 2


async def test_ticks_of_today_are_kept(
    timed_store: SqlStore, hand: Hand, database_url: str
) -> None:
    for _ in range(5):
        await finish(timed_store, await claim(timed_store, "one"))
        hand.passes(hours=4)

    assert await behind.count(database_url, behind.SLOTS) == 5
