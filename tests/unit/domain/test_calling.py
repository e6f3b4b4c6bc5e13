"""Whom a direct message calls, and when it may reach them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.calling import Call, Manner, Told, called, told
from bot.domain.policy import Policy
from bot.domain.windows import windows
from store.records import State
from tests.builders import ALICE, BOB, CAROL, DAVE, a_rollback, a_vote

NIGHT = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)  # half past eleven at night in Berlin
SLEEPING = Manner(quiet=windows(["22:00-07:00"], ZoneInfo("UTC")))
POLICY = Policy(reviewers=(ALICE,), each_of=(BOB,), backups=(CAROL, ALICE), named=True)


def wait(
    manner: Manner,
    *codes: Call,
    tz: str = "Europe/Berlin",
    ago: timedelta | None = None,
    at: datetime = NIGHT,
) -> timedelta:
    return manner.wait(codes, told_at=at - ago if ago is not None else None, tz=tz, at=at)


def test_at_first_those_are_called_who_are_no_backups_and_these_when_it_is_escalated() -> None:
    rules = POLICY.snapshot()

    assert called(rules, Call.ASKED) == (BOB,)
    assert called(rules, Call.REMINDER) == (BOB,)
    assert called(rules, Call.ESCALATED) == (CAROL, ALICE)


def test_a_message_goes_at_once_where_nothing_stands_against_it() -> None:
    assert wait(Manner(), Call.ASKED) == timedelta()
    assert wait(Manner(), Call.ASKED, ago=timedelta(minutes=10)) == timedelta()


def test_nobody_gets_more_than_one_in_a_while() -> None:
    assert wait(Manner(), Call.ASKED, ago=timedelta(minutes=4)) == timedelta(minutes=6)
    assert wait(Manner(), Call.ESCALATED, ago=timedelta(minutes=4)) == timedelta(minutes=6)


@pytest.mark.parametrize(
    ("tz", "hours"),
    [("Europe/Berlin", 7.5), ("America/New_York", 0), ("Asia/Tokyo", 0), ("UTC", 8.5)],
)
def test_nobody_is_woken_by_their_own_clock(tz: str, hours: float) -> None:
    assert wait(SLEEPING, Call.ASKED, tz=tz) == timedelta(hours=hours)
    assert wait(SLEEPING, Call.ASKED, Call.REMINDER, tz=tz) == timedelta(hours=hours)


@pytest.mark.parametrize("tz", ["", "no/where", "../etc/passwd", "\0"])
def test_of_whom_no_clock_is_known_the_clock_is_utc(tz: str) -> None:
    assert wait(SLEEPING, Call.ASKED, tz=tz) == timedelta(hours=8.5)


def test_an_escalation_wakes_people() -> None:
    assert wait(SLEEPING, Call.ASKED, Call.ESCALATED) == timedelta()


def test_how_it_stands_is_said_for_each_person() -> None:
    waiting = a_rollback(votes=(a_vote(ALICE),))

    assert told(waiting, ALICE) is Told.VOTED
    assert told(waiting, BOB) is Told.WAITS
    taken_back = replace(a_vote(DAVE), voided_at=NIGHT)
    assert told(replace(waiting, votes=(taken_back,)), DAVE) is Told.WAITS
    assert told(replace(waiting, state=State.EXECUTING), BOB) is Told.APPROVED
    assert told(replace(waiting, state=State.EXPIRED), BOB) is Told.OVER
