"""The names of versions above the panels, each at a line through all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bot.charting import look
from bot.charting.flags import Flag, Place, places
from bot.charting.glyphs import Letters
from bot.charting.panels import Across, shade
from bot.domain.chart import words
from bot.domain.chart.view import ChartView, How, Interval, Mark

SIZE = 8.5
FOOT = 6.0  # below the lowest row, for the shapes
_PAD = 3.0  # on either side of a name
_AFTER_THE_SUSPECT = 1
_SHAPES = {How.PUBLISHED: "o", How.RESTORED: "<", How.DRIFTED: "D"}


@dataclass(frozen=True)
class Hung:
    """A name with its look; `mark` is None for that of the onset."""

    text: str
    look: look.Look
    flag: Flag
    mark: Mark | None


class Lane:
    """Flags in rows; which of them have room is known before anything is drawn."""

    def __init__(self, hung: Sequence[Hung], across: Across) -> None:
        self._hung, self._across = hung, across
        self._places = places([one.flag for one in hung], across.width)
        rows = max((place.row for place in self._places.values()), default=-1) + 1
        self.height = rows * look.ROW + FOOT
        self.unnamed = len(hung) - len(self._places)

    def draw(self, axes: Axes, panels: Sequence[Axes], onset: Interval | None) -> None:
        """Draw the flags in *axes*, and what they stand for down through *panels*."""
        axes.set_axis_off()
        axes.set_xlim(0, self._across.width)
        axes.set_ylim(0, self.height)
        if onset is not None:
            for panel in panels:
                shade(panel, onset, self._across)
        for index, one in enumerate(self._hung):
            place = self._places.get(index)
            if one.mark is not None and one.flag.stem:
                _stem(axes, panels, one, one.mark.how, place)
            if place is not None:
                _name(axes, one, place)


def lane_of(view: ChartView, across: Across, made: Figure, found: Letters) -> Lane:
    """Return the flags of all marks of *view*, and that of the onset."""
    hung = []
    for mark in view.marks:
        text = found.shown(words.flag(mark, view.ended))
        x = 0.0 if mark.early else across.x(mark.at)
        hung.append(_hung(made, text, look.MARKS[mark.role], x, mark))
    if view.onset:
        x = across.x(view.onset[0])
        hung.append(_hung(made, "began", look.BEGAN, x, None))
    return Lane(hung, across)


def _hung(made: Figure, text: str, looks: look.Look, x: float, mark: Mark | None) -> Hung:
    written = made.text(0, 0, text, fontsize=SIZE, fontweight=looks.weight)
    width = written.get_window_extent().width * 72 / made.dpi
    written.remove()
    rank = 2 * mark.rank if mark else _AFTER_THE_SUSPECT
    stem = mark is not None and not mark.early
    return Hung(text, looks, Flag(x, width + 2 * _PAD, rank, stem), mark)


def _stem(axes: Axes, panels: Sequence[Axes], one: Hung, how: How, place: Place | None) -> None:
    looks = one.look if place else replace(one.look, stem=look.UNNAMED)
    x = one.flag.x
    top = FOOT + place.row * look.ROW + 1 if place else FOOT / 2
    axes.plot([x, x], [0, top], color=looks.stem, lw=looks.width, clip_on=False, zorder=2)
    axes.plot(
        *([x], [FOOT / 2 - 1]),
        marker=_SHAPES[how],
        ms=8 if how is How.RESTORED else 5.5,
        mfc=looks.stem,
        mec=look.PAPER,
        mew=0.8,
        clip_on=False,
        zorder=3,
    )
    for panel in panels:
        panel.axvline(x, color=looks.stem, lw=looks.width, ls=looks.dash, zorder=looks.zorder)


def _name(axes: Axes, one: Hung, place: Place) -> None:
    axes.text(
        place.left + _PAD,
        FOOT + place.row * look.ROW + look.ROW / 2,
        one.text,
        fontsize=SIZE,
        fontweight=one.look.weight,
        color=one.look.text,
        va="center_baseline",
        zorder=4,
        bbox={
            "boxstyle": "square,pad=0.2",
            "facecolor": one.look.ground,
            "edgecolor": one.look.frame,
            "linewidth": 1.0,
        },
    )
