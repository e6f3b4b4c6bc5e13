"""Whether a rollback helped: by the alert, in time, and how the watch ends."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.domain import recovery
from bot.domain.recovery import QUIET, Seen, Verdict, Why, by_alert, concluded
from store.records import Execution, Firing, FiringStatus, Recovery, RecoveryState, State
from tests.builders import DAVE, NOON, a_finding, a_firing, a_rollback

LATER = NOON + timedelta(minutes=10)
WATCHED = Recovery(RecoveryState.WATCHED, case_id=5)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def ended(minutes: float, *, began: float = -5) -> Firing:
    end = at(minutes)
    return a_firing(starts_at=at(began), status=FiringStatus.RESOLVED, ends_at=end)


def seen(*firings: Firing, now: float = 10) -> Verdict:
    return by_alert(firings, acted_at=NOON, now=at(now))


# -- the alert alone -------------------------------------------------------------------------------


def test_an_alert_that_stays_resolved_is_recovery_from_its_end_on() -> None:
    assert seen(ended(2)) == Verdict(Seen.RECOVERED, since=at(2), by="alert")


def test_it_has_to_stay_resolved_for_a_while() -> None:
    assert seen(ended(8)).seen is Seen.SETTLING
    assert seen(ended(10 - QUIET.total_seconds() / 60)).seen is Seen.RECOVERED


def test_an_alert_that_fires_again_was_never_away() -> None:
    again = a_firing(starts_at=at(2.1))

    assert seen(ended(2), again).seen is Seen.NOT_YET
    assert seen(ended(2), ended(6, began=2.1)).since == at(6)


def test_all_alerts_have_to_be_over() -> None:
    assert seen(ended(2), a_firing(fingerprint="other")).seen is Seen.NOT_YET


def test_what_was_over_before_the_rollback_began_is_not_its_doing() -> None:
    assert seen(ended(-1)) == Verdict(Seen.UNKNOWN, by="alert", why=Why.OVER_BEFORE)


def test_nothing_later_than_now_is_looked_at() -> None:
    assert seen(ended(2), a_firing(starts_at=at(20))).seen is Seen.RECOVERED
    assert seen(ended(12)).seen is Seen.NOT_YET


def test_without_an_alert_nobody_knows() -> None:
    assert seen().why is Why.NO_DATA


# -- the end ---------------------------------------------------------------------------------------

GOOD = Verdict(Seen.RECOVERED, since=LATER, by="alert")


def test_what_recovered_ends_the_watch_at_once_whatever_came_after() -> None:
    expected = Recovery(RecoveryState.RECOVERED, 5, since=LATER, by="alert")

    assert concluded(GOOD, WATCHED, over=False, changed=False) == expected
    assert concluded(GOOD, WATCHED, over=True, changed=True) == expected


@pytest.mark.parametrize("sight", [Seen.NOT_YET, Seen.UNKNOWN, Seen.SETTLING])
def test_before_the_bake_time_is_over_it_is_watched_on(sight: Seen) -> None:
    assert concluded(Verdict(sight), WATCHED, over=False, changed=False) is None


def test_after_the_bake_time_what_is_bad_has_not_recovered() -> None:
    found = concluded(Verdict(Seen.NOT_YET), WATCHED, over=True, changed=False)

    assert found == Recovery(RecoveryState.NOT_RECOVERED, 5, by="metric")


def test_after_the_bake_time_nobody_knows_without_data() -> None:
    found = concluded(recovery.UNREADABLE, WATCHED, over=True, changed=False)

    assert found == Recovery(RecoveryState.UNKNOWN, 5, why="no_data")


def test_what_turned_good_at_the_end_gets_the_time_that_it_needs() -> None:
    assert concluded(Verdict(Seen.SETTLING), WATCHED, over=True, changed=False) is None


def test_once_something_else_is_live_nobody_will_know() -> None:
    found = concluded(Verdict(Seen.NOT_YET), WATCHED, over=False, changed=True)

    assert found == recovery.stopped(WATCHED) == Recovery(RecoveryState.UNKNOWN, 5, why="changed")


# -- times -----------------------------------------------------------------------------------------

DONE = a_rollback(
    state=State.COMPLETED,
    execution=Execution(clicked_at=at(3), verified_at=at(3.1)),
    opened_at=at(0.5),
    recovery=Recovery(RecoveryState.RECOVERED, 5, since=at(5), by="metric"),
)


def test_the_steps_are_counted_from_the_first_firing() -> None:
    assert recovery.times(DONE, at(-1), at(5)) == {
        "seconds_to_suggested": 90.0,
        "seconds_to_quorum": 240.0,
        "seconds_to_verified": 246.0,
        "seconds_to_recovered": 360.0,
    }


def test_what_a_person_asked_for_was_not_suggested_and_what_is_bad_not_recovered() -> None:
    asked = a_rollback(requested_by=DAVE, execution=Execution(clicked_at=at(3)))

    assert recovery.times(asked, at(-1), None) == {"seconds_to_quorum": 240.0}


def test_recovery_is_counted_from_verified_live_and_never_below_nothing() -> None:
    assert recovery.seconds_to_recovered(DONE) == pytest.approx(114.0)
    early = Recovery(RecoveryState.RECOVERED, 5, since=at(3), by="alert")
    assert recovery.seconds_to_recovered(a_rollback(recovery=early, execution=DONE.execution)) == 0
    assert recovery.seconds_to_recovered(a_rollback(recovery=WATCHED)) is None


def test_the_trouble_began_with_the_first_alert_since_its_onset() -> None:
    old, mine = a_firing(id=1, starts_at=at(-600)), a_firing(id=2, starts_at=at(-5))

    assert recovery.meant([old, mine], a_finding(onset_from=at(-9))) == mine
    assert recovery.meant([old, mine], None) == old
    assert recovery.meant([old], a_finding(onset_from=at(-9))) == old
