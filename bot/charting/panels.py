"""One metric over time, the bar of the alert, and the axis of times below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import ceil, isnan, nan
from statistics import median
from typing import Literal

from matplotlib.axes import Axes

from bot.charting import look, scale
from bot.domain.chart import words
from bot.domain.chart.view import ChartView, Interval, Panel
from bot.domain.verdict.incident import Metric

_LEAST = {Metric.ERRORS: 0.02, Metric.LATENCY: 0.1, Metric.LOAD: 1.0, Metric.OTHER: 1e-9}
_NARROWEST = 3.0  # points of the onset's shade, so that one minute of a day is seen
_AFTER = 6.0  # points beyond the end, so that what happened at the end is seen
_DENSE = 1.0  # points between two samples of a line; of denser ones the median is drawn
_GAP = 14.0  # points from which a stretch without measurements is said to be one


@dataclass(frozen=True)
class Across:
    """From times to points from the left edge of the panels."""

    began: datetime
    ended: datetime

    @property
    def width(self) -> float:
        return look.WIDTH - look.LEFT - look.RIGHT

    def x(self, moment: datetime) -> float:
        return (moment - self.began) / (self.ended - self.began) * (self.width - _AFTER)


def panel(axes: Axes, of: Panel | None, across: Across) -> None:
    """Draw one metric with its usual level; None is none."""
    _plain(axes, across)
    if of is None or not any(True for _ in of.measured()):
        _nothing(axes, of)
        return
    _name(axes, of)
    _usual(axes, of, across)
    _line(axes, of, across)
    _gaps(axes, of, across)
    values = [value for _, value in of.measured()]
    known = values if of.usual is None else [*values, of.usual]
    bottom, top = scale.limits(known, _LEAST[of.metric])
    axes.set_ylim(bottom, top)
    ticks = scale.levels(bottom, top)
    axes.set_yticks(ticks, [words.amount(of.metric, t) if t else "0" for t in ticks])
    axes.grid(axis="y", color=look.FAINT, linewidth=0.6)


def _plain(axes: Axes, across: Across) -> None:
    axes.set_xlim(0, across.width)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0, labelsize=8.5, labelcolor=look.SOFT, pad=3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set(color=look.SOFT, linewidth=0.7)
    axes.set_axisbelow(True)


def _name(axes: Axes, of: Panel) -> None:
    name = words.NAMES[of.metric]
    axes.set_title(name, loc="left", fontsize=9, fontweight="bold", pad=3)
    said = words.levels(of)
    axes.set_title(said, loc="right", fontsize=8.5, color=look.SOFT, pad=3)


def _nothing(axes: Axes, of: Panel | None) -> None:
    if of is not None:
        axes.set_title(words.NAMES[of.metric], loc="left", fontsize=9, fontweight="bold", pad=3)
    axes.text(
        *(0.5, 0.5, "not measured"),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=9,
        color=look.SOFT,
        bbox={"facecolor": look.PAPER, "edgecolor": "none", "pad": 2},
    )


def _usual(axes: Axes, of: Panel, across: Across) -> None:
    if of.usual is not None:
        level = scale.shown(of.usual)
        axes.plot(
            [0, across.width], [level, level], color=look.INK, lw=0.8, ls=(0, (4, 3)), zorder=2.4
        )


def _line(axes: Axes, of: Panel, across: Across) -> None:
    """The line with its gaps; a sample alone between two gaps is a dot."""
    ys = [nan if value is None else scale.shown(value) for value in of.values]
    step = across.x(of.began + of.step) - across.x(of.began)
    first = across.x(of.began)
    each = max(ceil(_DENSE / step), 1) if step < _DENSE / 2 else 1
    if each > 1:
        ys = _thinned(axes, ys, first, step, each)
    xs = [first + (index * each + (each - 1) / 2) * step for index in range(len(ys))]
    axes.plot(xs, ys, color=look.LINE, lw=1.3, solid_joinstyle="round", zorder=2.5)
    around = [nan, *ys, nan]
    alone = [
        (xs[index], value)
        for index, value in enumerate(ys)
        if isnan(around[index]) and not isnan(value) and isnan(around[index + 2])
    ]
    dots = [x for x, _ in alone], [y for _, y in alone]
    axes.plot(*dots, ls="", marker="o", ms=2.6, color=look.LINE, zorder=2.5)


def _thinned(axes: Axes, ys: Sequence[float], first: float, step: float, each: int) -> list[float]:
    """The median of *each* samples; from the least to the most of them is shaded."""
    groups = [
        [value for value in ys[start : start + each] if not isnan(value)]
        for start in range(0, len(ys), each)
    ]
    xs = [first + (index * each + (each - 1) / 2) * step for index in range(len(groups))]
    low, high = ([most(g, default=nan) for g in groups] for most in (min, max))
    axes.fill_between(xs, low, high, color=look.LINE, alpha=0.25, lw=0, zorder=2.3)
    return [median(group) if group else nan for group in groups]


def _gaps(axes: Axes, of: Panel, across: Across) -> None:
    """Hatch where nothing was measured for so long that it might be taken for quiet."""
    edges = [0.0, *(across.x(at) for at, _ in of.measured()), across.width - _AFTER]
    for left, right in pairwise(edges):
        if right - left >= _GAP + (across.x(of.began + of.step) - across.x(of.began)):
            axes.axvspan(left, right, fc="none", ec=look.FAINT, hatch="////", lw=0, zorder=0.4)


def shade(axes: Axes, onset: Interval, across: Across) -> None:
    """Shade the time in which it began."""
    left, right = (across.x(moment) for moment in onset)
    missing = max(_NARROWEST - (right - left), 0) / 2
    axes.axvspan(left - missing, right + missing, fc=look.ONSET, alpha=0.35, lw=0, zorder=0.5)


def bar(axes: Axes, text: str, view: ChartView, across: Across) -> None:
    """Draw when the alert fired."""
    _plain(axes, across)
    axes.set_ylim(0, 1)
    axes.set_title(text, loc="left", fontsize=8.5, pad=3)
    for firing in view.firings:
        left = across.x(firing.began)
        right = across.width if firing.open else across.x(firing.ended)
        axes.axvspan(left, max(right, left + 2), fc=look.ALERT, ec=look.INK, lw=0.5, zorder=2)


def time_axis(axes: Axes, view: ChartView, across: Across, unnamed: int) -> None:
    """Say the times below the lowest *axes*, once the day, and how many versions have no name."""
    ticks = scale.times(view.began, view.ended)
    axes.set_xticks([across.x(at) for at, _ in ticks], [text for _, text in ticks])
    axes.tick_params(axis="x", length=3, color=look.SOFT)
    _below(axes, words.days(view.began, view.ended), at=1, ha="right")
    if unnamed:
        said = f"{unnamed} more version{'s' if unnamed > 1 else ''}"
        _below(axes, said, at=0, ha="left")


def _below(axes: Axes, text: str, *, at: float, ha: Literal["left", "right"]) -> None:
    axes.annotate(
        text,
        xy=(at, 0),
        xycoords="axes fraction",
        xytext=(0, -16),
        textcoords="offset points",
        ha=ha,
        va="top",
        fontsize=8.5,
        color=look.SOFT,
    )
