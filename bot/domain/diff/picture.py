"""What a picture of a difference shows: both graphs in one, and what became of each piece. Pure.

Nodes stand where their editors put them; those that went, where they were. Of a large graph only
what changed and its neighbours are shown, so that it can be read on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from unicodedata import east_asian_width

from bot.domain.diff.changes import ChangeList, ChangeOp
from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.label import clip
from bot.domain.diff.naming import node_title
from bot.domain.diff.reduced import by_id
from bot.domain.redact import Redactor
from store.document import Document, is_note
from store.records import Json

WIDTH, HEIGHT = 244.0, 84.0  # of a node, as Dify draws them
MOST = 40  # nodes; of more, only what changed and its neighbours are shown
_GAP_X, _GAP_Y = 90.0, 40.0
_FAR = 1e6  # a place beyond it is no place
_MARGIN = 24.0
_BELOW = 30.0
_TITLE, _TYPE = 23, 28  # columns of a fixed-width font; a Chinese character takes two
_BOXES = frozenset({"iteration", "loop"})


class Fate(StrEnum):
    """What became of a node or a connection."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Box:
    """A node: its upper left corner and size, what it is called, and what changed in it."""

    id: str
    title: str
    type: str
    fate: Fate
    changed: str
    x: float
    y: float
    width: float
    height: float
    container: bool = False


@dataclass(frozen=True)
class Line:
    """A connection from the right side of one node to the left side of another."""

    source: str
    target: str
    fate: Fate
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Picture:
    """Containers first, so that what is in them is drawn on top. Its corner is (0, 0)."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float
    left_out: int = 0  # unchanged nodes that are not shown
    down: bool = False  # it runs downwards, not to the right

    @property
    def has_news(self) -> bool:
        """Whether anything that it shows was changed."""
        fates = {box.fate for box in self.boxes} | {line.fate for line in self.lines}
        return bool(fates - {Fate.SAME})


def picture(
    before: Document, after: Document, changes: ChangeList, *, most: int = MOST
) -> Picture | None:
    """Return the picture of a difference; None where neither side has a graph with nodes.

    Of more than *most* nodes only what changed and its neighbours are shown.
    """
    old, new = _nodes(before), _nodes(after)
    if not old and not new:
        return None
    ends = _connections(before, after)
    told = _told(changes)
    nodes = {**old, **new}
    shown, left_out = _shown(nodes, told, ends, most)
    places = _placed({key: nodes[key] for key in shown}, ends)
    redactor = Redactor()
    boxes = [_box(key, nodes[key], told.get(_step(key)), places[key], redactor) for key in shown]
    return _framed(_beside(boxes), ends, left_out)


# -- What is there ----------------------------------------------------------------------------


def _graph(document: Document) -> Mapping[str, Json]:
    graph = document.content.get("graph")
    return graph if isinstance(graph, dict) else {}


def _nodes(document: Document) -> dict[str, Json]:
    nodes = _graph(document).get("nodes")
    known = by_id(nodes if isinstance(nodes, list) else ())
    return {key: node for key, node in known.items() if not is_note(node)}


def _connections(before: Document, after: Document) -> dict[tuple[str, str], Fate]:
    """What became of each pair of connected nodes; what stayed at one handle stayed."""
    old, new = _pairs(before), _pairs(after)
    fates = dict.fromkeys(sorted(old & new), Fate.SAME)
    fates |= dict.fromkeys(sorted(old - new), Fate.REMOVED)
    return fates | dict.fromkeys(sorted(new - old), Fate.ADDED)


def _pairs(document: Document) -> set[tuple[str, str]]:
    edges = _graph(document).get("edges")
    found = ((e.get("source"), e.get("target")) for e in edges or () if isinstance(e, dict))
    return {(a, b) for a, b in found if isinstance(a, str) and isinstance(b, str)}


@dataclass(frozen=True)
class _Told:
    fate: Fate
    kinds: tuple[str, ...] = ()


def _told(changes: ChangeList) -> dict[str, _Told]:
    """What the changes say of each node, by the step that names it in their paths."""
    told: dict[str, _Told] = {}
    for change in changes.changes:
        section, _, rest = change.where.partition("/")
        if section != "nodes" or change.kind is ChangeKind.LAYOUT:
            continue
        step, _, inside = rest.partition("/")
        known = told.get(step, _Told(Fate.CHANGED))
        if not inside and change.op in (ChangeOp.ADDED, ChangeOp.REMOVED):
            told[step] = replace(known, fate=Fate(change.op.value))
        elif change.kind.value not in known.kinds:
            told[step] = replace(known, kinds=(*known.kinds, change.kind.value))
    return told


def _step(key: str) -> str:
    """How a node's id stands in the path of a change."""
    return key.replace("/", "_")[:80]


def _shown(
    nodes: Mapping[str, Json],
    told: Mapping[str, _Told],
    ends: Mapping[tuple[str, str], Fate],
    most: int,
) -> tuple[list[str], int]:
    if len(nodes) <= most:
        return list(nodes), 0
    touched = {key for key in nodes if _step(key) in told}
    touched |= {key for pair, fate in ends.items() if fate is not Fate.SAME for key in pair}
    near = touched | {
        key for pair in ends if not touched.isdisjoint(pair) for key in pair if key in nodes
    }
    near |= {p for key in near & nodes.keys() if (p := _parent(nodes[key])) in nodes}
    shown = [key for key in nodes if key in near]
    if len(shown) > 2 * most:
        shown = [key for key in nodes if key in touched][: 2 * most]
    return shown, len(nodes) - len(shown)


# -- Where it stands --------------------------------------------------------------------------


