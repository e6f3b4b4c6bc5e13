"""Which rule is behind an alert, which of its series, and what that measures; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from bot.adapters.prometheus import promql
from bot.adapters.prometheus.wire import Rule, Track
from bot.domain.verdict.incident import Metric

_NAME = "__name__"
_TEMPLATED = "{{"
_LATENCY = re.compile(r"laten|durat|slow|respon|_seconds\b|histogram_quantile", re.IGNORECASE)
_ERRORS = re.compile(r"err|fail|5xx|5\.\.|unavailab|availab|success|down\b", re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,9})(ms|[smhdwy])")
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_NO_SECONDS = re.compile(r"_ms\b|milli|_us\b|micro", re.IGNORECASE)
Labels = Mapping[str, str]


def candidates(alert: Labels, rules: Iterable[Rule]) -> list[Rule]:
    """The rules that an alert with the labels *alert* may come from.

    Its name and the fixed labels of a rule must be the alert's. Of several, those that fire with
    the alert's labels now are taken, if any do.
    """
    named = [
        rule
        for rule in rules
        if rule.name == alert.get("alertname")
        and all(alert.get(n) == v for n, v in rule.labels.items() if _TEMPLATED not in v)
    ]
    firing = [rule for rule in named if any(_all_in(labels, alert) for labels in rule.active)]
    return firing or named


def _all_in(labels: Labels, alert: Labels) -> bool:
    return all(alert.get(name) == value for name, value in labels.items())


def waited(rules: Sequence[Rule]) -> timedelta | None:
    """The `for` on which *rules* agree; None where they do not."""
    found = {rule.waits for rule in rules}
    return found.pop() if len(found) == 1 else None


def agreed(rules: Sequence[Rule]) -> Rule | None:
    """The rule, if *rules* have one expression; None where they do not."""
    return rules[0] if len({rule.query for rule in rules}) == 1 else None


def averaged(rule: Rule) -> timedelta:
    """Over how long *rule* looks back at most, by its range selectors (`[5m]`); none: 0."""
    try:
        found = promql.tokens(rule.query)
    except promql.NotPromQL:
        return timedelta()
    spans = [
        _span(now.text)
        for before, now in pairwise(found)
        if before.text == "[" and now.kind is promql.Kind.NUMBER
    ]
    return max(spans, default=timedelta())


def _span(text: str) -> timedelta:
    """A duration such as `1h30m`, as far as it is one; a day at most."""
    parts = _DURATION.findall(text)
    seconds = sum(int(number) * _UNITS_S[unit] for number, unit in parts)
    return timedelta(seconds=min(seconds, 86_400))


def fitting(tracks: Iterable[Track], alert: Labels, rule: Rule) -> list[Track]:
    """The series that the *alert* is about: no label of theirs says another thing than its own.

    Labels that *rule* sets itself, and those that were dropped on the way to us, say nothing.
    """
    return [
        track
        for track in tracks
        if all(
            alert.get(name, value) == value
            for name, value in track.labels.items()
            if name != _NAME and name not in rule.labels
        )
    ]


def metric_of(rule: Rule, values: Iterable[float]) -> Metric:
    """What *values* of the expression of *rule* measure, by the words of its name, then by its own.

    Errors are shares, so what leaves 0 to 1 is of another scale; so is a latency that is not in
    seconds.
    """
    for text in (rule.name, rule.query):
        if _LATENCY.search(text):
            return Metric.OTHER if _NO_SECONDS.search(rule.query) else Metric.LATENCY
        if _ERRORS.search(text):
            return Metric.ERRORS if shares(values) else Metric.OTHER
    return Metric.OTHER


def shares(values: Iterable[float]) -> bool:
    """True if all that was measured is from 0 to 1."""
    return all(0 <= value <= 1 for value in values if not math.isnan(value))
