"""What else moved when it began: other apps, and the load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import comb

import numpy as np
from scipy.stats import mannwhitneyu

from bot.domain.verdict.incident import Incident, Metric, Series
from bot.domain.verdict.line import Line, Numbers, line, shares, tolerance, value
from store.records import AppEnv

BEFORE_S = 45 * 60.0
AFTER_S = 30 * 60.0
FEWEST = 3  # samples on either side below which nothing is said
SAME_TIME_S = 10 * 60.0  # between the starts of alerts that belong together
NOT_CHANCE_AT_MOST = 0.01  # where few samples cannot give a smaller one
NOT_CHANCE = 0.001  # p of Mann and Whitney's test, as in Kayenta's judge
ENOUGH = 30.0  # requests on either side below which nothing is said of load
SURGE = 1.5  # times the usual load
_METRICS_AT_MOST = 4  # of one app


@dataclass(frozen=True)
class Around:
    """`turned` says of each app of the environment whether it turned at the same time.

    None where nobody can tell. `surge` is the load of now over that before; None without load.
    """

    turned: Mapping[str, bool | None]
    surge: float | None
    rate: float | None = None  # requests a second before it began
    failing: float = 0.0  # share of the requests that fail now


def look(incident: Incident, began: tuple[float, float]) -> Around:
    """Look around the time *began*, in the environment of the alert."""
    where = incident.where
    names = {w.app for w in incident.series if w.env == where.env}
    names |= {a.where.app for a in incident.alerts if a.where.env == where.env}
    names |= set(incident.apps)
    turned = {
        name: _turned(incident, AppEnv(name, where.env), began) for name in names - {where.app}
    }
    surge, rate = _load(incident, began)
    return Around(turned, surge, rate, _failing(incident, began))


def _turned(incident: Incident, where: AppEnv, began: tuple[float, float]) -> bool | None:
    seen = [
        moved
        for series in incident.series.get(where, ())[:_METRICS_AT_MOST]
        if series.metric is not Metric.LOAD
        if (moved := _rose(_near(incident, series, began), began)) is not None
    ]
    if any(seen):
        return True
    start = incident.alert.starts_at.timestamp()
    alarms = any(
        alert.where == where and abs(alert.starts_at.timestamp() - start) <= SAME_TIME_S
        for alert in incident.alerts
        if alert.starts_at <= incident.decided_at
    )
    return True if alarms else (False if seen else None)


def _near(incident: Incident, series: Series, began: tuple[float, float]) -> Line:
    """The part of *series* that matters: the rest is not worth its time."""
    step = series.step.total_seconds()
    first = int((began[0] - BEFORE_S - series.began.timestamp()) // step)
    last = int((began[1] + AFTER_S - series.began.timestamp()) // step) + 2
    first = min(max(first, 0), len(series.values))
    values = shares(series.values) if series.metric is Metric.ERRORS else series.values
    part = replace(
        series,
        began=series.began + first * series.step,
        values=tuple(values[first : max(last, first)]),
    )
    return line(part, until=incident.decided_at.timestamp())


def _sides(of: Line, began: tuple[float, float]) -> tuple[Numbers, Numbers] | None:
    before = of.y[(of.at >= began[0] - BEFORE_S) & (of.at < began[0] - of.step)]
    after = of.y[(of.at > began[1]) & (of.at <= began[1] + AFTER_S)]
    return (before, after) if min(len(before), len(after)) >= FEWEST else None


def _rose(of: Line, began: tuple[float, float]) -> bool | None:
    """Whether *of* is higher after than before, by more than chance and by enough to matter."""
    sides = _sides(of, began)
    if sides is None:
        return None
    before, after = sides
    level = float(np.median(before))
    if float(np.median(after[-5:])) - level <= tolerance(of, level):
        return False
    apart = max(round(of.spread), 1)  # samples that hang together tell what one of them tells
    few, many = after[::apart] if len(after) >= FEWEST * apart else after, before[::apart]
    least = 1 / comb(len(many) + len(few), len(few))  # the smallest p that there can be
    if least > NOT_CHANCE_AT_MOST:
        return None
    p = float(mannwhitneyu(few, many, alternative="greater").pvalue)
    return p <= min(max(NOT_CHANCE, 2 * least), NOT_CHANCE_AT_MOST)


def _load(incident: Incident, began: tuple[float, float]) -> tuple[float | None, float | None]:
    """The load of now over that before, and that before in requests a second.

    Of few requests nothing can be said: their number varies by itself (Poisson). An alert may come
    when one sample is there: that can show that the load grew, but not that it did not, since it
    may be growing still.
    """
    for series in incident.series.get(incident.where, ()):
        if series.metric is not Metric.LOAD:
            continue
        sides = _raw_sides(incident, series, began)
        if sides is None:
            continue
        before, after = float(np.median(sides[0])), float(np.median(sides[1][-5:]))
        rate = before if before > 0 else None
        requests = min(np.sum(sides[0]), np.sum(sides[1][-5:])) * series.step.total_seconds()
        if rate is None or requests < ENOUGH:
            return None, rate
        surge = after / rate
        told = len(sides[1]) >= FEWEST or surge >= SURGE
        return surge if told else None, rate
    return None, None


def _raw_sides(
    incident: Incident, series: Series, began: tuple[float, float]
) -> tuple[Numbers, Numbers] | None:
    step = series.step.total_seconds()
    values = np.asarray(series.values, dtype=np.float64)
    at = series.began.timestamp() + step * np.arange(len(values), dtype=np.float64)
    keep = np.isfinite(values) & (values >= 0) & (at <= incident.decided_at.timestamp())
    at, values = at[keep], values[keep]
    before = values[(at >= began[0] - BEFORE_S) & (at < began[0] - step)]
    after = values[(at >= began[1]) & (at <= began[1] + AFTER_S)]
    return (before, after) if len(before) >= FEWEST and len(after) else None


def _failing(incident: Incident, began: tuple[float, float]) -> float:
    """The share of the app's requests that fail now; 0 where that is not measured."""
    for series in incident.series.get(incident.where, ()):
        if series.metric is not Metric.ERRORS:
            continue
        sides = _sides(_near(incident, series, began), began)
        if sides is not None:
            return value(Metric.ERRORS, float(np.median(sides[1][-5:])))
    return 0.0
