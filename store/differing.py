"""Two stored documents as far as they differ: which parts that takes, and what they make. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

from store.canonical import encode
from store.parts import name_of, put_together
from store.records import Json

_NODES, _EDGES = "graph/nodes", "graph/edges"
_PIECES = (f"{_NODES}/", f"{_EDGES}/")
_ORDERS = frozenset({_NODES, _EDGES})  # parts that list the others; known from the paths
_NONE: frozenset[str] = frozenset()
_TWIN = "#"  # stands before the number of what shares its name with others


@dataclass(frozen=True)
class Differing:
    """Two documents (mode, content) without the nodes and connections that both have.

    A node that shares its id with another one is never left out. `shared` are the nodes that were
    left out and that nobody has called known yet, by the rows of their parts; `ends` are those that
    a connection which differs goes from or to, by their ids. `size` is how many bytes were read.
    """

    before: tuple[str, Mapping[str, Json]]
    after: tuple[str, Mapping[str, Json]]
    shared: Mapping[int, Json] = field(default_factory=dict)
    ends: Mapping[str, Json] = field(default_factory=dict)
    size: int = 0


class Whole:
    """Which part stands at each path of a document; what many comparisons ask of it is kept."""

    def __init__(self, root: str, parts: Mapping[str, int]) -> None:
        self.root = root
        self.parts = parts

    @cached_property
    def others(self) -> frozenset[str]:
        """The paths of all that is neither a node nor a connection."""
        return frozenset(path for path in self.parts if not path.startswith(_PIECES))

    @cached_property
    def nodes(self) -> Mapping[int, str]:
        """The paths of the nodes, by part."""
        return {part: path for path, part in self.parts.items() if path.startswith(_PIECES[0])}

    @cached_property
    def twins(self) -> frozenset[str]:
        """The paths of what shares its name with others."""
        names = {_name(path) for path in self.parts if _TWIN in path}
        return frozenset(path for path in self.parts if _name(path) in names) if names else _NONE


@dataclass(frozen=True)
class Manifest:
    """A document's parts, as what they have other than a whole manifest."""

    mode: str
    base: Whole
    changed: Mapping[str, int] = field(default_factory=dict)
    gone: frozenset[str] = _NONE

    def part(self, path: str) -> int | None:
        """The part at *path*; None where there is none."""
        own = self.changed.get(path)
        return own if own is not None or path in self.gone else self.base.parts.get(path)

    def paths(self) -> frozenset[str]:
        """Where it may have something other than its base."""
        return self.gone.union(self.changed)


@dataclass(frozen=True)
class Overlap:
    """What has to be read to compare two documents: parts by path, and those that both have."""

    old: Mapping[str, int]
    new: Mapping[str, int]
    shared: Mapping[int, str]  # the nodes that are left out and not known, by part

    @property
    def read(self) -> Set[str]:
        """The paths of all that is read of any of both."""
        return (self.old.keys() | self.new.keys()) - _ORDERS

    def places(self) -> dict[int, str]:
        """Where each part stands that has to be read."""
        sides = [*self.new.items(), *self.old.items()]
        return {part: path for path, part in sides if path not in _ORDERS} | {**self.shared}


def overlap(old: Manifest, new: Manifest, known: Set[int]) -> Overlap:
    """Return what to read of two documents, all but the nodes and connections that both have.

    What many versions share is not looked at one by one, if they stand on the same base.
    """
    touched = old.paths() | new.paths()
    if old.base.root != new.base.root:
        touched |= old.base.parts.keys() | new.base.parts.keys()
    differ = {path for path in touched if old.part(path) != new.part(path)}
    kept = differ | old.base.others | new.base.others | old.base.twins | new.base.twins
    kept |= {path for path in touched if not path.startswith(_PIECES)}
    if any(_TWIN in path for path in touched):
        names = {_name(path) for path in touched if _TWIN in path}
        kept |= {p for side in (old, new) for p in side.base.parts if _name(p) in names}
        kept |= {path for path in touched if _name(path) in names}
    both = {part: old.base.nodes[part] for part in old.base.nodes.keys() - known}
    both |= {part: p for p in touched if p.startswith(_PIECES[0]) and (part := old.part(p))}
    shared = {
        part: path
        for part, path in both.items()
        if part not in known and path not in kept and old.part(path) == part
    }
    return Overlap(_at(kept, old), _at(kept, new), shared)


def _at(paths: Iterable[str], manifest: Manifest) -> dict[str, int]:
    found = {path: manifest.part(path) for path in paths}
    return {path: part for path, part in found.items() if part is not None}


def content_of(read: Mapping[str, int], data: Mapping[int, bytes]) -> dict[str, Json]:
    """Return the content that those parts make which were *read*, by path.

    Nodes and connections stand in the order of their paths.

    Raises:
        Unreadable: The parts make no document.
    """
    parts = {path: data[part] for path, part in read.items() if path not in _ORDERS}
    for name in _ORDERS & read.keys():
        keys = (path[len(name) + 1 :] for path in parts if path.startswith(f"{name}/"))
        parts[name] = encode(sorted(keys, key=_place))
    return put_together(parts.items())


def ends_of(
    found: Overlap, old: Manifest, contents: Iterable[Mapping[str, Json]]
) -> dict[str, int]:
    """Return the nodes that were left out and that connections in *contents* go from or to.

    They are parts by the id of the node.
    """
    ends = {
        end: f"{_NODES}/{name_of({'id': end})}"
        for content in contents
        for edge in _edges(content)
        for end in (edge.get("source"), edge.get("target"))
        if isinstance(end, str)
    }
    parts = {end: old.part(path) for end, path in ends.items() if path not in found.read}
    return {end: part for end, part in parts.items() if part is not None}


def _edges(content: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    graph = content.get("graph")
    edges = graph.get("edges") if isinstance(graph, dict) else None
    if not isinstance(edges, list):
        return iter(())
    return (edge for edge in edges if isinstance(edge, dict))


def _name(path: str) -> str:
    return path.partition(_TWIN)[0]


def _place(key: str) -> tuple[str, int]:
    """Twins stand in the order in which they were numbered."""
    name, _, number = key.partition(_TWIN)
    return name, int(number or 1)
