"""What a drill is, what it goes back to, and how it is said to have gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import drill, marker
from store.records import Execution, FiringStatus, Recovery, RecoveryState, State, Version
from tests.builders import (
    ALICE,
    BOB,
    DAVE,
    NOON,
    PROD,
    a_case,
    a_firing,
    a_rollback,
    a_version,
    a_vote,
)

SECOND = timedelta(seconds=1)


def the_alert(**changes: Any) -> Any:
    (firing,) = drill.begun(PROD, by=DAVE, at=NOON).firings
    return replace(firing, **changes)


def versions(*meanings: str) -> list[Version]:
    """Versions of these meanings, given oldest first and returned newest first."""
    return [
        a_version(number=number, id=100 + number, meaning=meaning)
        for number, meaning in enumerate(meanings, start=1)
    ][::-1]


# -- its alert ------------------------------------------------------------------------------------


def test_its_alert_names_itself_the_app_and_who_asked_for_it() -> None:
    firing = the_alert()

    assert (firing.source, firing.alertname, firing.where) == ("drill", "KeyturnDrill", PROD)
    assert (firing.starts_at, firing.status) == (NOON, FiringStatus.FIRING)
    assert drill.asked_by([firing]) == DAVE


def test_two_drills_are_two_alerts_and_an_end_is_of_its_own_beginning() -> None:
    first, second = (drill.begun(PROD, by=DAVE, at=NOON + n * SECOND) for n in (0, 1))
    over = drill.ended(first.firings[0], at=NOON + SECOND)

    assert first.firings[0].fingerprint != second.firings[0].fingerprint
    assert len({first.digest, second.digest, over.digest}) == 3
    assert over.firings[0].fingerprint == first.firings[0].fingerprint
    assert (over.firings[0].status, over.firings[0].ends_at) == (
        FiringStatus.RESOLVED,
        NOON + SECOND,
    )


def test_an_alert_that_only_has_its_name_is_real() -> None:
    named = a_firing(labels={"alertname": drill.ALERT, "app": PROD.app, "env": PROD.env})

    assert not drill.is_one(named)
    assert drill.practised([the_alert()])
    assert not drill.practised([the_alert(), named])
    assert not drill.practised([])


def test_a_drill_is_about_its_own_alert_and_a_real_rollback_about_real_ones() -> None:
    ours, real = the_alert(), a_firing()

    assert drill.about(a_rollback(drill=True), [ours, real]) == [ours]
    assert drill.about(a_rollback(), [ours, real]) == [real]


# -- what is gone back to -------------------------------------------------------------------------


def test_the_newest_version_with_another_meaning_is_gone_back_to() -> None:
    history = versions("a", "b", "c", "c")

    found = drill.candidate(history, history[0], passed_over=())

    assert found is not None
    assert found.number == 2


def test_two_drills_go_there_and_back() -> None:
    history = versions("a", "b")
    there = drill.candidate(history, history[0], passed_over=())
    assert there is not None
    assert there.meaning == "a"

    history = versions("a", "b", "a")
    back = drill.candidate(history, history[0], passed_over=())
    assert back is not None
    assert back.meaning == "b"


def test_what_is_condemned_is_passed_over_and_then_there_may_be_nothing() -> None:
    history = versions("a", "b", "c")

    found = drill.candidate(history, history[0], passed_over={"b"})
    assert found is not None
    assert found.meaning == "a"
    assert drill.candidate(history, history[0], passed_over={"a", "b"}) is None


# -- how it went ----------------------------------------------------------------------------------


def ran(**changes: Any) -> Any:
    """A drill whose card came after 1 s, second approval after 10 s, verified after 3 s more."""
    execution = Execution(clicked_at=NOON + 11 * SECOND, verified_at=NOON + 14 * SECOND)
    recovery = Recovery(RecoveryState.RECOVERED, 5, since=NOON + 16 * SECOND, by="alert")
    facts: dict[str, Any] = {
        "drill": True,
        "state": State.COMPLETED,
        "outcome": "completed",
        "opened_at": NOON + SECOND,
        "execution": execution,
        "recovery": recovery,
        "votes": (a_vote(ALICE), a_vote(BOB)),
    }
    return a_rollback(**{**facts, **changes})


def told(rollback: Any, *, after: float) -> dict[str, Any]:
    return drill.report(rollback, a_case(), [the_alert()], at=NOON + after * SECOND)


def test_a_drill_that_went_through_says_how_long_each_part_took() -> None:
    said = told(ran(), after=200)

    assert said["parts"] == [
        {"part": "suggest", "seconds": 1.0},
        {"part": "approve", "seconds": 10.0},
        {"part": "execute", "seconds": 3.0},
        {"part": "recover", "seconds": 2.0},
    ]
    assert (said["stop"], said["waited"], said["total"]) == ("", 0.0, 16.0)


@pytest.mark.parametrize("outcome", ["rejected", "expired", "drill_gave_way", "no_drill_app"])
def test_a_drill_that_nobody_approved_enough_stops_at_the_approvals(outcome: str) -> None:
    rollback = ran(
        state=State.EXPIRED, outcome=outcome, execution=Execution(), recovery=None, votes=()
    )

    said = told(rollback, after=1801)

    assert (said["stop"], said["outcome"]) == ("approval", outcome)
    assert (said["waited"], said["total"]) == (1800.0, 1801.0)
    assert [one["part"] for one in said["parts"]] == ["suggest"]


def test_a_drill_that_failed_stops_at_the_execution() -> None:
    rollback = ran(
        state=State.FAILED,
        outcome="target_down",
        execution=Execution(clicked_at=NOON + 11 * SECOND),
        recovery=None,
    )

    said = told(rollback, after=20)

    assert (said["stop"], said["outcome"], said["waited"]) == ("execution", "target_down", 9.0)


@pytest.mark.parametrize("state", [RecoveryState.NOT_RECOVERED, RecoveryState.UNKNOWN])
def test_a_drill_that_was_not_seen_to_recover_stops_there(state: RecoveryState) -> None:
    said = told(ran(recovery=Recovery(state, 5)), after=900)

    assert (said["stop"], said["outcome"], said["waited"]) == ("recovery", state.value, 0.0)


def test_a_drill_in_which_nothing_was_suggested_says_what_was_found() -> None:
    said = drill.report(None, a_case(), [the_alert()], at=NOON + 4 * SECOND)

    assert (said["stop"], said["parts"], said["total"]) == ("suggestion", [], 4.0)


def test_a_version_that_a_person_picked_was_suggested_all_the_same() -> None:
    said = told(ran(requested_by=DAVE), after=20)

    assert said["parts"][0] == {"part": "suggest", "seconds": 1.0}
    assert said["total"] == 16.0


def test_the_target_reads_in_its_history_that_it_was_a_drill() -> None:
    rollback = ran(id=17, nonce="0f" * 16)

    assert marker.comment_of(rollback, to_number=6).startswith("Keyturn drill: back to version 6")
    assert marker.rollback_id_in(marker.name_of(rollback)) == 17
