"""A series on a scale where noise is even, and what is usual on it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.domain.verdict.incident import Metric, Series

Numbers = npt.NDArray[np.float64]

FEWEST = 8  # samples below which nothing is said of a series
_MAD = 1.4826  # of a normal distribution's deviation
_RUN = 3  # samples that a level needs to be one
_USUAL_RUN = 6  # samples that a level needs to be what is usual
_PENALTY = (
    4.0  # of ln n for each change of level: twice that of the BIC, since noise is seldom white
)
_MOST_LEVELS = 24
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

    @property
    def long_enough(self) -> bool:
        return len(self.y) >= FEWEST

    def until(self, end: float) -> Line:
        """The samples up to *end*."""
        keep = self.at <= end
        return Line(self.metric, self.step, self.at[keep], self.y[keep], self.noise, self.spread)


def line(series: Series, *, until: float) -> Line:
    """Return *series* up to *until* (seconds since 1970) on its even scale, without its gaps."""
    step = series.step.total_seconds()
    values = np.asarray(series.values, dtype=np.float64)
    times = series.began.timestamp() + step * np.arange(len(values), dtype=np.float64)
    keep = np.isfinite(values) & (times <= until)
    at, raw = times[keep], values[keep]
    y = _roots(raw) if series.metric is Metric.ERRORS else _logs(raw)
    noise, spread = _noise(y, _FLOOR[series.metric])
    return Line(series.metric, step, at, y, noise, spread)


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

    Binary segmentation on the sum of squares (Scott and Knott 1974), each cut by at least the
    penalty; `end` is exclusive.
    """
    y = of.y
    n = len(y)
    if n == 0:
        return []
    sums = np.concatenate([[0.0], np.cumsum(y)])
    least = _PENALTY * np.log(max(n, 2)) * of.noise**2 * of.spread
    cuts, open_ = [0, n], [(0, n)]
    while open_ and len(cuts) <= _MOST_LEVELS:
        first, end = open_.pop()
        if (found := _cut(sums, first, end)) is not None and found[1] > least:
            cuts.append(found[0])
            open_ += [(first, found[0]), (found[0], end)]
    cuts.sort()
    return [(a, b, float((sums[b] - sums[a]) / (b - a))) for a, b in itertools.pairwise(cuts)]


def _cut(sums: Numbers, first: int, end: int) -> tuple[int, float] | None:
    if end - first < 2 * _RUN:
        return None
    at = np.arange(first + _RUN, end - _RUN + 1)
    left, right = at - first, end - at
    total = sums[end] - sums[first]
    part = sums[at] - sums[first]
    gain = part**2 / left + (total - part) ** 2 / right - total**2 / (end - first)
    best = int(np.argmax(gain))
    return int(at[best]), float(gain[best])


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
