"""The jobs of the clock in this process: ticks over all replicas, and runs that people ask for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import jobs
from bot.domain.schedule import Job
from bot.log import bound
from store.records import JobState, Slot, Unavailable
from store.session import SqlStore

log = logging.getLogger(__name__)
SLOT_LEASE = timedelta(minutes=5)


class Scheduled:
    """Runs jobs, and lets the store know of every run, so that people can be told of it."""

    def __init__(
        self,
        store: SqlStore,
        timer: AsyncIOScheduler,
        *,
        owner: str,
        nudge: Callable[[], None],
    ) -> None:
        """Take the *timer* to put jobs on; *nudge* wakes whoever tells people of a run."""
        self._store = store
        self._timer = timer
        self._owner = owner
        self._nudge = nudge
        self._runs: dict[str, jobs.Run] = {}

    def every(self, job: Job, run: jobs.Run) -> jobs.Run:
        """Run *run* once a period over all replicas: each tick claims its slot.

        A tick of a job that somebody paused claims none, in this process as in all others.
        """

        async def claim(name: str, period: timedelta) -> Slot | None:
            async with self._store.write() as tx:
                if await tx.schedule.paused(name):
                    return None
                slot = await tx.slots.claim(
                    name, period=period, owner=self._owner, lease=SLOT_LEASE
                )
                if slot is not None:
                    await tx.schedule.began(name)
                return slot

        async def finish(slot: Slot) -> None:
            async with self._store.write() as tx:
                await tx.slots.finish(slot)
                await tx.schedule.ended(slot.job)

        self._runs[job.name] = run
        told = self._told(job.name, run)
        return jobs.add(self._timer, job.name, job.every, claim=claim, finish=finish, run=told)

    def _told(self, name: str, run: jobs.Run) -> jobs.Run:
        async def ran() -> None:
            try:
                await run()
            except Exception as error:
                with suppress(Unavailable):  # the first error says more
                    async with self._store.write() as tx:
                        await tx.schedule.ended(name, failure=type(error).__name__)
                raise

        return ran

    async def step(self) -> bool:
        """Run a job that a person asked for; False when there is none.

        It runs beside a tick, in this process or another: every job bears that. One whose process
        dies is run by another after its lease.
        """
        async with self._store.write() as tx:
            asked = await tx.schedule.take(self._owner, lease=SLOT_LEASE)
            if asked is not None:
                await tx.schedule.began(asked.name)
        if asked is None:
            return False
        with bound(job=asked.name):
            await self._run(asked)
        self._nudge()
        return True

    async def _run(self, asked: JobState) -> None:
        run, failure = self._runs.get(asked.name), ""
        try:
            if run is not None:
                await run()
        except Unavailable:
            raise  # it is ours until its lease is over, and then somebody's again
        except Exception as error:
            failure = type(error).__name__
            log.exception("job failed", extra={"error": failure})
        async with self._store.write() as tx:
            await tx.schedule.ended(asked.name, failure=failure)
            await tx.schedule.done(asked.name, asked_at=asked.asked_at)
            await tx.homes.redraw(asked.asked_by)
