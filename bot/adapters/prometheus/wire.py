"""What Prometheus answers, as values; pure. https://prometheus.io/docs/prometheus/latest/querying/api/

A number is a string there (`"NaN"`, `"+Inf"`), a moment is seconds since 1970.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from bot.errors import AnswerUnreadable
from bot.textsafe import visible

SYSTEM = "Prometheus"
MOST_POINTS = 11_000  # of one series; with more it answers 400
MOST_SERIES = 5_000
_LONGEST_WAIT_S = 366 * 86400.0
_SAID = 200  # characters of its own words


@dataclass(frozen=True)
class Window:
    """The moments of a range query: `count` of them from `began`, `step` apart."""

    began: datetime
    step: timedelta
    count: int

    @classmethod
    def between(cls, since: datetime, until: datetime, step: timedelta) -> Window:
        """The moments from *since* to *until* at full multiples of *step*, as many as are allowed.

        A step that would make too many is doubled until they are few enough. Windows of the same
        step have the same moments, so their series can be compared sample by sample.
        """
        while (until - since) / step >= MOST_POINTS - 1:
            step *= 2
        seconds = step.total_seconds()
        first = math.ceil(since.timestamp() / seconds)
        last = math.floor(until.timestamp() / seconds)
        began = datetime.fromtimestamp(first * seconds, UTC)
        return cls(began, step, max(last - first + 1, 0))

    @property
    def ends(self) -> datetime:
        """The last moment."""
        return self.at(self.count - 1)

    def at(self, number: int) -> datetime:
        """The moment *number*, counted from 0."""
        return self.began + number * self.step

    def number(self, seconds: float) -> int | None:
        """Which moment *seconds* since 1970 is nearest to; None outside of the window."""
        place = (seconds - self.began.timestamp()) / self.step.total_seconds()
        number = round(place) if math.isfinite(place) else -1
        return number if 0 <= number < self.count else None


@dataclass(frozen=True)
class Track:
    """One series of an answer: a value for each moment of the window, NaN where there is none."""

    labels: Mapping[str, str]
    values: Sequence[float]

    @property
    def empty(self) -> bool:
        return all(math.isnan(value) for value in self.values)


@dataclass(frozen=True)
class Rule:
    """An alerting rule; `active` are the labels of those of its alerts that are not inactive."""

    name: str
    query: str
    waits: timedelta
    labels: Mapping[str, str] = field(default_factory=dict)
    active: Sequence[Mapping[str, str]] = ()


def matrix(body: bytes, window: Window) -> list[Track]:
    """Read the answer to a range query over *window*; what is not finite was not measured.

    Raises:
        AnswerUnreadable: It has another form, or more series than we look at.
    """
    data = _data(body)
    result = data.get("result")
    if data.get("resultType") != "matrix" or not isinstance(result, list):
        raise _unreadable("no matrix")
    if len(result) > MOST_SERIES:
        raise _unreadable(f"{len(result)} series, of which at most {MOST_SERIES} are read")
    return [_track(entry, window) for entry in result]


def _track(entry: object, window: Window) -> Track:
    samples = entry.get("values") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(samples, list):
        raise _unreadable("a series without values")
    values = [math.nan] * window.count
    for sample in samples:
        at, value = _sample(sample)
        if (number := window.number(at)) is not None:
            values[number] = value
    return Track(_labels(entry.get("metric")), tuple(values))


def _sample(sample: object) -> tuple[float, float]:
    if not isinstance(sample, list) or len(sample) != 2:
        raise _unreadable("a sample that is no pair")
    at, value = sample
    if not _is_number(at) or not isinstance(value, str):
        raise _unreadable("a sample that is no moment with a number")
    try:
        moment, number = float(at), float(value)
    except (ValueError, OverflowError):
        raise _unreadable("a sample that is no moment with a number") from None
    return moment, number if math.isfinite(number) else math.nan


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def rules(body: bytes) -> list[Rule]:
    """Read the alerting rules; one that cannot be read is left out, the others count.

    Raises:
        AnswerUnreadable: It has another form.
    """
    groups = _data(body).get("groups")
    if not isinstance(groups, list):
        raise _unreadable("no groups of rules")
    return [rule for entry in _inside(groups, "rules") if (rule := _rule(entry)) is not None]


def _inside(entries: Sequence[object], key: str) -> Iterator[dict[str, Any]]:
    """The objects in the lists that *entries* have under *key*."""
    for entry in entries:
        inner = entry.get(key) if isinstance(entry, dict) else None
        for one in inner if isinstance(inner, list) else ():
            if isinstance(one, dict):
                yield one


def _rule(entry: Mapping[str, Any]) -> Rule | None:
    name, query, waits = entry.get("name"), entry.get("query"), entry.get("duration")
    if entry.get("type") != "alerting" or not (isinstance(name, str) and isinstance(query, str)):
        return None
    if not _is_number(waits) or not 0 <= waits <= _LONGEST_WAIT_S:
        return None
    try:
        labels = _labels(entry.get("labels", {}))
        active = [_labels(alert.get("labels")) for alert in _inside([entry], "alerts")]
    except AnswerUnreadable:
        return None
    return Rule(name, query, timedelta(seconds=waits), labels, active)


def refusal(body: bytes) -> tuple[str, str]:
    """(kind, sentence) of an error's answer, in its own words; ("", "") where it has none."""
    try:
        answer = _object(body)
    except AnswerUnreadable:
        return "", ""
    kind, said = answer.get("errorType"), answer.get("error")
    return (
        visible(kind, 40) if isinstance(kind, str) else "",
        visible(said, _SAID) if isinstance(said, str) else "",
    )


def failed(body: bytes) -> bool:
    """True if an answer says that it is an error, whatever its status."""
    try:
        return _object(body).get("status") == "error"
    except AnswerUnreadable:
        return False


def _data(body: bytes) -> dict[str, Any]:
    data = _object(body).get("data")
    if not isinstance(data, dict):
        raise _unreadable("an answer without data")
    return data


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable("an answer that is not JSON") from None
    if not isinstance(answer, dict):
        raise _unreadable("an answer that is no object")
    return answer


def _labels(metric: object) -> dict[str, str]:
    pairs = metric.items() if isinstance(metric, dict) else None
    if pairs is None or not all(isinstance(value, str) for _, value in pairs):
        raise _unreadable("labels that are no texts")
    return dict(pairs)


def _unreadable(what: str) -> AnswerUnreadable:
    return AnswerUnreadable(SYSTEM, what)
