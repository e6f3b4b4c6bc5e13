"""Workers go on after any failure and stop in order; of several replicas one runs each tick."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot import jobs, pulse
from bot.errors import UpstreamDown
from store.records import Slot, Unavailable

SOON_S = 20.0


class Queue:
    """A step over a list of things to do: each is done, or is an error to be raised."""

    def __init__(self, *todo: object) -> None:
        self.todo = list(todo)
        self.done: list[object] = []
        self.changed = asyncio.Condition()
        self.idle = asyncio.Event()

    async def step(self) -> bool:
        if not self.todo:
            self.idle.set()
            return False
        thing = self.todo.pop(0)
        async with self.changed:
            self.done.append(thing)
            self.changed.notify_all()
        if isinstance(thing, Exception):
            raise thing
        return True

    async def until(self, count: int) -> None:
        async with asyncio.timeout(SOON_S), self.changed:
            await self.changed.wait_for(lambda: len(self.done) >= count)


@pytest.fixture
async def workers() -> AsyncIterator[jobs.Workers]:
    workers = jobs.Workers(poll_s=60.0, backoff_cap_s=0.01)
    yield workers
    await workers.stop(limit_s=0.1)


# -- Workers ------------------------------------------------------------------------------------


async def test_a_worker_empties_its_queue_without_waiting(workers: jobs.Workers) -> None:
    queue = Queue(1, 2, 3)
    workers.add("deliver", queue.step)

    workers.start()

    await queue.until(3)
    assert queue.done == [1, 2, 3]


async def test_a_nudge_wakes_a_worker_before_its_poll(workers: jobs.Workers) -> None:
    queue = Queue()
    workers.add("deliver", queue.step)
    workers.start()
    await asyncio.wait_for(queue.idle.wait(), SOON_S)

    queue.todo.append("new")
    workers.nudge("deliver")

    await queue.until(1)


async def test_a_nudge_that_comes_while_a_step_runs_is_not_lost(workers: jobs.Workers) -> None:
    queue = Queue()

    async def step() -> bool:
        found = await queue.step()
        if not found and not queue.done:
            queue.todo.append("came late")
            workers.nudge("deliver")
        return found

    workers.add("deliver", step)
    workers.start()

    await queue.until(1)


async def test_work_is_found_by_polling_when_no_nudge_comes() -> None:
    queue = Queue()
    workers = jobs.Workers(poll_s=0.01)
    workers.add("deliver", queue.step)
    workers.start()
    await asyncio.wait_for(queue.idle.wait(), SOON_S)

    queue.todo.append("new")

    await queue.until(1)
    await workers.stop()


@pytest.mark.parametrize(
    "error", [Unavailable("locked"), UpstreamDown("slack", "away"), KeyError()]
)
async def test_a_failure_is_logged_in_one_line_and_the_worker_goes_on(
    workers: jobs.Workers, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    queue = Queue(error, "next")
    workers.add("deliver", queue.step)

    workers.start()

    await queue.until(2)
    (record,) = [record for record in caplog.records if record.message == "worker failed"]
    assert vars(record)["error"] == type(error).__name__
    assert bool(record.exc_info) == isinstance(error, KeyError)


async def test_a_worker_that_fails_again_and_again_is_told_as_failing_until_it_works(
    workers: jobs.Workers,
) -> None:
    queue = Queue(Unavailable(), Unavailable(), Unavailable())
    workers.add("deliver", queue.step)
    workers.start()

    await queue.until(3)
    assert workers.failing()["deliver"] >= 2
    assert workers.dead() == ()

    await asyncio.wait_for(queue.idle.wait(), SOON_S)
    await asyncio.sleep(0)
    assert workers.failing() == {}


async def test_one_failing_worker_does_not_hold_up_another(workers: jobs.Workers) -> None:
    good, bad = Queue(1, 2, 3), Queue(*[RuntimeError()] * 3)
    workers.add("good", good.step)
    workers.add("bad", bad.step)

    workers.start()

    await good.until(3)
    await bad.until(3)


async def test_stopping_waits_for_the_step_at_hand_and_starts_no_other(
    workers: jobs.Workers,
) -> None:
    entered, gate, steps = asyncio.Event(), asyncio.Event(), 0

    async def step() -> bool:
        nonlocal steps
        entered.set()
        await gate.wait()
        steps += 1
        return True

    workers.add("execute", step)
    workers.start()
    await asyncio.wait_for(entered.wait(), SOON_S)

    stopping = asyncio.create_task(workers.stop(limit_s=SOON_S))
    await asyncio.sleep(0)
    gate.set()

    assert await stopping == ()
    assert steps == 1


async def test_a_step_that_does_not_end_is_cut_off_and_named(
    workers: jobs.Workers, caplog: pytest.LogCaptureFixture
) -> None:
    entered = asyncio.Event()

    async def step() -> bool:
        entered.set()
        await asyncio.Event().wait()
        return True

    workers.add("execute", step)
    workers.start()
    await asyncio.wait_for(entered.wait(), SOON_S)

    assert await workers.stop(limit_s=0.01) == ("execute",)
    assert "workers cut off" in caplog.text


async def test_stopping_does_not_wait_for_a_poll_or_a_backoff() -> None:
    idle, failing = Queue(), Queue(RuntimeError())
    workers = jobs.Workers(poll_s=3600, backoff_cap_s=3600)
    workers.add("idle", idle.step)
    workers.add("failing", failing.step)
    workers.start()
    await asyncio.wait_for(idle.idle.wait(), SOON_S)
    await failing.until(1)

    assert await asyncio.wait_for(workers.stop(), SOON_S) == ()


async def test_a_worker_that_ended_or_hangs_is_dead(workers: jobs.Workers) -> None:
    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    async def ends() -> bool:
        raise asyncio.CancelledError

    workers.add("hangs", hangs, stuck_after_s=-1.0)
    workers.add("ends", ends)
    workers.add("lives", Queue().step)
    assert set(workers.dead()) == {"hangs", "ends", "lives"}, "none is started yet"

    workers.start()

    for _ in range(20):
        await asyncio.sleep(0)

    assert workers.dead() == ("hangs", "ends")


async def test_a_slow_step_that_gives_signs_of_life_is_not_dead(workers: jobs.Workers) -> None:
    entered = asyncio.Event()

    async def slow() -> bool:
        pulse.alive()
        entered.set()
        await asyncio.Event().wait()
        return True

    begun = time.monotonic()
    workers.add("execute", slow)
    workers.start()
    await asyncio.wait_for(entered.wait(), SOON_S)
    ((step, beat),) = workers._workers["execute"].steps.items()

    assert beat.at > begun
    beat.at = time.monotonic() - jobs.STUCK_AFTER_S - 1
    assert workers.dead() == ("execute",)
    assert not step.done()


async def test_a_step_that_hangs_does_not_hold_up_the_next_one() -> None:
    gate, queue = asyncio.Event(), Queue("a", "b")
    workers = jobs.Workers(poll_s=0.01)

    async def step() -> bool:
        if not hanging:
            hanging.append(True)
            await gate.wait()
            return True
        return await queue.step()

    hanging: list[bool] = []
    workers.add("execute", step, at_once=2)
    workers.start()

    await queue.until(2)
    gate.set()
    assert await workers.stop() == ()


async def test_a_nudge_begins_another_step_beside_one_that_hangs(workers: jobs.Workers) -> None:
    entered = asyncio.Queue[int]()

    async def step() -> bool:
        entered.put_nowait(1)
        await asyncio.Event().wait()
        return True

    workers.add("execute", step, at_once=2)
    workers.start()
    for _ in range(2):
        await asyncio.wait_for(entered.get(), SOON_S)
        workers.nudge("execute")
    for _ in range(10):
        await asyncio.sleep(0)

    assert entered.empty(), "no more than two at once"


async def test_stopping_waits_for_every_step_at_hand() -> None:
    gate, entered, ended = asyncio.Event(), asyncio.Queue[int](), []
    workers = jobs.Workers(poll_s=0.01)

    async def step() -> bool:
        entered.put_nowait(1)
        await gate.wait()
        ended.append(1)
        return True

    workers.add("execute", step, at_once=3)
    workers.start()
    for _ in range(3):
        await asyncio.wait_for(entered.get(), SOON_S)
    stopping = asyncio.create_task(workers.stop(limit_s=SOON_S))
    await asyncio.sleep(0)
    gate.set()

    assert await stopping == ()
    assert ended == [1, 1, 1]


async def test_every_step_that_does_not_end_is_cut_off() -> None:
    entered, cancelled = asyncio.Queue[int](), []
    workers = jobs.Workers(poll_s=0.01)

    async def step() -> bool:
        entered.put_nowait(1)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(1)
        return True

    workers.add("execute", step, at_once=2)
    workers.start()
    for _ in range(2):
        await asyncio.wait_for(entered.get(), SOON_S)

    assert await workers.stop(limit_s=0.01) == ("execute",)
    assert cancelled == [1, 1]


async def test_a_nudge_ends_the_wait_after_a_failure() -> None:
    queue = Queue(RuntimeError())
    workers = jobs.Workers(poll_s=3600, backoff_cap_s=3600, woken_after_s=0.0)
    workers.add("execute", queue.step)
    workers.start()
    await queue.until(1)

    queue.todo.append("freshly approved")
    workers.nudge("execute")

    await queue.until(2)
    await workers.stop()


async def test_however_long_the_database_was_lost_its_return_is_noticed_soon() -> None:
    queue = Queue(*[Unavailable("the database is gone")] * 30, "what was approved")
    workers = jobs.Workers(poll_s=3600, backoff_cap_s=3600, database_cap_s=0.001)
    workers.add("execute", queue.step)

    workers.start()

    await queue.until(31)
    await workers.stop()


async def test_nudges_do_not_turn_failures_into_a_hail_of_tries() -> None:
    queue = Queue(*[RuntimeError()] * 100)
    workers = jobs.Workers(poll_s=3600, backoff_cap_s=3600, woken_after_s=3600)
    workers.add("execute", queue.step)
    workers.start()
    await queue.until(1)

    for _ in range(50):
        workers.nudge("execute")
        await asyncio.sleep(0)

    assert len(queue.done) == 1
    assert await workers.stop() == ()


async def test_two_workers_cannot_have_one_name(workers: jobs.Workers) -> None:
    workers.add("deliver", Queue().step)

    with pytest.raises(ValueError, match="deliver"):
        workers.add("deliver", Queue().step)


# -- Ticks --------------------------------------------------------------------------------------


class Slots:
    """Hands out one slot per tick number, as the store does by its primary key."""

    def __init__(self) -> None:
        self.number = 0
        self.claimed: set[tuple[str, int]] = set()
        self.finished: list[Slot] = []

    async def claim(self, job: str, period: timedelta) -> Slot | None:
        if (job, self.number) in self.claimed:
            return None
        self.claimed.add((job, self.number))
        return Slot(job, self.number, "me")

    async def finish(self, slot: Slot) -> None:
        self.finished.append(slot)


async def test_of_several_replicas_one_runs_each_tick() -> None:
    slots, runs = Slots(), 0

    async def run() -> None:
        nonlocal runs
        runs += 1

    ticks = [
        jobs.add(
            jobs.scheduler(),
            "snapshot",
            timedelta(seconds=30),
            claim=slots.claim,
            finish=slots.finish,
            run=run,
        )
        for _ in range(5)
    ]

    for slots.number in range(4):
        await asyncio.gather(*(tick() for tick in ticks))

    assert runs == 4
    assert [slot.slot for slot in slots.finished] == [0, 1, 2, 3]


async def test_a_run_that_fails_leaves_its_slot_unfinished_and_the_timer_alive(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slots = Slots()

    async def run() -> None:
        raise UpstreamDown("dify", "away")

    tick = jobs.add(
        jobs.scheduler(),
        "snapshot",
        timedelta(seconds=30),
        claim=slots.claim,
        finish=slots.finish,
        run=run,
    )

    await tick()

    assert slots.finished == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_the_timer_ticks_by_itself_in_memory_and_never_skips_a_late_run() -> None:
    slots, ran = Slots(), asyncio.Event()

    async def run() -> None:
        ran.set()

    timer = jobs.scheduler()
    jobs.add(
        timer,
        "snapshot",
        timedelta(seconds=0.01),
        claim=slots.claim,
        finish=slots.finish,
        run=run,
    )
    timer.start()
    try:
        await asyncio.wait_for(ran.wait(), SOON_S)
        (job,) = timer.get_jobs()
        assert (job.coalesce, job.max_instances, job.misfire_grace_time) == (True, 1, None)
    finally:
        timer.shutdown(wait=False)


async def test_a_local_tick_goes_on_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        raise UpstreamDown("slack", "away")

    timer = jobs.scheduler()
    tick = jobs.add_local(timer, "probe", timedelta(seconds=30), run=run)

    await tick()
    await tick()

    assert runs == 2
    assert [record.message for record in caplog.records] == ["job failed"] * 2
