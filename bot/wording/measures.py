"""Durations and what was measured, in their units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bot import textsafe
from bot.language import message
from bot.wording.speech import counted, translated

_MINUTE_S: Final = 60
_HOUR_MIN: Final = 60
_DAY_H: Final = 24


def seconds(value: float) -> str:
    """Return a duration as people say it: 3.2 s, 2 min 10 s, 5 h 12 min, 3 d 4 h."""
    if round(value, 1) < _MINUTE_S:
        return translated("%(seconds)s s", seconds=f"{value:.1f}")
    minutes, seconds = divmod(round(value), _MINUTE_S)
    if minutes < _HOUR_MIN:
        return translated("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=seconds)
    hours, minutes = divmod(minutes, _HOUR_MIN)
    if hours < _DAY_H:
        return translated("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
    days, hours = divmod(hours, _DAY_H)
    return translated("%(days)s d %(hours)s h", days=days, hours=hours)


def span(minutes: int) -> str:
    """A time that is set: whole hours, else minutes."""
    hours, rest = divmod(minutes, 60)
    if hours and not rest:
        return counted("%(num)s hour", "%(num)s hours", hours)
    return counted("%(num)s minute", "%(num)s minutes", minutes)


def period(seconds: int) -> str:
    """How often something runs."""
    if seconds % _MINUTE_S:
        return translated("%(num)s seconds", num=seconds)
    return span(seconds // _MINUTE_S)


_METRICS: Final = {
    "errors": message("The share of errors"),
    "latency": message("Latency"),
    "load": message("Load"),
}
_MEASURED: Final = message("What the alert measures")
_CAUSES: Final = {
    "change": "%(name)s",
    "upstream": message("an outage of %(name)s"),
    "load": message("the load"),
    "platform": message("something that all apps share"),
    "dependency": message("%(name)s, which nobody changed"),
    "alone": message("something outside the published versions"),
}
ELSE: Final = message("something else")


def measure(value: float, metric: str) -> str:
    """Return a measured value in its unit, with as many digits as tell something."""
    if metric == "errors":
        return f"{value * 100:.1f} %" if value < 0.1 else f"{value * 100:.0f} %"
    number = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return translated("%(seconds)s s", seconds=number) if metric == "latency" else number


def metric(metric: str) -> str:
    """What a metric is called."""
    return translated(_METRICS.get(metric, _MEASURED))


def cause(cause: str, name: str) -> str:
    """What else may be behind an alert."""
    said = _CAUSES.get(cause, ELSE)
    return translated(said, name=textsafe.code(name, 120))


def between(times: Sequence[str]) -> str:
    """How long it is from one time to the other."""
    first, last = (datetime.fromisoformat(time) for time in times)
    return seconds((last - first).total_seconds())
