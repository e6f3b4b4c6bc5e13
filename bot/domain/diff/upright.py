"""A picture turned so that its workflow runs downwards, as a phone is held. Pure.

Editors draw from left to right, so that a workflow of six nodes is 1,800 wide and 130 high: in a
message on a phone nobody can read it. Turned, what followed stands below; what was side by side
stays side by side. Places are stretched so that nodes keep their size and do not touch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.domain.diff.picture import HEIGHT, WIDTH, Box, Line, Picture

_MARGIN = 24.0
_APART = (HEIGHT + 40) / (WIDTH + 60)  # of two nodes that follow each other as Dify sets them
_BESIDE = (WIDTH + 30) / (HEIGHT + 30)  # of two that stand above each other
_GAP = 60.0  # of the paper that may be empty all across
_WIDE = 1.6  # times as wide as high: a picture that is less so is readable as it is


def upright(drawn: Picture) -> Picture:
    """Return *drawn* without empty room, and running downwards if it is wide."""
    as_it_is = _on_paper(drawn, drawn.boxes, down=False)
    if as_it_is.width <= _WIDE * as_it_is.height:
        return as_it_is
    turned = _on_paper(drawn, map(_turned, drawn.boxes), down=True)
    return turned if turned.width < as_it_is.width else as_it_is


def _on_paper(drawn: Picture, boxes: Iterable[Box], *, down: bool) -> Picture:
    """*drawn* with its nodes at the places of *boxes*, moved together to the upper left corner."""
    closed = _closed(list(boxes))
    left, top = min(box.x for box in closed) - _MARGIN, min(box.y for box in closed) - _MARGIN
    placed = [replace(box, x=box.x - left, y=box.y - top) for box in closed]
    at = {box.id: box for box in placed}
    led = _led_down if down else _led_right
    return replace(
        drawn,
        boxes=tuple(placed),
        lines=tuple(led(line, at[line.source], at[line.target]) for line in drawn.lines),
        width=max(box.x + box.width for box in placed) + _MARGIN,
        height=max(box.y + box.height for box in placed) + _MARGIN,
        down=down,
    )


def _turned(box: Box) -> Box:
    """A node keeps its size; one that holds others has room for them as they stand now."""
    return replace(
        box,
        x=box.y * _BESIDE,
        y=box.x * _APART,
        width=WIDTH + max(box.height - HEIGHT, 0) * _BESIDE,
        height=HEIGHT + max(box.width - WIDTH, 0) * _APART,
    )


def _closed(boxes: list[Box]) -> list[Box]:
    """Take out the room that nodes have left that are not shown."""
    across = _shifts([(box.x, box.x + box.width) for box in boxes])
    down = _shifts([(box.y, box.y + box.height) for box in boxes])
    return [replace(box, x=box.x - across[box.x], y=box.y - down[box.y]) for box in boxes]


def _shifts(spans: list[tuple[float, float]]) -> dict[float, float]:
    """For the start of each span, by how much what lies before it is wider than it need be."""
    shifts: dict[float, float] = {}
    reached, shift = min(start for start, _ in spans), 0.0
    for start, end in sorted(spans):
        shift += max(start - reached - _GAP, 0.0)
        shifts[start] = shift
        reached = max(reached, end)
    return shifts


def _led_right(line: Line, source: Box, target: Box) -> Line:
    start, end = source.y + source.height / 2, target.y + target.height / 2
    return replace(line, x1=source.x + source.width, y1=start, x2=target.x, y2=end)


def _led_down(line: Line, source: Box, target: Box) -> Line:
    return replace(
        line,
        x1=source.x + source.width / 2,
        y1=source.y + source.height,
        x2=target.x + target.width / 2,
        y2=target.y,
    )
