"""How long each part of a rollback's way took."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.phases import Phase, phases
from store.records import Execution, Recovery, RecoveryState
from tests.builders import DAVE, NOON, a_rollback

SECOND = timedelta(seconds=1)
RAN = Execution(clicked_at=NOON + 90 * SECOND, verified_at=NOON + 97 * SECOND)


def test_each_part_begins_where_the_one_before_it_ended() -> None:
    recovered = Recovery(RecoveryState.RECOVERED, 5, since=NOON + 227 * SECOND)
    rollback = a_rollback(opened_at=NOON, execution=RAN, recovery=recovered)

    took = phases(rollback, NOON - 12 * SECOND)

    assert took == {
        Phase.SUGGEST: 12,
        Phase.APPROVE: 90,
        Phase.EXECUTE: 7,
        Phase.RECOVER: 130,
    }


def test_a_part_that_was_not_made_is_left_out() -> None:
    waiting = a_rollback(opened_at=NOON)
    failed = a_rollback(opened_at=NOON, execution=replace(RAN, verified_at=None))

    assert phases(waiting, NOON - SECOND) == {Phase.SUGGEST: 1}
    assert phases(failed, NOON - SECOND) == {Phase.SUGGEST: 1, Phase.APPROVE: 90}


def test_what_a_person_asked_for_was_not_suggested() -> None:
    asked = a_rollback(opened_at=NOON, requested_by=DAVE, execution=RAN)

    assert phases(asked, NOON - SECOND) == {Phase.APPROVE: 90, Phase.EXECUTE: 7}


def test_without_an_alert_nothing_was_suggested() -> None:
    assert phases(a_rollback(opened_at=NOON), None) == {}


def test_an_alertmanager_whose_clock_is_ahead_took_no_time() -> None:
    assert phases(a_rollback(opened_at=NOON), NOON + SECOND) == {Phase.SUGGEST: 0}
