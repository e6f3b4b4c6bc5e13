"""The jobs of the clock before people: how each fares, and who may run, pause and resume them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.domain import policy, schedule
from bot.domain.home import JobRow, Said
from bot.domain.schedule import Job, JobShown
from bot.errors import JobNotManaged, JobNotPausable, NoSuchJob, Refused
from bot.ports.people import Directory
from bot.ports.store import Store, Transaction
from bot.services import refusal
from bot.services.asker import Asker, Reception
from bot.services.hearing import Hearing, Matter
from bot.services.sight import expand
from store.records import JobState, Json

RUN, PAUSE, RESUME = "run", "pause", "resume"
PRESSES = (RUN, PAUSE, RESUME)
_SAID = {RUN: Said.JOB_ASKED, PAUSE: Said.JOB_PAUSED, RESUME: Said.JOB_RESUMED}


class Managers:
    """Those whom the configuration lets run and pause jobs."""

    def __init__(self, directory: Directory, named: tuple[str, ...]) -> None:
        self._directory = directory
        self._named = named

    async def include(self, asker: Asker) -> bool:
        """Return whether *asker* is one of them. Raises `UpstreamDown`."""
        groups = (await expand(self._directory, self._named)).groups
        return policy.may_manage_jobs(
            asker.facts, managers=self._named, groups=groups, team_id=asker.team_id
        )


class JobButtons:
    """Does what is pressed beside a job; its answer stands on App Home when that is drawn anew."""

    def __init__(self, store: Store, directory: Directory, managers: Managers) -> None:
        """Take a *directory* that is asked afresh: here something is decided."""
        self._store = store
        self._reception = Reception(directory)
        self._managers = managers

    async def press(self, hearing: Hearing, name: str, press: str) -> None:
        """Run, pause or resume the job *name*, or say why not.

        Raises:
            UpstreamDown, UpstreamRefused: Slack cannot say who this is; nothing was decided.
        """
        item = hearing.item
        asker = await self._reception.named(item.slack_id, item.team_id, {})
        may = await self._managers.include(asker)
        matter = Matter(f"job.{press}", f"job/{name}", {"person": asker.facts.person})
        async with self._store.write() as tx:
            try:
                job = _allowed(name, press, may=may)
            except Refused as error:
                await self._refuse(tx, hearing, asker, error, matter)
                return
            done = await _do(tx, hearing, job, press, matter)
            facts: dict[str, Json] = {"job": job.name, "anew": done}
            await _say(tx, hearing, _SAID[press], facts)
            await hearing.finish(tx, _SAID[press].value)

    async def _refuse(
        self, tx: Transaction, hearing: Hearing, asker: Asker, error: Refused, matter: Matter
    ) -> None:
        if asker.known:
            entry = hearing.entry(matter, "refused", code=error.code)
            await refusal.record(tx, entry, code=error.code, owner=hearing.owner)
        await _say(tx, hearing, Said.REFUSED, {"text": hearing.told(error)})
        await hearing.finish(tx, error.code)


async def _do(tx: Transaction, hearing: Hearing, job: Job, press: str, matter: Matter) -> bool:
    """Do it, with its entry; False when it stood so already, which nobody decided anew."""
    who, entry = hearing.item.slack_id, hearing.entry(matter, "ok")
    if press == RUN:
        return await tx.schedule.ask(job.name, by=who, entry=entry)
    if press == PAUSE:
        return await tx.schedule.pause(job.name, by=who, entry=entry)
    return await tx.schedule.resume(job.name, entry=entry)


async def _say(tx: Transaction, hearing: Hearing, said: Said, facts: dict[str, Json]) -> None:
    item = hearing.item
    left = {"code": said.value, "facts": facts}
    await tx.homes.change(item.slack_id, item.team_id, said=left)


def _allowed(name: str, press: str, *, may: bool) -> Job:
    job = schedule.named(name)
    if not may:
        raise JobNotManaged(f"{press} {name}")
    if job is None or press not in PRESSES:
        raise NoSuchJob(f"{press} {name}")
    if press == PAUSE and not job.pausable:
        raise JobNotPausable(job.name)
    return job


def told(states: Iterable[JobState], *, at: datetime, manages: bool) -> tuple[JobRow, ...]:
    """Return a row for every job; with its buttons for those who *manage* them."""
    return tuple(
        JobRow(row.job.name, facts(row), _presses(row) if manages else ())
        for row in schedule.shown(states, at=at)
    )


def facts(row: JobShown) -> dict[str, Json]:
    """Return what is said of a job, as the catalogue takes it."""
    return {
        "job": row.job.name,
        "every": row.job.every.total_seconds(),
        "doing": row.doing.value,
        "at": row.started_at.isoformat() if row.started_at else "",
        "seconds": row.seconds,
        "failure": row.failure,
        "next_at": row.next_at.isoformat() if row.next_at else "",
        "paused_by": row.paused_by,
        "paused_at": row.paused_at.isoformat() if row.paused_at else "",
        "asked_by": row.asked_by,
        "pausable": row.job.pausable,
    }


def _presses(row: JobShown) -> tuple[str, ...]:
    run = () if row.asked_by else (RUN,)
    if row.paused_at is not None:
        return (*run, RESUME)
    return (*run, PAUSE) if row.job.pausable else run
