"""Jobs of the clock: what people are told of them, and which may be stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import schedule
from bot.domain.schedule import Doing, JobShown
from store.records import JobState
from tests.builders import NOON

BEGAN = NOON - timedelta(seconds=10)
RAN = JobState("snapshot", started_at=BEGAN, finished_at=BEGAN + timedelta(seconds=2))


def shown(state: JobState) -> JobShown:
    return next(row for row in schedule.shown([state], at=NOON) if row.job.name == state.name)


def test_what_a_promise_rests_on_is_never_paused() -> None:
    kept = {job.name for job in schedule.JOBS if not job.pausable}

    assert kept == {"expire", "close", "recover"}


def test_every_job_is_shown_also_one_that_never_ran() -> None:
    rows = schedule.shown([RAN], at=NOON)

    assert [row.job for row in rows] == list(schedule.JOBS)
    never = {row.job.name for row in rows if row.doing is Doing.NEVER}
    assert never == {job.name for job in schedule.JOBS} - {"snapshot"}


@pytest.mark.parametrize(
    ("changes", "doing"),
    [
        ({}, Doing.ENDED),
        ({"failure": "Unavailable"}, Doing.FAILED),
        ({"finished_at": None}, Doing.RUNNING),
        ({"finished_at": None, "started_at": NOON - timedelta(minutes=5)}, Doing.UNFINISHED),
    ],
)
def test_a_run_is_told_as_it_stands(changes: dict[str, object], doing: Doing) -> None:
    assert shown(replace(RAN, **changes)).doing is doing  # type: ignore[arg-type]


def test_a_run_that_ended_has_a_length_and_the_next_one_a_time() -> None:
    row = shown(RAN)

    assert (row.seconds, row.next_at) == (2.0, BEGAN + timedelta(seconds=30))


def test_of_what_is_paused_or_due_no_time_is_promised() -> None:
    late = replace(RAN, started_at=NOON - timedelta(minutes=2), finished_at=None)

    assert shown(replace(RAN, paused_by="U0ALICE1", paused_at=NOON)).next_at is None
    assert shown(late).next_at is None


def test_a_job_is_found_by_its_name() -> None:
    assert schedule.named("prune") is schedule.PRUNE
    assert schedule.named("deliver") is None
