"""Jobs of this process: paused everywhere, run when somebody asks, and known however they end."""

from __future__ import annotations

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import jobs
from bot.assembly.scheduled import Scheduled
from bot.domain.schedule import PRUNE
from store.records import AuditDraft, JobState
from store.session import SqlStore

ENTRY = AuditDraft("U0ALICE1", "job", "job/prune", "ok", {}, ip_note="a test")


class Counted:
    """A job that counts its runs; `failing` is raised instead."""

    def __init__(self) -> None:
        self.runs = 0
        self.failing: Exception | None = None

    async def __call__(self) -> None:
        self.runs += 1
        if self.failing:
            raise self.failing


def scheduled(store: SqlStore, owner: str = "w1") -> Scheduled:
    timer: AsyncIOScheduler = jobs.scheduler()
    return Scheduled(store, timer, owner=owner, nudge=lambda: None)


async def state(store: SqlStore) -> JobState:
    async with store.read() as tx:
        return (await tx.schedule.all())["prune"]


async def test_a_tick_is_known_with_its_end(sqlite_store: SqlStore) -> None:
    run = Counted()

    await scheduled(sqlite_store).every(PRUNE, run)()

    found = await state(sqlite_store)
    assert (run.runs, found.failure) == (1, "")
    assert found.started_at is not None
    assert found.finished_at is not None


async def test_a_tick_that_failed_is_known_to_have(sqlite_store: SqlStore) -> None:
    run = Counted()
    run.failing = ValueError("no")

    await scheduled(sqlite_store).every(PRUNE, run)()

    found = await state(sqlite_store)
    assert found.failure == "ValueError"
    assert found.finished_at is not None


async def test_a_paused_job_runs_in_no_process_until_it_is_resumed(sqlite_store: SqlStore) -> None:
    run = Counted()
    here = scheduled(sqlite_store).every(PRUNE, run)
    there = scheduled(sqlite_store, "w2").every(PRUNE, run)
    async with sqlite_store.write() as tx:
        await tx.schedule.pause("prune", by="U0ALICE1", entry=ENTRY)
    await here()
    await there()
    assert run.runs == 0

    async with sqlite_store.write() as tx:
        await tx.schedule.resume("prune", entry=ENTRY)
    await here()
    await there()
    assert run.runs == 1  # one tick for both


async def test_what_somebody_asked_for_runs_once_also_while_it_is_paused(
    sqlite_store: SqlStore,
) -> None:
    run = Counted()
    here, there = scheduled(sqlite_store), scheduled(sqlite_store, "w2")
    for process in (here, there):
        process.every(PRUNE, run)
    async with sqlite_store.write() as tx:
        await tx.schedule.pause("prune", by="U0ALICE1", entry=ENTRY)
        await tx.schedule.ask("prune", by="U0ALICE1", entry=ENTRY)

    steps = [await here.step(), await there.step(), await here.step()]

    assert (steps, run.runs) == ([True, False, False], 1)
    found = await state(sqlite_store)
    assert (found.asked_at, found.paused) == (None, True)


async def test_a_run_on_demand_that_fails_is_told_and_not_tried_for_ever(
    sqlite_store: SqlStore,
) -> None:
    run = Counted()
    run.failing = ValueError("no")
    process = scheduled(sqlite_store)
    process.every(PRUNE, run)
    async with sqlite_store.write() as tx:
        await tx.schedule.ask("prune", by="U0ALICE1", entry=ENTRY)

    assert await process.step()
    assert not await process.step()

    assert (await state(sqlite_store)).failure == "ValueError"
