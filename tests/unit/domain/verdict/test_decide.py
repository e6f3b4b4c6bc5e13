"""Which change did it, which version is good, and when nothing is suggested."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.verdict.belief import Beliefs, Thresholds
from bot.domain.verdict.decide import Decision, Verdict, decide
from bot.domain.verdict.incident import Alert, App, Metric
from bot.domain.verdict.line import value
from bot.domain.verdict.onset import Source
from tests.builders import NOON, PROD
from tests.unit.domain.verdict.stage import (
    BILLING,
    MINUTES,
    SEARCH,
    Stage,
    a_change,
    an_alert,
    errors_jump,
    growing,
    measured,
    series,
)

CALM = {PROD: [measured(Metric.LOAD, 10.0, seed=2)]}


@pytest.fixture
def stage() -> Stage:
    """A good version of yesterday, a bad one a minute before the errors jumped."""
    return Stage(
        changes=[a_change(1, 1500), a_change(2, 7)],
        series={PROD: [errors_jump(), *CALM[PROD]]},
    )


def back_to(decision: Decision) -> int | None:
    return decision.suggested.number if decision.suggested else None


def test_a_change_right_before_the_metric_turned_did_it(stage: Stage) -> None:
    decision = stage.decide()

    assert (decision.verdict, back_to(decision)) == (Verdict.GO_BACK, 1)
    assert decision.confidence > 0.95
    began, ended = decision.onset.began
    assert began <= (NOON - timedelta(minutes=6)).timestamp() <= ended + 60
    assert decision.onset.source is Source.METRIC


def test_a_later_change_is_innocent_and_the_target_lies_before_the_culprit(stage: Stage) -> None:
    stage.changes.append(a_change(3, 2))

    decision = stage.decide()

    assert decision.suspect is not None
    assert (decision.suspect.change.number, back_to(decision)) == (2, 1)


def test_what_was_bad_before_the_change_predates_it(stage: Stage) -> None:
    stage.changes = [a_change(1, 1500), a_change(2, 3)]

    assert stage.decide().verdict is Verdict.PREDATES


def test_a_step_long_after_the_change_comes_from_outside(stage: Stage) -> None:
    stage.changes = [a_change(1, 1500), a_change(2, 200)]

    assert stage.decide().verdict is Verdict.OUTSIDE


def test_moved_boxes_and_the_same_meaning_are_no_change(stage: Stage) -> None:
    stage.changes = [
        a_change(1, 1500, "a"),
        a_change(2, 300, "b"),
        a_change(3, 8, "b"),
        replace(a_change(4, 7, "c"), kinds=frozenset({"layout only"})),
    ]

    assert stage.decide().verdict is Verdict.OUTSIDE


def test_load_that_grew_with_the_latency_is_nobodys_change(stage: Stage) -> None:
    stage.changes = [a_change(1, 1500), a_change(2, 20)]
    stage.series = {
        PROD: [
            measured(Metric.LATENCY, 2.0, {6: 9.0}),
            measured(Metric.LOAD, 10.0, {7: 45.0}, seed=2),
        ]
    }

    assert stage.decide().verdict is Verdict.LOAD


def test_apps_of_one_outside_service_that_turn_together_are_its_outage(stage: Stage) -> None:
    stage.apps = {
        name: App(name, upstreams=("openai",)) for name in (PROD.app, SEARCH.app, BILLING.app)
    }
    for seed, where in enumerate((SEARCH, BILLING), start=3):
        stage.series[where] = [errors_jump(seed=seed)]

    decision = stage.decide()

    assert (decision.verdict, decision.name) == (Verdict.UPSTREAM, "openai")


def test_an_outage_that_nobody_else_feels_is_not_claimed(stage: Stage) -> None:
    stage.apps = {PROD.app: App(PROD.app, upstreams=("openai",))}
    stage.changes = stage.changes[:1]

    assert stage.decide().verdict is Verdict.NO_CHANGE


def test_a_change_in_an_app_behind_it_is_gone_back_from_there(stage: Stage) -> None:
    stage.apps = {PROD.app: App(PROD.app, (SEARCH.app,)), SEARCH.app: App(SEARCH.app)}
    stage.changes = [a_change(1, 1500), a_change(4, 900, "", SEARCH), a_change(5, 7, "", SEARCH)]
    stage.series[SEARCH] = [errors_jump(seed=5)]

    decision = stage.decide()

    assert decision.suggested == stage.changes[1]
    assert decision.suspect is not None
    assert decision.suspect.hops == 1


def test_a_change_in_an_app_that_it_does_not_call_is_no_suspect(stage: Stage) -> None:
    stage.apps = {PROD.app: App(PROD.app), SEARCH.app: App(SEARCH.app)}
    stage.changes = [a_change(1, 1500), a_change(5, 7, "", SEARCH)]

    assert stage.decide().suspect is None


def test_a_slow_rise_hours_after_a_change_is_its_leak(stage: Stage) -> None:
    stage.changes = [a_change(1, 5000), a_change(2, 150)]
    stage.series[PROD][0] = growing(Metric.LATENCY, 2.0, 40, 6.0)

    decision = stage.decide()

    assert back_to(decision) == 1
    assert decision.onset.slow > 0.9


def test_a_slow_rise_without_a_change_is_said_to_be_one(stage: Stage) -> None:
    stage.changes = [a_change(1, 5000), a_change(2, 2000)]
    stage.series[PROD][0] = growing(Metric.LATENCY, 2.0, 40, 6.0)

    assert stage.decide().verdict is Verdict.SLOW_DRIFT


def test_an_alert_that_comes_and_goes_by_itself_is_not_about_the_last_change(
    stage: Stage,
) -> None:
    shape: dict[float, float]
    shape = {at: level for n in range(7) for at, level in ((30 * n + 5, 0.2), (30 * n, 0.01))}
    stage.series[PROD][0] = measured(Metric.ERRORS, 0.01, shape)

    decision = stage.decide()

    assert decision.verdict is Verdict.FLAPPING
    assert len(decision.onset.past.alone) >= 3


def test_a_start_that_a_restart_reset_does_not_hide_the_older_onset(stage: Stage) -> None:
    stage.changes = [a_change(1, 1500), a_change(2, 181), a_change(3, 7)]
    stage.series[PROD][0] = errors_jump(180)

    decision = stage.decide()

    assert decision.suspect is not None
    assert decision.suspect.change.number == 2


def test_what_was_gone_back_from_is_suspected_at_once_when_it_comes_again(stage: Stage) -> None:
    stage.changes = [
        *(a_change(1, 1500, "good"), a_change(2, 300, "bad"), a_change(3, 294, "good")),
        *(a_change(4, 7, "bad"),),
    ]
    stage.series[PROD][0] = measured(Metric.ERRORS, 0.01, {299: 0.2, 293: 0.01, 6: 0.2})

    decision = stage.decide()

    assert decision.suspect is not None
    assert decision.suspect.again
    assert decision.suggested == stage.changes[2]


def test_a_condemned_content_is_never_the_target(stage: Stage) -> None:
    stage.changes.insert(1, a_change(2, 600, "condemned"))
    stage.changes[2] = a_change(3, 7)

    decision = stage.decide(condemned={PROD: frozenset({"condemned"})})

    assert back_to(decision) == 1


def test_without_a_sound_version_the_suspect_is_named_and_nothing_suggested(
    stage: Stage,
) -> None:
    decision = stage.decide(condemned={PROD: frozenset({stage.changes[0].content})})

    assert (decision.verdict, decision.target) == (Verdict.NO_SOUND_VERSION, None)
    assert decision.suspect is not None


def test_where_people_went_back_already_nothing_is_suggested(stage: Stage) -> None:
    stage.changes.append(a_change(3, 1, stage.changes[0].content))

    decision = stage.decide()

    assert (decision.verdict, decision.suggested) == (Verdict.WENT_BACK, None)


def test_an_app_without_history_gets_no_suggestion(stage: Stage) -> None:
    assert stage.decide(changes=[]).verdict is Verdict.NO_HISTORY


def test_a_change_that_nobody_published_may_have_been_there_before_it_was_noticed(
    stage: Stage,
) -> None:
    noticed = replace(a_change(2, 2), late=timedelta(minutes=10))
    published = a_change(2, 2)

    assert stage.decide(changes=[stage.changes[0], published]).suggested is None
    assert stage.decide(changes=[stage.changes[0], noticed]).suggested == stage.changes[0]


# -- without measurements -----------------------------------------------------------------------


def test_by_times_alone_a_change_right_before_the_alert_is_suggested(stage: Stage) -> None:
    decision = stage.decide(series={}, changes=[a_change(1, 1500), a_change(2, 5)])

    assert back_to(decision) == 1
    assert decision.onset.source is Source.STARTS_AT


def test_by_times_alone_two_changes_are_not_told_apart(stage: Stage) -> None:
    changes = [a_change(1, 1500), a_change(2, 5), a_change(3, 4)]

    assert stage.decide(series={}, changes=changes).verdict is Verdict.TWO_CHANGES


def test_by_times_alone_an_older_start_of_the_same_alert_counts(stage: Stage) -> None:
    before = an_alert(60, lasts=58)
    changes = [a_change(1, 1500), a_change(2, 64), a_change(3, 5)]

    decision = stage.decide(series={}, changes=changes, alerts=[before])

    assert decision.onset.source is Source.ALERTS
    assert decision.suspect is not None
    assert decision.suspect.change.number == 2


def test_the_rule_s_own_wait_moves_the_onset(stage: Stage) -> None:
    changes = [a_change(1, 1500), a_change(2, 31)]

    known = stage.decide(series={}, changes=changes, waited=timedelta(minutes=30))
    unknown = stage.decide(series={}, changes=changes)

    assert (back_to(known), back_to(unknown)) == (1, None)


def test_apps_that_alarm_together_are_seen_without_measurements(stage: Stage) -> None:
    stage.apps = {
        name: App(name, upstreams=("openai",)) for name in (PROD.app, SEARCH.app, BILLING.app)
    }
    alerts = [an_alert(1, where=SEARCH), an_alert(2, where=BILLING)]

    decision = stage.decide(series={}, alerts=alerts, changes=stage.changes[:1])

    assert (decision.verdict, decision.name) == (Verdict.UPSTREAM, "openai")


# -- what is odd --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        *([], [0.2], [float("nan")] * MINUTES, [0.0] * MINUTES, [1.0] * MINUTES),
        [float("nan")] * (MINUTES - 4) + [0.2] * 4,
        [-1.0, 2.0, float("inf")] * 40,
    ],
    ids=["none", "one", "gaps", "zeros", "ones", "gaps before", "out of range"],
)
def test_a_series_that_tells_nothing_leaves_the_alert_s_times(
    stage: Stage, values: list[float]
) -> None:
    decision = stage.decide(series={PROD: [series(Metric.ERRORS, values)]})

    assert decision.onset.source is Source.STARTS_AT


def test_gaps_and_another_step_do_not_hide_the_onset(stage: Stage) -> None:
    full = stage.series[PROD][0]
    values = [v if n % 3 else float("nan") for n, v in enumerate(full.values)]

    assert back_to(stage.decide(series={PROD: [replace(full, values=values)]})) == 1


def test_nothing_later_than_the_decision_is_looked_at(stage: Stage) -> None:
    stage.changes.append(a_change(3, -60))

    assert back_to(stage.decide()) == 1


def test_a_threshold_above_all_is_never_reached(stage: Stage) -> None:
    decision = decide(stage.incident, thresholds=Thresholds(sure=1.0))

    assert (decision.verdict, decision.suggested) == (Verdict.UNSURE, None)


def test_beliefs_decide_what_is_likely(stage: Stage) -> None:
    decision = decide(stage.incident, of=Beliefs(bad_change=1e-9))

    assert decision.suspect is None


def test_chances_of_all_explanations_are_one(stage: Stage) -> None:
    decision = stage.decide()

    assert sum(one.chance for one in decision.explanations) == pytest.approx(1.0)
    assert decision.explanations[0].chance == decision.confidence


def test_an_alert_of_another_name_is_another_trouble(stage: Stage) -> None:
    other = Alert(PROD, "Other", NOON - timedelta(hours=1), NOON - timedelta(minutes=2))
    changes = [a_change(1, 1500), a_change(2, 5)]

    decision = stage.decide(series={}, alerts=[other], changes=changes)

    assert decision.onset.source is Source.STARTS_AT


# -- what misled it once ------------------------------------------------------------------------


def test_what_the_alert_s_rule_measures_counts_however_old_its_turn_is(stage: Stage) -> None:
    stage.alert = an_alert(name="QueueTooLong")
    stage.changes = [a_change(1, 1500), a_change(2, 81), a_change(3, 6)]
    queue = replace(measured(Metric.OTHER, 5.0, {80: 60.0}), of_alert=True)
    stage.series = {PROD: [measured(Metric.ERRORS, 0.01), queue]}

    decision = stage.decide()

    assert decision.suspect is not None
    assert (decision.suspect.change.number, back_to(decision)) == (2, 1)


def test_one_firing_that_two_saw_at_slightly_other_times_is_one(stage: Stage) -> None:
    twice = [an_alert(60 * n + late, lasts=5) for n in (2, 4) for late in (0, 0.7)]

    decision = stage.decide(series={}, alerts=twice, changes=[a_change(1, 1500), a_change(2, 5)])

    assert len(decision.onset.past.alone) == 2
    assert decision.verdict is not Verdict.FLAPPING


def test_a_handful_of_requests_more_is_no_load_that_grew(stage: Stage) -> None:
    load = measured(Metric.LOAD, 0.005, {6: 0.05}, seed=2)
    stage.series = {PROD: [errors_jump(), load]}

    decision = stage.decide()

    assert (back_to(decision), decision.around.surge) == (1, None)


def test_no_cause_is_said_to_be_sure_that_only_shares_what_no_change_explains(
    stage: Stage,
) -> None:
    stage.changes = stage.changes[:1]

    decision = stage.decide()

    assert decision.verdict is Verdict.NO_CHANGE
    assert decision.confidence == pytest.approx(1.0)


def test_trouble_that_a_later_version_ended_needs_no_going_back(stage: Stage) -> None:
    stage.changes = [a_change(1, 1500), a_change(2, 61), a_change(3, 31)]
    stage.series[PROD][0] = measured(Metric.ERRORS, 0.01, {60: 0.25, 30: 0.01})
    stage.alert = an_alert(55, lasts=27)

    decision = stage.decide(decided_at=NOON)

    assert (decision.verdict, decision.suggested) == (Verdict.OVER, None)
    assert decision.suspect is not None
    assert decision.suspect.change.number == 2


def test_a_going_back_that_is_itself_the_trouble_condemns_nothing(stage: Stage) -> None:
    stage.changes = [a_change(1, 3000, "a"), a_change(2, 1200, "b"), a_change(3, 7, "a")]

    decision = stage.decide()

    assert (decision.verdict, back_to(decision)) == (Verdict.GO_BACK, 2)


def test_one_impossible_share_does_not_make_the_others_percent(stage: Stage) -> None:
    full = stage.series[PROD][0]
    values = [1.6 if n == 50 else value for n, value in enumerate(full.values)]

    assert back_to(stage.decide(series={PROD: [replace(full, values=values)]})) == 1


def test_errors_in_percent_are_read_as_such(stage: Stage) -> None:
    full = stage.series[PROD][0]
    values = [100 * value for value in full.values]

    assert back_to(stage.decide(series={PROD: [replace(full, values=values)]})) == 1


@pytest.mark.parametrize("latest", [1.0, 600.0, 1800.0])
def test_chances_stay_chances_however_short_the_look_back_is(stage: Stage, latest: float) -> None:
    decision = decide(stage.incident, of=Beliefs(latest=latest))

    assert all(0 <= one.chance <= 1 for one in decision.explanations)
    assert sum(one.chance for one in decision.explanations) == pytest.approx(1.0)


def test_a_rule_that_averages_over_long_may_be_late_by_that(stage: Stage) -> None:
    changes = [a_change(1, 1500), a_change(2, 21), a_change(3, 7.5)]
    known = {"waited": timedelta(minutes=5), "smeared": timedelta(minutes=15)}

    decision = stage.decide(series={}, changes=changes, **known)

    assert back_to(decision) == 1


# -- An alert that comes at once ----------------------------------------------------------------


@pytest.mark.parametrize("minutes", [1, 2, 3])
def test_load_that_grew_a_moment_ago_is_seen_beside_an_innocent_change(
    stage: Stage, minutes: int
) -> None:
    stage.alert = an_alert(name="HighLatency")
    stage.changes[1] = a_change(2, minutes + 3)
    stage.series[PROD] = [
        measured(Metric.LATENCY, 0.5, {minutes: 3.0}),
        measured(Metric.LOAD, 10.0, {minutes: 30.0}, seed=2),
    ]

    assert stage.decide().verdict is Verdict.LOAD


def test_one_sample_cannot_show_that_the_load_stayed_as_it_was(stage: Stage) -> None:
    stage.series[PROD][0] = errors_jump(1)

    assert stage.decide().around.surge is None


@pytest.mark.parametrize("minutes", [1, 2, 6])
def test_the_level_of_now_is_that_of_the_trouble_however_short_it_is(
    stage: Stage, minutes: int
) -> None:
    stage.changes[1] = a_change(2, minutes + 1)
    stage.series[PROD][0] = errors_jump(minutes)

    turn = stage.decide().onset.turn

    assert turn is not None
    assert value(Metric.ERRORS, turn.usual) == pytest.approx(0.01, abs=0.003)
    assert value(Metric.ERRORS, turn.now) == pytest.approx(0.25, abs=0.05)


def test_what_people_only_read_is_less_of_a_suspect(stage: Stage) -> None:
    said = replace(stage.changes[1], kinds=frozenset({"feature", "title"}))
    prompt = replace(stage.changes[1], kinds=frozenset({"feature", "prompt"}))

    harmless = stage.decide(changes=[stage.changes[0], said])
    risky = stage.decide(changes=[stage.changes[0], prompt])

    assert harmless.suspect is not None
    assert risky.suspect is not None
    assert harmless.suspect.bad == risky.suspect.bad / 2
