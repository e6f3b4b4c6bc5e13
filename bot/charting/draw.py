"""Draws charts with matplotlib: a view as JSON comes in, a PNG goes out.

`bot.charting.apart` runs `main` in an isolated process of its own.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import matplotlib as mpl
import msgspec
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bot.charting import look
from bot.charting.glyphs import Letters, letters
from bot.charting.lane import Lane, lane_of
from bot.charting.panels import Across, bar, panel, time_axis
from bot.domain.chart import words
from bot.domain.chart.view import ChartView, Panel


def png(view: ChartView) -> bytes:
    """Return *view* as a PNG, twice as many pixels wide as a phone shows."""
    with style(view) as found:
        drawn = BytesIO()
        figure(view, found).savefig(drawn, format="png")
    return drawn.getvalue()


@contextmanager
def style(view: ChartView) -> Iterator[Letters]:
    """What holds for all texts while *view* is drawn, whatever a settings file says."""
    found = letters(_texts(view))
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "font.family": found.families,
                "font.size": 9.0,
                "text.parse_math": False,  # a name may hold a dollar
                "text.hinting": "none",  # a text twice as large is twice as wide
                "text.color": look.INK,
                "hatch.linewidth": 0.5,
            }
        )
        yield found


def _texts(view: ChartView) -> list[str]:
    return [view.where, view.headline, view.alert, *(mark.label for mark in view.marks), "◀↩~…–−"]


def figure(view: ChartView, found: Letters) -> Figure:
    """Return *view* as a figure: title, names of versions, panels, alert, times; top to bottom."""
    made = Figure(figsize=(look.WIDTH / 72, 1), dpi=look.DPI, facecolor=look.PAPER)
    FigureCanvasAgg(made)
    across = Across(view.began, view.ended)
    lane = lane_of(view, across, made, found)
    page = _Page(made, _height(view, lane))
    page.title(found.shown(view.where), found.shown(view.headline))
    top = page.room(lane.height)
    panels = []
    for one, height in _sized(view):
        page.skip(look.STRIP)
        panels.append(page.room(height))
        panel(panels[-1], one, across)
    lane.draw(top, panels, view.onset)
    lowest = panels[-1]
    if view.firings:
        page.skip(look.STRIP)
        lowest = page.room(look.BAR)
        said = words.fired(view.firings, view.ended)
        bar(lowest, f"{found.shown(view.alert)} {said}", view, across)
    time_axis(lowest, view, across, lane.unnamed)
    return made


def _sized(view: ChartView) -> list[tuple[Panel | None, float]]:
    """The panels with their heights; without any, one to hold the versions."""
    heights = look.PANELS.get(len(view.panels), ())
    return list(zip(view.panels, heights, strict=True)) or [(None, look.NO_PANEL)]


def _height(view: ChartView, lane: Lane) -> float:
    panels = sum(look.STRIP + height for _, height in _sized(view))
    alert = look.STRIP + look.BAR if view.firings else 0.0
    head = look.MARGIN + look.TITLE + look.HEADLINE
    return head + lane.height + panels + alert + look.TIMES + look.MARGIN


class _Page:
    """A figure that is filled from the top down, in points."""

    def __init__(self, made: Figure, height: float) -> None:
        self._figure, self._height, self._y = made, height, look.MARGIN
        made.set_size_inches(look.WIDTH / 72, height / 72)

    def skip(self, height: float) -> None:
        self._y += height

    def room(self, height: float) -> Axes:
        """Return axes of *height* between the margins."""
        self._y += height
        width = look.WIDTH - look.LEFT - look.RIGHT
        box = (look.LEFT, self._height - self._y, width, height)
        across, up = look.WIDTH, self._height
        return self._figure.add_axes(
            (box[0] / across, box[1] / up, box[2] / across, box[3] / up), facecolor="none"
        )

    def title(self, where: str, headline: str) -> None:
        for text, height, size, weight in (
            (where, look.TITLE, 13.0, "bold"),
            (headline, look.HEADLINE, 9.5, "normal"),
        ):
            self._y += height
            up = 1 - (self._y - 4) / self._height
            written = self._figure.text(
                look.MARGIN / look.WIDTH, up, text, fontsize=size, fontweight=weight
            )
            width = written.get_window_extent().width * 72 / self._figure.dpi
            room = look.WIDTH - 2 * look.MARGIN
            if width > room:  # a little less: letters are not exactly as wide as they are large
                written.set_fontsize(size * room / width * 0.96)


def main() -> None:
    """Draw what comes in."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a font without bold is no news
    view = msgspec.json.decode(sys.stdin.buffer.read(), type=ChartView)
    sys.stdout.buffer.write(png(view))


if __name__ == "__main__":
    main()
