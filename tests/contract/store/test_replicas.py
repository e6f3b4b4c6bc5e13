"""Two replicas at the same instant: what one of them must not lose and both must not do twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from store.records import Stale
from store.session import SqlStore
from tests.builders import a_firing
from tests.contract.store.things import (
    a_delivery,
    a_document,
    an_open_case,
    new_version,
    recorded,
    taken,
)


async def test_replicas_that_record_at_once_give_every_version_one_number(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    documents = [a_document(str(n)) for n in range(8)]
    jobs = [
        recorded(store, new_version(f"live-{n}"), document)
        for n, document in enumerate(documents)
        for store in (timed_store, replica)
    ]

    versions = await asyncio.gather(*jobs)

    assert sorted(v.number or 0 for v in set(versions)) == list(range(1, 9))
    assert {v.external_id for v in versions} == {f"live-{n}" for n in range(8)}


async def test_a_storm_of_the_same_delivery_stores_each_firing_once(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    firings = [a_firing(fingerprint=f"f{n}") for n in range(5)]
    backwards = a_delivery(*reversed(firings), digest="d2")

    told = await asyncio.gather(
        *(taken(s, d) for s in (timed_store, replica) for d in (a_delivery(*firings), backwards)),
        *(taken(timed_store, a_delivery(*firings)) for _ in range(4)),
    )

    assert sorted(f.fingerprint for some in told for f in some) == [f"f{n}" for n in range(5)]


async def test_replicas_that_open_at_once_open_one_case(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    cases = await asyncio.gather(
        *(an_open_case(store) for store in (timed_store, replica) for _ in range(10))
    )

    assert len({c.id for c in cases}) == 1
    async with timed_store.read() as tx:
        assert len(await tx.cases.open_cases()) == 1
        assert len(await tx.audit.entries()) == 1


async def test_of_two_replicas_that_save_the_same_revision_one_is_stale(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    case = await an_open_case(timed_store)

    async def save(store: SqlStore, card_ts: str) -> str:
        async with store.write() as tx:
            await tx.cases.save(replace(case, card_ts=card_ts), was=case.revision)
        return card_ts

    came = await asyncio.gather(
        save(timed_store, "one"), save(replica, "two"), return_exceptions=True
    )

    won = [outcome for outcome in came if isinstance(outcome, str)]
    assert len(won) == 1
    assert [type(outcome) for outcome in came if not isinstance(outcome, str)] == [Stale]
    async with timed_store.read() as tx:
        assert (await tx.cases.get(case.id)).card_ts == won[0]


async def test_a_locked_case_waits_for_whoever_holds_it(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    """The second replica reads what the first one committed, not what stood before."""
    case = await an_open_case(timed_store)
    holding, seen = asyncio.Event(), []

    async def first() -> None:
        async with timed_store.write() as tx:
            locked = await tx.cases.get(case.id, lock=True)
            holding.set()
            await tx.cases.save(replace(locked, card_ts="17.1"), was=locked.revision)

    async def second() -> None:
        await holding.wait()
        async with replica.write() as tx:
            seen.append(await tx.cases.get(case.id, lock=True))

    await asyncio.wait_for(asyncio.gather(first(), second()), timeout=20)

    assert [c.card_ts for c in seen] == ["17.1"]
