"""Which jobs run by the clock, how often, and which of them a person may stop for a while."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from store.records import JobState

TOO_LONG: Final = timedelta(minutes=5)  # whoever runs one for longer may be gone
_UNKNOWN: Final = JobState("")


@dataclass(frozen=True)
class Job:
    """A job of the clock.

    `pausable` is false for what a promise rests on: without it a rollback could be approved after
    its time, a card would say that it is still watched, or a case would never end.
    """

    name: str
    every: timedelta
    pausable: bool


SNAPSHOT: Final = Job("snapshot", timedelta(seconds=30), pausable=True)
CLOSER: Final = Job("closer", timedelta(minutes=15), pausable=True)  # two calls an app
EXPIRE: Final = Job("expire", timedelta(seconds=10), pausable=False)
CLOSE: Final = Job("close", timedelta(seconds=10), pausable=False)
REMIND: Final = Job("remind", timedelta(seconds=10), pausable=True)
REMIND_REVIEWS: Final = Job("remind-reviews", timedelta(seconds=10), pausable=True)
RECOVER: Final = Job("recover", timedelta(seconds=15), pausable=False)  # one look back each
PRUNE: Final = Job("prune", timedelta(hours=6), pausable=True)
JOBS: Final = (SNAPSHOT, CLOSER, REMIND, REMIND_REVIEWS, PRUNE, EXPIRE, CLOSE, RECOVER)


class Doing(StrEnum):
    """How the newest run of a job stands."""

    NEVER = "never"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"
    UNFINISHED = "unfinished"  # it runs for very long, or whoever ran it is gone


@dataclass(frozen=True)
class JobShown:
    """A job as people are told of it; `next_at` is None while none is to come or one is due."""

    job: Job
    doing: Doing
    started_at: datetime | None
    seconds: float
    failure: str
    next_at: datetime | None
    paused_by: str
    paused_at: datetime | None
    asked_by: str


def named(name: str) -> Job | None:
    """Return the job called *name*; None if there is none."""
    return next((job for job in JOBS if job.name == name), None)


def shown(states: Iterable[JobState], *, at: datetime) -> list[JobShown]:
    """Return every job as it stands at *at*."""
    known = {state.name: state for state in states}
    return [_shown(job, known.get(job.name, _UNKNOWN), at) for job in JOBS]


def _shown(job: Job, state: JobState, at: datetime) -> JobShown:
    started, finished = state.started_at, state.finished_at
    coming = started + job.every if started is not None and not state.paused else None
    return JobShown(
        job=job,
        doing=_doing(state, at),
        started_at=started,
        seconds=max((finished - started).total_seconds(), 0.0) if started and finished else 0.0,
        failure=state.failure,
        next_at=coming if coming is not None and coming > at else None,
        paused_by=state.paused_by,
        paused_at=state.paused_at,
        asked_by=state.asked_by,
    )


def _doing(state: JobState, at: datetime) -> Doing:
    if state.started_at is None:
        return Doing.NEVER
    if state.finished_at is None:
        return Doing.RUNNING if at - state.started_at < TOO_LONG else Doing.UNFINISHED
    return Doing.FAILED if state.failure else Doing.ENDED
