"""When people are called again, and who."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain import reminders
from bot.domain.words import NoteCode
from store.records import Rollback, State
from tests.builders import ALICE, BOB, NOON, REVIEWERS, a_policy, a_rollback, a_vote

BACKUPS = ("S0BACKUPS",)


def waiting(**policy: object) -> Rollback:
    facts = {"remind_after_s": 600, "escalate_after_s": 1200, "backups": BACKUPS}
    return a_rollback(policy=a_policy(**{**facts, **policy}))


@pytest.mark.parametrize(
    ("minutes", "code"),
    [
        (9, None),
        (10, NoteCode.REMINDER),
        (19, NoteCode.REMINDER),
        (20, NoteCode.ESCALATED),
        (29, NoteCode.ESCALATED),
        (30, None),  # it expires
    ],
)
def test_first_a_reminder_then_the_backups(minutes: int, code: NoteCode | None) -> None:
    assert reminders.due(waiting(), at=NOON + timedelta(minutes=minutes)) is code


def test_without_backups_the_reminder_stays_the_newest_call() -> None:
    at = NOON + timedelta(minutes=25)

    assert reminders.due(waiting(backups=()), at=at) is NoteCode.REMINDER


def test_what_an_older_release_opened_calls_nobody() -> None:
    at = NOON + timedelta(minutes=25)

    assert reminders.due(waiting(remind_after_s=0, escalate_after_s=0), at=at) is None


@pytest.mark.parametrize("state", [s for s in State if s is not State.PENDING_APPROVAL])
def test_only_what_waits_for_votes_calls_anybody(state: State) -> None:
    at = NOON + timedelta(minutes=15)

    assert reminders.due(a_rollback(state=state, policy=waiting().policy), at=at) is None


def test_nobody_is_called_where_nobody_may_vote() -> None:
    at = NOON + timedelta(minutes=15)

    assert reminders.due(waiting(named=False), at=at) is None
    assert reminders.due(waiting(reviewers=(), backups=()), at=at) is None


def test_who_has_voted_is_not_called_and_backups_only_later() -> None:
    policy = a_policy(reviewers=(REVIEWERS, ALICE, BOB), backups=BACKUPS)
    rollback = a_rollback(policy=policy, votes=(a_vote(ALICE),))

    reminder = reminders.facts(rollback, NoteCode.REMINDER)
    escalated = reminders.facts(rollback, NoteCode.ESCALATED)

    assert reminder["voters"] == [REVIEWERS, BOB]
    assert (reminder["count"], reminder["needed"]) == (1, 2)
    assert escalated["voters"] == [*BACKUPS]