def _parent(node: Json) -> str:
    found = node.get("parentId") if isinstance(node, dict) else None
    return found if isinstance(found, str) else ""


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < _FAR else None


def _point(value: Json) -> tuple[float, float] | None:
    if not isinstance(value, dict):
        return None
    x, y = _number(value.get("x")), _number(value.get("y"))
    return None if x is None or y is None else (x, y)


def _placed(
    nodes: Mapping[str, Json], ends: Iterable[tuple[str, str]]
) -> dict[str, tuple[float, float, float, float]]:
    """x, y, width and height of each node; in layers where the editors' places say nothing."""
    sizes = {key: _size(node) for key, node in nodes.items()}
    places = {key: _place(node, nodes) for key, node in nodes.items()}
    known = [place for place in places.values() if place is not None]
    if len(known) < len(nodes) or (len(nodes) > 1 and len(set(known)) == 1):
        places = dict(_layers(nodes, ends))
    return {key: (*(places[key] or (0.0, 0.0)), *sizes[key]) for key in nodes}


def _place(node: Json, nodes: Mapping[str, Json]) -> tuple[float, float] | None:
    """Where a node stands; in a container its place is told from the container's corner."""
    here = _point(node.get("position"))
    parent = nodes.get(_parent(node))
    if here is None or parent is None or parent is node or _parent(parent):
        return here
    corner = _point(parent.get("position"))
    return here if corner is None else (corner[0] + here[0], corner[1] + here[1])


def _size(node: Json) -> tuple[float, float]:
    data = node.get("data")
    inside: Mapping[str, Json] = data if isinstance(data, dict) else {}
    if inside.get("type") in _BOXES:
        width, height = (
            _number(inside.get(side)) or _number(node.get(side)) for side in ("width", "height")
        )
        return max(width or 0, WIDTH), max(height or 0, HEIGHT)
    return WIDTH, HEIGHT


def _layers(
    nodes: Mapping[str, Json], ends: Iterable[tuple[str, str]]
) -> Iterable[tuple[str, tuple[float, float]]]:
    """Each node right of all that lead to it, as far as there is no circle."""
    layer = dict.fromkeys(nodes, 0)
    pairs = [(a, b) for a, b in ends if a in layer and b in layer]
    for _ in range(min(len(layer), 100)):
        before = dict(layer)
        for a, b in pairs:
            layer[b] = min(max(layer[b], layer[a] + 1), len(layer))
        if layer == before:
            break
    rows: dict[int, int] = {}
    for key, column in layer.items():
        row = rows.get(column, 0)
        rows[column] = row + 1
        yield key, (column * (WIDTH + _GAP_X), row * (HEIGHT + _GAP_Y))


# -- How it looks -----------------------------------------------------------------------------


def _box(
    key: str,
    node: Json,
    told: _Told | None,
    place: tuple[float, float, float, float],
    redactor: Redactor,
) -> Box:
    data = node.get("data")
    kind = data.get("type") if isinstance(data, dict) else ""
    x, y, width, height = place
    return Box(
        id=key,
        title=_narrow(redactor.shown(node_title(node)), _TITLE),
        type=_narrow(redactor.shown(str(kind or "")), _TYPE),
        fate=told.fate if told else Fate.SAME,
        changed=_narrow(", ".join(told.kinds), _TYPE) if told and told.fate is Fate.CHANGED else "",
        x=x,
        y=y,
        width=width,
        height=height,
        container=kind in _BOXES,
    )


def _narrow(text: str, columns: int) -> str:
    """*text* on one line, cut so that it takes at most so many columns."""
    line = clip(text, columns + 1)
    room = columns
    for at, char in enumerate(line):
        room -= 2 if east_asian_width(char) in "WF" else 1
        if room < 0:
            return line[: max(at - 1, 0)] + "…"
    return line


def _beside(boxes: list[Box]) -> list[Box]:
    """Put what went below what stands in its place now, so that it hides nothing."""
    placed = [box for box in boxes if box.fate is not Fate.REMOVED or box.container]
    standing = [box for box in placed if not box.container]
    for box in boxes:
        if box.fate is not Fate.REMOVED or box.container:
            continue
        while any(_touch(box, other) for other in standing):
            box = replace(box, y=box.y + HEIGHT + _BELOW)
        standing.append(box)
        placed.append(box)
    return placed


def _touch(one: Box, other: Box) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    apart = abs(one.y - other.y) >= HEIGHT + _BELOW
    return not beside and not apart


def _framed(boxes: list[Box], ends: Mapping[tuple[str, str], Fate], left_out: int) -> Picture:
    """Everything moved so that the upper left corner is (0, 0), with a margin around it."""
    left, top = min(box.x for box in boxes) - _MARGIN, min(box.y for box in boxes) - _MARGIN
    moved = [replace(box, x=box.x - left, y=box.y - top) for box in boxes]
    at = {box.id: box for box in moved}
    lines = [
        Line(a, b, fate, *_ends(at[a], at[b]))
        for (a, b), fate in ends.items()
        if a in at and b in at
    ]
    return Picture(
        boxes=tuple(sorted(moved, key=lambda box: (not box.container, box.y, box.x, box.id))),
        lines=tuple(sorted(lines, key=lambda line: line.fate is not Fate.SAME)),
        width=max(box.x + box.width for box in moved) + _MARGIN,
        height=max(box.y + box.height for box in moved) + _MARGIN,
        left_out=left_out,
    )


def _ends(source: Box, target: Box) -> tuple[float, float, float, float]:
    start, end = source.y + source.height / 2, target.y + target.height / 2
    return source.x + source.width, start, target.x, end
