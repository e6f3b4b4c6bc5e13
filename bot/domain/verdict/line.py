"""A series on a scale where noise is even, and what is usual on it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.domain.verdict.incident import Metric, Series

Numbers = npt.NDArray[np.float64]

FEWEST = 8  # samples below which nothing is said of a series
_MAD = 1.4826  # of a normal distribution's deviation
_IN_PERCENT = 0.1  # share of the samples above 1 from which on they are taken for percent
_FEW_ZEROS = 0.8  # share of the samples above 0 from which on zeros are chance
_ONE_FAILED = 0.1  # quantile of the shares above 0 that stands for one failed request
_RUN = 2  # samples that a level needs to be one
_USUAL_RUN = 6  # samples that a level needs to be what is usual
_PENALTY = (
    4.0  # of ln n for each change of level: twice that of the BIC, since noise is seldom white
)
_MOST_CUT = 1200  # samples that are cut one by one
_FLOOR = {Metric.ERRORS: 0.02, Metric.LATENCY: 0.03, Metric.LOAD: 0.03, Metric.OTHER: 0.03}


@dataclass(frozen=True)
class Line:
    """The samples that there are: `at` in seconds since 1970, `y` on the even scale.

    Shares are shown by the arcsine of their root, all else by its logarithm (Bartlett 1936,
    "The square root transformation in analysis of variance"). `noise` is the deviation of one
    sample, `spread` by how much more than white noise a mean of them wanders.
    """

    metric: Metric
    step: float
    at: Numbers
    y: Numbers
    noise: float
    spread: float
    of_alert: bool = False

    @property
    def long_enough(self) -> bool:
        return len(self.y) >= FEWEST


def line(series: Series, *, until: float) -> Line:
    """Return *series* up to *until* (seconds since 1970) on its even scale, without its gaps."""
    step = series.step.total_seconds()
    values = shares(series.values) if series.metric is Metric.ERRORS else _numbers(series.values)
    times = series.began.timestamp() + step * np.arange(len(values), dtype=np.float64)
    keep = np.isfinite(values) & (times <= until)
    at, raw = times[keep], values[keep]
    y = _roots(raw) if series.metric is Metric.ERRORS else _logs(raw)
    noise, spread = _noise(y, max(_FLOOR[series.metric], _counting(raw, series.metric)))
    return Line(series.metric, step, at, y, noise, spread, series.of_alert)


def _numbers(values: Sequence[float]) -> Numbers:
    return np.asarray(values, dtype=np.float64)


def shares(values: Sequence[float]) -> Numbers:
    """Shares of errors, 0 to 1, of *values* that may be in percent.

    They are in percent where many are above 1; a few are mistakes of whoever divided.
    """
    found = _numbers(values)
    measured = found[np.isfinite(found)]
    in_percent = len(measured) > 0 and float(np.mean(measured > 1)) > _IN_PERCENT
    return found / 100 if in_percent else found


def _counting(raw: Numbers, metric: Metric) -> float:
    """The noise of counting in shares of few requests: 1 / (2 root n) on the even scale.

    How many there are is seen from the smallest shares: where many are 0, one request that
    failed of n gives 1 / n.
    """
    above = raw[raw > 0]
    if metric is not Metric.ERRORS or not len(above) or len(above) > _FEW_ZEROS * len(raw):
        return 0.0
    return float(np.sqrt(np.quantile(above, _ONE_FAILED))) / 2


def _roots(raw: Numbers) -> Numbers:
    found: Numbers = np.arcsin(np.sqrt(np.clip(raw, 0.0, 1.0)))
    return found


def _logs(raw: Numbers) -> Numbers:
    if not len(raw):
        return raw
    above = raw[raw > 0]
    least = float(np.quantile(above, 0.05)) * 0.1 if len(above) else 1.0
    found: Numbers = np.log(np.maximum(raw, least))
    return found


def value(metric: Metric, level: float) -> float:
    """The measured value of a *level* on the even scale."""
    if metric is Metric.ERRORS:
        return float(np.sin(min(max(level, 0.0), np.pi / 2)) ** 2)
    return float(np.exp(level))


def _noise(y: Numbers, floor: float) -> tuple[float, float]:
    """Deviation around a running median, and (1 + r) / (1 - r) of its first autocorrelation r."""
    if len(y) < FEWEST:
        return floor, 1.0
    rest = y - _running_median(y, 9)
    noise = max(_MAD * float(np.median(np.abs(rest))), floor)
    clipped = np.clip(rest, -3 * noise, 3 * noise)
    power = float(np.dot(clipped, clipped))
    r = float(np.dot(clipped[1:], clipped[:-1])) / power if power else 0.0
    r = min(max(r + 0.2, 0.0), 0.8)  # the running median takes some of it away
    return noise, (1 + r) / (1 - r)


def _running_median(y: Numbers, width: int) -> Numbers:
    half = width // 2
    padded = np.pad(y, half, mode="edge")
    found: Numbers = np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    return found


def levels(of: Line) -> list[tuple[int, int, float]]:
    """Cut *of* into stretches of one level each: [(first, end, mean)], in order.

    The cuts are those with the least sum of squares, each at the price of the penalty (optimal
    partitioning, Jackson et al. 2005, "An algorithm for optimal partitioning of data on an
    interval"); `end` is exclusive. A long line is cut on means of neighbours, for O(n²) steps.
    """
    every = -(-len(of.y) // _MOST_CUT)
    if every > 1:
        coarse = len(of.y) // every
        y = of.y[: coarse * every].reshape(coarse, every).mean(axis=1)
    else:
        y = of.y
    if not len(y):
        return []
    price = _PENALTY * np.log(max(len(y), 2)) * of.noise**2 * of.spread / max(every, 1)
    cuts = [cut * max(every, 1) for cut in _cuts(y, float(price))]
    cuts[-1] = len(of.y)
    return [(a, b, float(of.y[a:b].mean())) for a, b in itertools.pairwise(cuts)]


def _cuts(y: Numbers, price: float) -> list[int]:
    """The cheapest cuts of *y*, with 0 and its end, each stretch of `_RUN` samples at least."""
    n = len(y)
    sums = np.concatenate([[0.0], np.cumsum(y)])
    squares = np.concatenate([[0.0], np.cumsum(y * y)])
    cost = np.full(n + 1, np.inf)
    cost[0] = -price
    before = np.zeros(n + 1, dtype=np.int64)
    for end in range(min(_RUN, n), n + 1):
        first = np.arange(max(end - _RUN, 0) + 1)
        total = sums[end] - sums[first]
        left = squares[end] - squares[first] - total * total / np.maximum(end - first, 1)
        told = cost[first] + left
        best = int(np.argmin(told))
        cost[end], before[end] = told[best] + price, best
    cuts = [n]
    while cuts[-1] > 0:
        cuts.append(int(before[cuts[-1]]))
    return cuts[::-1]


def usual(of: Line, stretches: list[tuple[int, int, float]]) -> float:
    """The level to which *of* keeps coming back: the lowest that is held for some time.

    Trouble lifts errors and latency, so what is usual is below; "usual" is the median of all
    samples of the stretches near the lowest.
    """
    held = [m for a, b, m in stretches if b - a >= _USUAL_RUN] or [m for _, _, m in stretches]
    lowest = min(held)
    near = np.concatenate(
        [of.y[a:b] for a, b, m in stretches if m <= lowest + tolerance(of, lowest)]
    )
    return float(np.median(near))


def tolerance(of: Line, usual_level: float) -> float:
    """By how much a level may lie above *usual_level* before it is trouble.

    Two and a half deviations of a sample, and what people would call a difference: a third more
    latency or load; two points more of errors.
    """
    if of.metric is Metric.ERRORS:
        share = value(of.metric, usual_level)
        least = float(np.arcsin(np.sqrt(min(share + 0.02, 1.0)))) - usual_level
    else:
        least = float(np.log(4 / 3))
    return max(least, 2.5 * of.noise)
