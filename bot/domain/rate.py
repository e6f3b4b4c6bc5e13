"""How many requests an app answered just before a decision. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import isfinite
from statistics import median

from bot.domain.verdict.incident import Metric, Series

RECENT = timedelta(minutes=10)


def recent_rate(series: Sequence[Series], at: datetime) -> float | None:
    """Return the median load of the ten minutes before *at*, in requests a second.

    None where no load was measured then.
    """
    values = [
        value
        for one in series
        if one.metric is Metric.LOAD
        for n, value in enumerate(one.values)
        if at - RECENT <= one.began + n * one.step <= at and isfinite(value)
    ]
    return float(median(values)) if values else None
