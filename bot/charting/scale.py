"""Where the ticks of both axes stand, and what they say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil, floor, log10

from bot.domain.chart.words import clock, day

TICKS = 6  # at most along the time axis
_STEPS_MIN = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)
_DAY = timedelta(days=1)
_HUGE = 1e15  # floats beyond it have no room for an axis


def times(began: datetime, ended: datetime) -> list[tuple[datetime, str]]:
    """Return round times between both, and how they read; midnight as the day that begins."""
    step = _step(ended - began)
    midnight = began.replace(hour=0, minute=0, second=0, microsecond=0)
    first = ceil((began - midnight) / step)
    count = floor((ended - midnight) / step) - first + 1
    moments = [midnight + (first + index) * step for index in range(max(count, 0))]
    return [(at, clock(at) if (at - midnight) % _DAY else day(at)) for at in moments]


def _step(span: timedelta) -> timedelta:
    steps = (timedelta(minutes=minutes) for minutes in _STEPS_MIN)
    found = next((step for step in steps if span / step <= TICKS), None)
    return found or ceil(span / _DAY / TICKS) * _DAY


def shown(value: float) -> float:
    """Return *value*, or the largest that an axis has room for."""
    return min(max(value, -_HUGE), _HUGE)


def limits(values: Iterable[float], least: float) -> tuple[float, float]:
    """Return both ends of an axis on which *values* can be read: from 0, at least *least* long."""
    known = [shown(value) for value in values]
    low, high = min(known, default=0.0), max(known, default=0.0)
    bottom, top = min(low, 0.0), max(high, 0.0)
    room = max((top - bottom) * 0.12, 0.0)
    bottom, top = (bottom - room if low < 0 else 0.0), (top + room if high > 0 else 0.0)
    return (bottom, top) if top - bottom >= least else (bottom, bottom + least)


def levels(bottom: float, top: float) -> list[float]:
    """Return three to five round values between both, 0 among them."""
    step = _round((top - bottom) / 2)
    first, last = ceil(bottom / step), floor(top / step)
    return [index * step for index in range(first, last + 1)]


def _round(size: float) -> float:
    """The next smaller of 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(size))
    return next(power * by for by in (5, 2.5, 2, 1, 0.5) if power * by <= size)
