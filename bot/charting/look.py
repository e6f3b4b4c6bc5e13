"""Sizes and colours. One point is one pixel of a phone; the picture has twice as many.

Colours can be told apart by people who see red and green alike (after Okabe and Ito, 2008,
"Color Universal Design"), and each comes with a shape, a dash or a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.domain.chart.view import Role

WIDTH: Final = 360.0
DPI: Final = 144  # two pixels a point
LEFT, RIGHT = 43.0, 10.0
MARGIN = 8.0
TITLE, HEADLINE = 17.0, 15.0  # heights of lines
ROW = 14.0  # of flags
STRIP = 14.0  # above a panel
PANELS: Final[dict[int, tuple[float, ...]]] = {  # heights by how many there are
    1: (130.0,),
    2: (96.0, 78.0),
    3: (84.0, 58.0, 58.0),
}
NO_PANEL: Final = 60.0
BAR = 7.0
TIMES = 27.0

INK, SOFT, FAINT = "#1d1c1d", "#5c5c5c", "#d9d9d9"
LINE, ONSET, ALERT = "#0062a8", "#cc79a7", "#e69f00"
ONSET_INK, ONSET_GROUND = "#7a2f5b", "#f0d6e4"
UNNAMED = "#bdbdbd"
BAD, GOOD = "#c42b00", "#00734f"
PAPER = "#ffffff"


@dataclass(frozen=True)
class Look:
    """How a mark looks: its stem, and its flag (text, ground and frame)."""

    stem: str
    width: float
    dash: str | tuple[float, tuple[float, ...]]
    text: str
    ground: str = PAPER
    frame: str = PAPER
    weight: str = "normal"
    zorder: float = 2.2


MARKS: Final = {
    Role.SUSPECT: Look(BAD, 2.0, "-", PAPER, BAD, BAD, "bold", 2.6),
    Role.CANDIDATE: Look(GOOD, 1.6, (0, (6, 1.5, 1.5, 1.5)), GOOD, PAPER, GOOD, "bold"),
    Role.OWN: Look("#8a8a8a", 0.9, "-", SOFT),
    Role.BEHIND: Look("#8a8a8a", 0.9, (0, (3, 2)), SOFT),
}
BEGAN: Final = Look(ONSET, 0.0, "-", ONSET_INK, ONSET_GROUND, ONSET_GROUND, "bold")
