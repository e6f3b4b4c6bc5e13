"""What runs on its own: ticks of the clock, and workers that empty queues.

The scheduler is only a timer: what is due stands in the store, so a restart loses nothing, and
each tick claims its slot there, so that of several replicas one runs it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.errors import BotError
from bot.log import bound
from bot.pulse import Pulse, felt
from store.records import Slot, Unavailable

POLL_S = 1.0
BACKOFF_CAP_S = 30.0
DATABASE_CAP_S = 5.0  # it is ours and near, and all that is approved waits for it
WOKEN_AFTER_S = 4.0
STUCK_AFTER_S = 180.0
BREATH_S = 0.05
_JITTER_CAP_S = 10
_log = logging.getLogger(__name__)

Claim = Callable[[str, timedelta], Awaitable[Slot | None]]
Finish = Callable[[Slot], Awaitable[None]]
Run = Callable[[], Awaitable[object]]
Step = Callable[[], Awaitable[bool]]


def scheduler() -> AsyncIOScheduler:
    """A timer that keeps its jobs in memory; a late tick still runs, several late ones as one."""
    return AsyncIOScheduler(
        jobstores={"default": MemoryJobStore()},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=UTC,
    )


def add(
    timer: AsyncIOScheduler,
    name: str,
    period: timedelta,
    *,
    claim: Claim,
    finish: Finish,
    run: Run,
) -> Run:
    """Run *run* once per *period* over all replicas; return the tick, to be called by hand too.

    Each tick claims its slot (`floor(database time / period)`); whoever gets it runs. A run that
    fails leaves its slot unfinished and is logged in one line; the next tick tries again.
    """

    async def tick() -> None:
        with bound(job=name):
            try:
                slot = await claim(name, period)
                if slot is None:
                    return
                await run()
                await finish(slot)
            except asyncio.CancelledError:
                _log.info("job cut off")  # the timer is shut down; the slot stays unfinished
            except Exception as error:  # noqa: BLE001 - the edge of a job: the timer goes on
                _log_failure("job failed", error)

    jitter = min(_JITTER_CAP_S, int(period.total_seconds() / 10)) or None
    trigger = IntervalTrigger(seconds=period.total_seconds(), timezone=UTC, jitter=jitter)
    timer.add_job(tick, trigger, id=name)
    return tick


def add_local(timer: AsyncIOScheduler, name: str, period: timedelta, *, run: Run) -> Run:
    """Run *run* once per *period* in this very process; return the tick, as `add` does."""

    async def tick() -> None:
        with bound(job=name):
            try:
                await run()
            except asyncio.CancelledError:
                _log.info("job cut off")  # the timer is shut down
            except Exception as error:  # noqa: BLE001 - the edge of a job: the timer goes on
                _log_failure("job failed", error)

    trigger = IntervalTrigger(seconds=period.total_seconds(), timezone=UTC)
    timer.add_job(tick, trigger, id=name)
    return tick


@dataclass(frozen=True)
class _Rest:
    """How long a worker waits after a step: a nudge ends it, but not before *least_s*."""

    most_s: float = 0.0
    least_s: float = 0.0


@dataclass
class _Worker:
    name: str
    step: Step
    at_once: int
    stuck_after_s: float
    breathes: bool
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    steps: dict[asyncio.Task[_Rest], Pulse] = field(default_factory=dict)
    failures: int = 0
    task: asyncio.Task[None] | None = None

    def dead(self, now: float) -> bool:
        """Whether its loop has ended, or a step has given no sign of life for too long."""
        if self.task is None or self.task.done():
            return True
        return any(now - pulse.at > self.stuck_after_s for pulse in self.steps.values())


class Workers:
    """Named loops that take one step after the other until they are stopped.

    A step returns True when it found work (the next one follows at once) and False when there
    was nothing: then the loop waits for `nudge` or the poll interval. A step that fails is
    logged in one line and tried again, later each time, though never much later when it was the
    database that was lost; a nudge shortens that wait, but not below `woken_after_s`, so that
    somebody else's work does not turn it into a hail of tries.
    """

    def __init__(
        self,
        *,
        poll_s: float = POLL_S,
        backoff_cap_s: float = BACKOFF_CAP_S,
        database_cap_s: float = DATABASE_CAP_S,
        woken_after_s: float = WOKEN_AFTER_S,
    ) -> None:
        self._poll_s = poll_s
        self._backoff_cap_s = backoff_cap_s
        self._database_cap_s = min(database_cap_s, backoff_cap_s)
        self._woken_after_s = woken_after_s
        self._workers: dict[str, _Worker] = {}
        self._stopping = asyncio.Event()

    def add(
        self,
        name: str,
        step: Step,
        *,
        at_once: int = 1,
        stuck_after_s: float = STUCK_AFTER_S,
        breathes: bool = False,
    ) -> None:
        """Add a worker before `start`.

        Args:
            name: Unique; stands in the log and in /readyz when the worker is dead.
            step: One piece of work; may be called again after any failure.
            at_once: How many steps may run beside each other, from 1. Another one is begun
                when those before it take longer than the poll interval, or at a nudge.
            stuck_after_s: A step that gives no sign of life (`bot.pulse`) for longer counts as
                dead for /readyz.
            breathes: Whether each step is followed by a rest as long as itself, at least
                `BREATH_S`: a storm brings more work in every moment, and others are to go on.
        """
        if name in self._workers:
            raise ValueError(f"there is a worker {name!r} already")
        self._workers[name] = _Worker(name, step, at_once, stuck_after_s, breathes)

    def nudge(self, *names: str) -> None:
        """Wake these workers (all when none is named): there may be work."""
        for worker in self._workers.values():
            if not names or worker.name in names:
                worker.wake.set()

    def start(self) -> None:
        """Start every loop; needs a running event loop."""
        for worker in self._workers.values():
            worker.task = asyncio.create_task(self._loop(worker), name=f"worker:{worker.name}")

    async def stop(self, *, limit_s: float = 20.0) -> tuple[str, ...]:
        """Let each worker finish the steps it is in, for at most *limit_s* seconds.

        Returns the names of those that had to be cancelled: their work is taken up by whoever
        comes next, as after a crash.
        """
        self._stopping.set()
        self.nudge()
        tasks = {w.task: w.name for w in self._workers.values() if w.task is not None}
        if not tasks:
            return ()
        _, late = await asyncio.wait(tasks, timeout=limit_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        names = tuple(sorted(tasks[task] for task in late))
        if names:
            _log.warning("workers cut off", extra={"workers": names})
        return names

    def dead(self) -> tuple[str, ...]:
        """Names of the workers whose loop has ended or hangs in a step; for /readyz."""
        now = time.monotonic()
        return tuple(w.name for w in self._workers.values() if w.dead(now))

    def failing(self) -> Mapping[str, int]:
        """How often in a row each worker that is failing now has failed."""
        return {w.name: w.failures for w in self._workers.values() if w.failures}

    async def _loop(self, worker: _Worker) -> None:
        with bound(worker=worker.name):
            async with asyncio.TaskGroup() as steps:
                while not self._stopping.is_set():
                    worker.wake.clear()
                    pulse = Pulse()
                    step = steps.create_task(self._step(worker, pulse))
                    worker.steps[step] = pulse
                    step.add_done_callback(worker.steps.pop)
                    await self._until_next(worker, step)

    async def _step(self, worker: _Worker, pulse: Pulse) -> _Rest:
        began = time.monotonic()
        with felt(pulse):
            try:
                found = await worker.step()
            except Exception as error:  # noqa: BLE001 - the edge of a worker: the loop goes on
                worker.failures += 1
                _log_failure("worker failed", error)
                backoff_s = self._backoff_s(worker.failures, error)
                return _Rest(backoff_s, min(backoff_s, self._woken_after_s))
        worker.failures = 0
        breath_s = max(BREATH_S, time.monotonic() - began) if worker.breathes else 0.0
        return _Rest(breath_s if found else self._poll_s, breath_s)

    async def _until_next(self, worker: _Worker, step: asyncio.Task[_Rest]) -> None:
        """Return when another step may begin beside or after *step*."""
        if len(worker.steps) < worker.at_once:
            await _done_or_set(step, worker.wake, self._poll_s)
        else:
            await asyncio.wait(worker.steps, return_when=asyncio.FIRST_COMPLETED)
        if step.cancelled():
            raise asyncio.CancelledError
        if step.done():
            rest = step.result()
            await self._pause(self._stopping, rest.least_s)
            await self._pause(worker.wake, rest.most_s - rest.least_s)

    def _backoff_s(self, failures: int, error: Exception) -> float:
        """0.5 s, doubled with each failure up to the cap, ±20 % so that replicas drift apart."""
        lost = isinstance(error, Unavailable)
        cap_s = self._database_cap_s if lost else self._backoff_cap_s
        base: float = min(cap_s, 0.5 * 2 ** min(failures - 1, 16))
        return base * random.uniform(0.8, 1.2)  # noqa: S311 - no secret depends on it

    async def _pause(self, event: asyncio.Event, seconds: float) -> None:
        if self._stopping.is_set() or seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return


async def _done_or_set(step: asyncio.Task[_Rest], event: asyncio.Event, seconds: float) -> None:
    """Wait for either, for at most *seconds*."""
    is_set = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((step, is_set), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_set.cancel()


def _log_failure(message: str, error: Exception) -> None:
    """One line: a passing fault without its traceback, what nobody foresaw with it."""
    passing = isinstance(error, Unavailable) or (isinstance(error, BotError) and error.retryable)
    facts = {"error": type(error).__name__, "why": str(error)[:300]}
    if passing:
        _log.warning(message, extra=facts)
    else:
        _log.error(message, extra=facts, exc_info=error)
