"""Which connections between nodes came, went, or have another end now. Pure.

A connection is its two ends with their handles. One that went and one that came are the same one,
reconnected, if they leave from the same handle, or else arrive at the same handle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.diff.missing import MISSING, Missing
from bot.domain.diff.naming import node_title
from bot.domain.diff.walk import ChangeOp
from bot.domain.redact import Redactor
from store.document import encode, meant_edge
from store.records import Json

_END = 60
_TEXT = {str}
_ENDS = ("source", "sourceHandle", "target", "targetHandle")


@dataclass(frozen=True)
class Connection:
    """One connection that differs, in meaning; secrets are in it still."""

    op: ChangeOp
    was: Json | Missing
    now: Json | Missing


def between(old: Sequence[Json], new: Sequence[Json]) -> Iterator[Connection]:
    """Yield the connections that differ, in a fixed order."""
    gone, come = _left(old, new), _left(new, old)
    for of in (_start, _arrival):
        for was, now in _matched(gone, come, of):
            gone.remove(was)
            come.remove(now)
            yield Connection(ChangeOp.RECONNECTED, was, now)
    yield from (Connection(ChangeOp.REMOVED, was, MISSING) for was in gone)
    yield from (Connection(ChangeOp.ADDED, MISSING, now) for now in come)


def _left(these: Sequence[Json], those: Sequence[Json]) -> list[Json]:
    """What of *these* is not among *those*, in meaning, each as often as it is missing there."""
    there = Counter(_key(edge) for edge in those)
    mine: dict[Hashable, list[Json]] = {}
    for edge in these:
        mine.setdefault(_key(edge), []).append(edge)
    left = [edges[0] for key, edges in mine.items() for _ in range(len(edges) - there[key])]
    return sorted((meant_edge(edge) for edge in left), key=encode)


def _key(edge: Json) -> Hashable:
    """What makes a connection the one that it is; quick for those that look as they should."""
    try:
        ends = edge["source"], edge["sourceHandle"], edge["target"], edge["targetHandle"]
        if {*map(type, ends)} == _TEXT:
            return ends
    except (KeyError, TypeError, IndexError):
        pass  # handles may be left out; it may be no object
    meant = meant_edge(edge)
    named = tuple(meant[end] for end in _ENDS) if isinstance(meant, dict) else ()
    return named if {*map(type, named)} == _TEXT else encode(meant)


def _matched(
    gone: Sequence[Json], come: Sequence[Json], of: Callable[[Json], Hashable]
) -> list[tuple[Json, Json]]:
    waiting: dict[Hashable, list[Json]] = {}
    for edge in come:
        waiting.setdefault(of(edge), []).append(edge)
    pairs = []
    for edge in gone:
        key = of(edge)
        if key is not None and waiting.get(key):
            pairs.append((edge, waiting[key].pop(0)))
    return pairs


def _start(edge: Json) -> Hashable:
    return _end(edge, "source", "sourceHandle")


def _arrival(edge: Json) -> Hashable:
    return _end(edge, "target", "targetHandle")


def _end(edge: Json, node: str, handle: str) -> Hashable:
    if not isinstance(edge, dict):
        return None
    ends = edge[node], edge[handle]
    return ends if all(isinstance(end, str) for end in ends) else None


def path_of(edge: Json) -> tuple[str, ...]:
    """Return the path to a connection, in meaning."""
    if not isinstance(edge, dict):
        return ("edges", "?")
    return ("edges", ":".join(str(edge[key]) for key in ("source", "sourceHandle", "target")))


@dataclass(frozen=True)
class Names:
    """Calls connections by the titles of their nodes, as people may see them."""

    nodes: Sequence[Mapping[str, Json]]  # by id; each is in one of them
    redactor: Redactor

    def __call__(self, connection: Connection) -> str:
        """What *connection* is called; a reconnected one with the end that it had."""
        if isinstance(connection.was, Missing):
            return self.one(connection.now)
        if isinstance(connection.now, Missing):
            return self.one(connection.was)
        return self.both(connection.was, connection.now)

    def one(self, edge: Json) -> str:
        """ "Classify (true) → Answer"; the handle of a node that has but one is not told."""
        if not isinstance(edge, dict):
            return "connection"
        return f"{self._start(edge)} → {self._node(edge['target'])}"

    def both(self, was: Json, now: Json) -> str:
        """ "Classify → Answer (was Search)"."""
        start, old_start = self._start(now), self._start(was)
        end, old_end = self._node(now["target"]), self._node(was["target"])
        start += f" (was {old_start})" if old_start != start else ""
        end += f" (was {old_end})" if old_end != end else ""
        return f"{start} → {end}"

    def _start(self, edge: dict[str, Json]) -> str:
        handle = str(edge["sourceHandle"])
        branch = "" if handle == "source" else f" ({self.redactor.shown(handle)[:_END]})"
        return self._node(edge["source"]) + branch

    def _node(self, node: Json) -> str:
        name = str(node)
        there = (nodes[name] for nodes in self.nodes if name in nodes)
        return self.redactor.shown(next(map(node_title, there), name))[:_END]
