"""What people made of suggestions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.verdict.feedback import (
    Answer,
    Answered,
    answer,
    gone_back_by_hand,
    reason,
    tallies,
    tally,
)
from bot.domain.words import OutcomeCode
from store.records import AppEnv, Rollback, State, Version, VersionSource
from tests.builders import NOON, PROD, a_rollback, a_version

HOUR = timedelta(hours=1)
BILLING = AppEnv("billing", "prod")


def ended(state: State, outcome: str = "", **facts: str) -> Rollback:
    return a_rollback(state=state, outcome=outcome, outcome_facts=facts, finished_at=NOON)


def test_one_that_is_open_has_no_answer_yet() -> None:
    assert answer(a_rollback(), suggested="good") is None


@pytest.mark.parametrize(
    ("state", "outcome", "came"),
    [
        (State.COMPLETED, OutcomeCode.COMPLETED, Answer.ACCEPTED),
        (State.SUPERSEDED, OutcomeCode.ALREADY_LIVE, Answer.ACCEPTED),
        (State.REJECTED, OutcomeCode.REJECTED, Answer.REJECTED),
        (State.EXPIRED, OutcomeCode.EXPIRED, Answer.EXPIRED),
        (State.EXPIRED, OutcomeCode.NOT_STARTED, Answer.OTHERWISE),
        (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED, Answer.OTHERWISE),
        (State.FAILED, OutcomeCode.TARGET_DOWN, Answer.OTHERWISE),
    ],
)
def test_how_it_ended_is_the_answer(state: State, outcome: str, came: Answer) -> None:
    assert answer(ended(state, outcome), suggested="good") is came


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.SUPERSEDED, OutcomeCode.OTHER_VERSION),
        (State.EXPIRED, OutcomeCode.EXPIRED),
        (State.WITHDRAWN, OutcomeCode.WITHDRAWN),
    ],
)
def test_what_people_went_back_to_themselves_is_their_answer(state: State, outcome: str) -> None:
    came = ended(state, outcome)

    assert answer(came, suggested="good", picked="older") is Answer.OTHER_VERSION
    assert answer(came, suggested="good", picked="good") is Answer.ACCEPTED


def test_a_rejection_stays_one_whatever_people_did_then() -> None:
    rejected = ended(State.REJECTED, OutcomeCode.REJECTED, reason="provider was down")

    assert answer(rejected, suggested="good", picked="older") is Answer.REJECTED
    assert reason(rejected) == "provider was down"
    assert reason(ended(State.EXPIRED, OutcomeCode.EXPIRED, reason="no")) == ""


# -- Going back by hand -------------------------------------------------------------------------


def published(number: int, meaning: str, **changes: object) -> Version:
    at = NOON + number * HOUR
    return a_version(id=number, number=number, meaning=meaning, published_at=at, **changes)


def by_hand(*history: Version, since: int = 2, until: int = 9) -> int | None:
    found = gone_back_by_hand(history, since=NOON + since * HOUR, until=NOON + until * HOUR)
    return found.number if found else None


def test_a_publish_that_brings_an_older_content_back_is_a_return() -> None:
    good, bad, back = published(1, "good"), published(2, "bad"), published(3, "good")

    assert by_hand(back, good, bad) == 3
    assert by_hand(good, bad, back, since=3) is None
    assert by_hand(good, bad, back, until=2) is None


def test_neither_something_new_nor_the_same_again_nor_a_rollback_of_ours_is_a_return() -> None:
    good, bad = published(1, "good"), published(2, "bad")

    assert by_hand(good, bad, published(3, "new")) is None
    assert by_hand(good, bad, published(3, "bad")) is None
    assert by_hand(good, bad, published(3, "good", source=VersionSource.ROLLBACK)) is None


# -- Counting -----------------------------------------------------------------------------------


def test_the_share_is_over_those_to_which_people_said_something() -> None:
    given = [*[Answer.ACCEPTED] * 3, Answer.REJECTED, Answer.OTHER_VERSION, *list(Answer)[3:]]

    counted = tally(Answered(PROD, "Errors", NOON, one) for one in given)

    assert (counted.accepted.right, counted.accepted.all) == (3, 5)
    assert counted.accepted.interval is not None
    assert (counted.of[Answer.EXPIRED], counted.of[Answer.MISSED]) == (1, 1)


def test_counts_stand_under_their_names() -> None:
    told = [
        Answered(PROD, "Errors", NOON, Answer.REJECTED),
        Answered(BILLING, "Errors", NOON, Answer.ACCEPTED),
        Answered(BILLING, "", NOON, Answer.EXPIRED),
    ]

    by_alert = tallies(told, lambda one: one.alert)
    by_app = tallies(told, lambda one: str(one.where))

    assert list(by_alert) == ["", "Errors"]
    assert (by_alert["Errors"].accepted.right, by_alert["Errors"].accepted.all) == (1, 2)
    assert by_app["billing@prod"].of == {Answer.ACCEPTED: 1, Answer.EXPIRED: 1}
    assert by_alert[""].accepted.share is None
