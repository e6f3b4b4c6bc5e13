"""The rule behind an alert, the series that the alert is about, and what it measures."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from bot.adapters.prometheus import behind
from bot.adapters.prometheus.questions import Question, Questions, Templates
from bot.adapters.prometheus.wire import Rule, Track
from bot.domain.verdict.incident import Metric
from store.records import AppEnv

ALERT = {"alertname": "High", "app": "triage", "env": "prod", "severity": "page", "instance": "a"}
MINUTE = timedelta(minutes=1)


def a_rule(query: str = "m > 1", *, name: str = "High", waits: int = 1, **labels: str) -> Rule:
    return Rule(name, query, waits * MINUTE, labels)


def test_a_rule_has_the_alerts_name_and_no_label_that_says_another_thing() -> None:
    page, ticket = a_rule(severity="page"), a_rule(severity="ticket")
    templated = a_rule(app="{{ $labels.service }}")

    found = behind.candidates(ALERT, [page, ticket, templated, a_rule(name="Low")])

    assert found == [page, templated]


def test_of_several_rules_those_count_that_fire_with_the_alerts_labels() -> None:
    fires = Rule("High", "a > 1", MINUTE, active=[{"app": "search"}, {"app": "triage"}])
    other = Rule("High", "b > 1", MINUTE, active=[{"app": "search"}])

    assert behind.candidates(ALERT, [other, fires]) == [fires]
    assert behind.candidates({**ALERT, "app": "x"}, [other, fires]) == [other, fires]


def test_rules_that_disagree_tell_nothing_of_what_they_disagree_about() -> None:
    rules = [a_rule(waits=1), a_rule(waits=5)]

    assert behind.waited(rules) is None
    assert behind.agreed(rules) == rules[0]
    assert behind.waited([a_rule("a > 1"), a_rule("b > 1")]) == MINUTE
    assert behind.agreed([a_rule("a > 1"), a_rule("b > 1")]) is None
    assert behind.waited([]) is None
    assert behind.agreed([]) is None


def test_the_series_of_an_alert_contradict_none_of_its_labels() -> None:
    rule = a_rule(severity="page")
    its = Track({"__name__": "m", "app": "triage", "severity": "raw", "replica": "0"}, [1.0])
    others = [Track({"app": "search"}, [1.0]), Track({"app": "triage", "instance": "b"}, [1.0])]

    assert behind.fitting([*others, its], ALERT, rule) == [its]


@pytest.mark.parametrize(
    ("name", "query", "metric"),
    [
        ("HighErrorRate", "m > 0.1", Metric.ERRORS),
        ("TooManyFailures", "m > 0.1", Metric.ERRORS),
        ("High", 'rate(x{code=~"5.."}[5m]) / rate(y[5m]) > 0.1', Metric.ERRORS),
        ("AppDown", "1 - up > 0", Metric.ERRORS),
        ("HighLatencyP95", "m > 2", Metric.LATENCY),
        ("SlowAnswers", "error_seconds > 2", Metric.LATENCY),
        ("High", "histogram_quantile(0.9, x) > 2", Metric.LATENCY),
        ("HighLatency", "latency_ms > 2000", Metric.OTHER),
        ("QueueTooLong", "queue > 100", Metric.OTHER),
    ],
)
def test_what_a_rule_measures_is_told_by_its_words(name: str, query: str, metric: Metric) -> None:
    assert behind.metric_of(a_rule(query, name=name), [0.0, 1.0, math.nan]) is metric


def test_errors_that_are_no_share_are_of_another_scale() -> None:
    assert behind.metric_of(a_rule(name="Errors"), [0.1, 7.0]) is Metric.OTHER


def test_each_place_is_asked_under_the_name_that_metrics_give_it() -> None:
    triage, search = AppEnv("triage", "prod"), AppEnv("search", "prod")
    questions = Questions(
        usual=Templates('e{a="$app"}', 'l{a="$app"}', 'r{a="$app",e="$env"}', {"q": "q$app"}),
        own={"search": Templates("own", 'l{a="$app"}', "own")},
        called={triage: AppEnv("triage-api", "production")},
    )

    asked = [*questions.of(triage), *questions.of(search)]

    assert asked == [
        Question(triage, "errors", Metric.ERRORS, 'e{a="triage-api"}'),
        Question(triage, "latency", Metric.LATENCY, 'l{a="triage-api"}'),
        Question(triage, "load", Metric.LOAD, 'r{a="triage-api",e="production"}'),
        Question(triage, "other.q", Metric.OTHER, "q$app"),
        Question(search, "errors", Metric.ERRORS, "own"),
        Question(search, "latency", Metric.LATENCY, 'l{a="search"}'),
        Question(search, "load", Metric.LOAD, "own"),
    ]


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("up == 0", 0),
        ('sum(rate(errors{app="a[9h]"}[5m])) / sum(rate(requests[15m])) > 0.05', 900),
        ("max_over_time(queue[1h30m]) > 3", 5400),
        ("avg_over_time(x[400d]) > 3", 86_400),
        ('x{a="', 0),
    ],
)
def test_over_how_long_a_rule_averages_is_seen_from_its_ranges(query: str, seconds: int) -> None:
    rule = Rule("Some", query, timedelta())

    assert behind.averaged(rule).total_seconds() == seconds
