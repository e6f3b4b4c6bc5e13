"""What only looks different: where nodes stand, how large they are, notes. Off by default. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.domain.diff.found import Found
from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.naming import node_title
from bot.domain.diff.walk import ChangeOp, same
from bot.domain.redact import Redactor
from store.document import is_note, layout
from store.records import Json


def layout_between(
    old: Mapping[str, Json], new: Mapping[str, Json], redactor: Redactor
) -> Iterator[Found]:
    """Yield one change a node of both contents that is drawn otherwise, and one a note."""
    before, after = _nodes(old), _nodes(new)
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        there = was if now is None else now
        note = is_note(there)
        if not note and (was is None or now is None):
            continue  # it is a change of its own that it came or went
        yield from _one(key, was, now, "note" if note else node_title(there), redactor)


def _one(key: str, was: Json, now: Json, subject: str, redactor: Redactor) -> Iterator[Found]:
    old: Json = None if was is None else layout(was)
    new: Json = None if now is None else layout(now)
    if same(old, new):
        return
    op = ChangeOp.ADDED if was is None else ChangeOp.REMOVED if now is None else ChangeOp.CHANGED
    if op is ChangeOp.CHANGED and _rest(old) == _rest(new):
        op, old, new = ChangeOp.MOVED, old.get("position"), new.get("position")
    sides = redactor.conceal(old), redactor.conceal(new)
    yield Found(ChangeKind.LAYOUT, op, subject, ("nodes", key, "layout"), *sides)


def _rest(drawn: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in drawn.items() if key != "position"}


def _nodes(content: Mapping[str, Json]) -> dict[str, Json]:
    graph = content.get("graph")
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    return {
        node["id"]: node
        for node in (nodes if isinstance(nodes, list) else ())
        if isinstance(node, dict) and isinstance(node.get("id"), str)
    }
