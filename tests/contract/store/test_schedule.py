"""Scheduled jobs over all processes: the newest run, a pause that stays, one run on demand."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from store.records import AuditDraft, JobState
from store.session import SqlStore
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE

WHO = "U0ALICE1"


def entry(action: str) -> AuditDraft:
    return AuditDraft(WHO, action, "job/prune", "ok", {}, ip_note="a test")


async def of(store: SqlStore, job: str = "prune") -> JobState:
    async with store.read() as tx:
        return (await tx.schedule.all())[job]


async def pause(store: SqlStore) -> bool:
    async with store.write() as tx:
        return await tx.schedule.pause("prune", by=WHO, entry=entry("job.pause"))


async def ask(store: SqlStore) -> bool:
    async with store.write() as tx:
        return await tx.schedule.ask("prune", by=WHO, entry=entry("job.run"))


async def take(store: SqlStore, owner: str) -> JobState | None:
    async with store.write() as tx:
        return await tx.schedule.take(owner, lease=LEASE)


async def actions(store: SqlStore) -> list[str]:
    async with store.read() as tx:
        return [found.action for found in await tx.audit.entries()]


async def test_the_newest_run_is_known_whoever_ran_it(
    timed_store: SqlStore, replica: SqlStore, hand: Hand
) -> None:
    async with timed_store.write() as tx:
        await tx.schedule.began("prune")
        began = await tx.now()
    running = await of(replica)
    hand.passes(seconds=3)
    async with replica.write() as tx:
        await tx.schedule.ended("prune", failure="Unavailable")
    failed = await of(timed_store)
    async with replica.write() as tx:
        await tx.schedule.began("prune")

    assert (running.started_at, running.finished_at) == (began, None)
    assert failed.finished_at == began + timedelta(seconds=3)
    assert failed.failure == "Unavailable"
    assert ((await of(timed_store)).finished_at, (await of(timed_store)).failure) == (None, "")


async def test_a_pause_says_by_whom_and_since_when_and_stays(
    timed_store: SqlStore, replica: SqlStore, hand: Hand
) -> None:
    assert await pause(timed_store)
    since = (await of(replica)).paused_at
    hand.passes(seconds=3600)

    assert not await pause(replica)
    async with replica.read() as tx:
        assert await tx.schedule.paused("prune")
        assert not await tx.schedule.paused("another")
    found = await of(replica)
    assert (found.paused, found.paused_by, found.paused_at) == (True, WHO, since)
    assert await actions(replica) == ["job.pause"]


async def test_what_is_resumed_is_paused_no_more(timed_store: SqlStore) -> None:
    await pause(timed_store)
    async with timed_store.write() as tx:
        assert await tx.schedule.resume("prune", entry=entry("job.resume"))
    async with timed_store.write() as tx:
        assert not await tx.schedule.resume("prune", entry=entry("job.resume"))

    found = await of(timed_store)
    assert (found.paused, found.paused_by) == (False, "")
    assert await actions(timed_store) == ["job.pause", "job.resume"]


async def test_a_run_that_is_asked_for_is_taken_by_one(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    assert await take(timed_store, "early") is None
    assert await ask(timed_store)
    assert not await ask(replica)

    racers = [take(s, f"racer-{n}") for n in range(5) for s in (timed_store, replica)]
    won = [state for state in await asyncio.gather(*racers) if state is not None]

    assert [state.asked_by for state in won] == [WHO]
    assert await actions(replica) == ["job.run"]


async def test_of_a_process_that_died_the_run_is_taken_over_after_its_lease(
    timed_store: SqlStore, hand: Hand
) -> None:
    await ask(timed_store)
    await take(timed_store, "dead")
    hand.passes(seconds=29)
    assert await take(timed_store, "early") is None
    hand.passes(seconds=2)
    assert await take(timed_store, "heir") is not None

    wished = (await of(timed_store)).asked_at
    assert wished is not None
    async with timed_store.write() as tx:
        await tx.schedule.done("prune", asked_at=wished - timedelta(seconds=1))
    assert (await of(timed_store)).asked_by == WHO
    async with timed_store.write() as tx:  # whoever ran it, late or not: once is enough
        await tx.schedule.done("prune", asked_at=wished)
    assert (await of(timed_store)).asked_at is None
    assert await ask(timed_store)
