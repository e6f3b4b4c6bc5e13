"""Letters that the installed fonts have. A chart never warns of a missing one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from matplotlib import font_manager
from matplotlib.font_manager import FontEntry

FIRST = "DejaVu Sans"  # comes with matplotlib
INSTEAD = "□"
_WEIGHTS = (400, 700)
_SEARCHED = 300  # fonts at most; each must be opened to see which letters it has
_UNFIT = re.compile("emoji|last ?resort", re.IGNORECASE)


@dataclass(frozen=True)
class Letters:
    """The font families to draw with, and the letters that none of them has."""

    families: list[str]
    missing: frozenset[str]

    def shown(self, text: str) -> str:
        """Return *text* with a box for each letter that cannot be drawn."""
        return "".join(INSTEAD if char in self.missing else char for char in text)


def letters(texts: Iterable[str]) -> Letters:
    """Find fonts for all letters of *texts*: few, and in most cases the first alone."""
    files = _files()
    families = [FIRST]
    missing = _without({char for text in texts for char in text}, files.pop(FIRST))
    for family in islice(sorted(files), _SEARCHED if missing else 0):
        left = _without(missing, files[family])
        if len(left) < len(missing):
            families.append(family)
            missing = left
        if not missing:
            break
    return Letters(families, frozenset(missing))


def _files() -> dict[str, list[str]]:
    """The upright fonts of each family, of which one will stand for normal and one for bold."""
    found: dict[str, list[str]] = {}
    entries: list[FontEntry] = font_manager.fontManager.ttflist
    for entry in entries:
        fit = entry.style == "normal" and entry.weight in _WEIGHTS
        if fit and not _UNFIT.search(entry.name):
            found.setdefault(entry.name, []).append(entry.fname)
    return found


def _without(chars: set[str], files: list[str]) -> set[str]:
    """Those of *chars* that one of *files* lacks: any of them may be taken for a bold text."""
    try:
        fonts = [font_manager.get_font(file) for file in files]
    except (OSError, RuntimeError):  # it went, or it is no font
        return chars
    return {char for char in chars if not all(font.get_char_index(ord(char)) for font in fonts)}
