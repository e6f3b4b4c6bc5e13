"""What a look-back brings; a real Prometheus and the fake agree about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.adapters.prometheus.questions import Templates
from bot.domain.verdict.incident import Alert, Metric, Series
from bot.ports.evidence import LookBack, Measured
from store.records import AppEnv, Firing
from tests.builders import a_firing
from tests.contract.measurements.conftest import (
    LIKE,
    ODD,
    SEARCH,
    TEMPLATES,
    TRIAGE,
    Asking,
)
from tests.contract.measurements.worlds import COUNT, MINUTE, SINCE, UNTIL


def an_alert(name: str = "HighErrorRate", **labels: str) -> Firing:
    facts = {"alertname": name, "app": "triage", "env": "prod", "instance": "a", **labels}
    return a_firing(labels=facts, starts_at=SINCE + 63 * MINUTE)


async def look(
    asking: LookBack, *places: AppEnv, alert: Firing | None = None, minutes: int = COUNT - 1
) -> Measured:
    since = UNTIL - minutes * MINUTE
    firing = alert or an_alert("NoSuchRule")
    return await asking(firing, places or (TRIAGE,), since=since, until=UNTIL)


def of(measured: Measured, where: AppEnv, metric: Metric) -> Series:
    (found,) = [series for series in measured.series[where] if series.metric is metric]
    return found


def gaps(values: Sequence[float]) -> list[int]:
    return [n for n, value in enumerate(values) if math.isnan(value)]


async def test_each_metric_of_a_place_is_a_series_with_a_value_for_each_moment(
    asking: Asking,
) -> None:
    measured = await look(asking())

    errors = of(measured, TRIAGE, Metric.ERRORS)
    assert (errors.began, errors.step, len(errors.values)) == (SINCE, MINUTE, COUNT)
    assert list(errors.values) == [0.01] * 60 + [0.2] * 60
    assert set(of(measured, TRIAGE, Metric.LOAD).values) == {10.0}
    assert measured.missing == {}


async def test_what_was_not_measured_or_is_no_number_is_not_a_number(asking: Asking) -> None:
    measured = await look(asking(), TRIAGE, SEARCH)

    assert gaps(of(measured, SEARCH, Metric.ERRORS).values) == list(range(10, 20))
    assert gaps(of(measured, TRIAGE, Metric.LATENCY).values) == list(range(5))
    assert gaps(of(measured, TRIAGE, Metric.OTHER).values) == [7]
    assert of(measured, TRIAGE, Metric.OTHER).values[8] == 8.0


async def test_series_of_different_places_have_the_same_moments(asking: Asking) -> None:
    measured = await look(asking(), TRIAGE, SEARCH, TRIAGE, minutes=10)

    found = [series for where in (TRIAGE, SEARCH) for series in measured.series[where]]
    assert {(s.began, s.step, len(s.values)) for s in found} == {
        (UNTIL - 10 * MINUTE, MINUTE, 11),
    }
    assert len(measured.series[TRIAGE]) == 4


@pytest.mark.parametrize("operator", ["=", "=~"])
async def test_a_name_means_itself_alone_whatever_it_holds(asking: Asking, operator: str) -> None:
    template = f'app_error_ratio{{app{operator}"$app",env{operator}"$env"}}'

    measured = await look(asking(replace(TEMPLATES, errors=template)), ODD, LIKE)

    assert set(of(measured, ODD, Metric.ERRORS).values) == {0.5}
    assert set(of(measured, LIKE, Metric.ERRORS).values) == {0.75}


async def test_of_several_series_none_is_taken_and_the_place_misses_it(asking: Asking) -> None:
    several = replace(TEMPLATES, load='app_load{app="$app"}')

    measured = await look(asking(several))

    assert Metric.LOAD not in {series.metric for series in measured.series[TRIAGE]}
    assert measured.missing == {TRIAGE: "load: 2 series, one is needed; aggregate with sum()"}


async def test_what_brings_nothing_is_left_out_without_a_word(asking: Asking) -> None:
    nothing = Templates(errors="no_such_metric", latency="nor_this", load="nor_that")

    measured = await look(asking(nothing), SEARCH)

    assert (measured.series, measured.missing) == ({}, {})


async def test_a_query_that_is_refused_takes_no_other_along(asking: Asking) -> None:
    broken = replace(TEMPLATES, latency='rate(app_latency_seconds{app="$app"})')

    measured = await look(asking(broken))

    assert "latency: Prometheus: HTTP 400 bad_data: " in measured.missing[TRIAGE]
    assert set(of(measured, TRIAGE, Metric.ERRORS).values) == {0.01, 0.2}


async def test_what_alerts_did_before_is_told_of_every_app_that_is_known(asking: Asking) -> None:
    measured = await look(asking())

    def spell(where: AppEnv, first: int, end: int | None) -> Alert:
        ends_at = None if end is None else SINCE + end * MINUTE
        return Alert(where, "HighErrorRate", SINCE + first * MINUTE, ends_at)

    assert measured.alerts == [
        spell(SEARCH, 0, 3),
        spell(TRIAGE, 30, 56),
        spell(TRIAGE, 63, None),
    ]


async def test_the_rule_behind_an_alert_tells_its_wait_and_what_it_measures(
    asking: Asking,
) -> None:
    nothing_else = Templates("no_such_metric", "no_such_metric", "no_such_metric")

    measured = await look(asking(nothing_else), alert=an_alert(severity="page"))

    assert measured.waited == timedelta(minutes=3)
    (series,) = measured.series[TRIAGE]
    assert series.metric is Metric.ERRORS
    assert list(series.values) == [0.01] * 60 + [0.2] * 60


async def test_a_rule_that_fires_on_little_is_measured_by_the_rest(asking: Asking) -> None:
    nothing_else = Templates("no_such_metric", "no_such_metric", "no_such_metric")

    measured = await look(asking(nothing_else), alert=an_alert("LittleSuccess"))

    (series,) = measured.series[TRIAGE]
    assert (series.metric, set(series.values)) == (Metric.ERRORS, {0.25})


async def test_rules_that_cannot_be_told_apart_tell_nothing(asking: Asking) -> None:
    measured = await look(asking(), alert=an_alert())

    assert measured.waited is None
    assert len(measured.series[TRIAGE]) == 4


async def test_of_an_expression_that_is_unsure_the_wait_alone_is_told(asking: Asking) -> None:
    measured = await look(asking(), alert=an_alert("TooBusy"))

    assert measured.waited == timedelta(minutes=2)
    assert len(measured.series[TRIAGE]) == 4
    assert measured.missing == {}


async def test_no_place_or_no_time_is_no_question(asking: Asking) -> None:
    made = asking()

    assert await made(an_alert(), [], since=SINCE, until=UNTIL) == Measured()
    assert await made(an_alert(), [TRIAGE], since=UNTIL + MINUTE, until=UNTIL) == Measured()


async def test_a_check_hears_what_came_of_each_question(asking: Asking) -> None:
    odd = replace(TEMPLATES, latency='app_load{app="$app"}', load="rate(app_load)", other={})

    answers = await asking(odd).examine([TRIAGE, SEARCH], until=UNTIL)

    assert [(str(a.question.where), a.question.key, a.count) for a in answers] == [
        *(("triage@prod", "errors", 1), ("triage@prod", "latency", 2), ("triage@prod", "load", 0)),
        *(("search@prod", "errors", 1), ("search@prod", "latency", 0), ("search@prod", "load", 0)),
    ]
    assert [a.question.key for a in answers if a.failure is not None] == ["load", "load"]
