"""The root over what of a document matters, piece by piece.

It is what `root_of_parts` makes of the parts of `meaningful`; but what a node or connection means
is remembered under the hash of its part, so that of successive versions only what is new is
looked at.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from store.canonical import encode
from store.meaning import is_note, meaningful, meant_edge, meant_node
from store.parts import Part, hash_of_part, keys_of, load, name_of, root_of_parts, take_apart
from store.records import Json

_REMEMBERED = 4096  # pieces; about 2 kB each
_RULES = {"nodes": meant_node, "edges": meant_edge}


def root_of_meaning(mode: str, content: Mapping[str, Json], parts: tuple[Part, ...]) -> str:
    """Return the top (64 hex digits) of the hash tree over what of *content* matters.

    *parts* are those of the whole content.
    """
    graph = content.get("graph")
    lists: dict[str, list[Json]] = {}
    rest = content
    if isinstance(graph, dict):
        lists = {name: graph[name] for name in _RULES if isinstance(graph.get(name), list)}
        rest = {**content, "graph": {**graph, **{name: [] for name in lists}}}
    hashes = {part.path: part.hash for part in take_apart(meaningful(rest))}
    for name in lists:
        hashes.update(_hashes(name, parts))
    return root_of_parts(mode, hashes.items(), tag="meaning")


class _Piece(NamedTuple):
    """What a node or connection means: its bytes, its name among its like, its part's hash."""

    data: bytes
    name: str
    hash: str


def _hashes(name: str, parts: tuple[Part, ...]) -> Iterator[tuple[str, str]]:
    path = f"graph/{name}"
    pieces = sorted(_PIECES.of(name, [p for p in parts if p.path.startswith(f"{path}/")]))
    meant_keys = keys_of(piece.name for piece in pieces)
    yield path, hash_of_part(encode(meant_keys))
    for key, piece in zip(meant_keys, pieces, strict=True):
        yield f"{path}/{key}", piece.hash


_UNKNOWN = _Piece(b"", "", "")


class _Pieces:
    """What pieces mean, by the hash of their part; those not asked for lately are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _Piece | None] = OrderedDict()
        self._lock = threading.Lock()  # large documents are looked at off the event loop

    def of(self, name: str, parts: Sequence[Part]) -> list[_Piece]:
        """Return what *parts* mean, in any order; of a note there is nothing."""
        with self._lock:
            known = {part.hash: self._known.get((name, part.hash), _UNKNOWN) for part in parts}
        new = {part.hash: _piece(name, part) for part in parts if known[part.hash] is _UNKNOWN}
        with self._lock:
            for digest in known:
                self._known[name, digest] = known[digest] = new.get(digest, known[digest])
                self._known.move_to_end((name, digest))
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        found = (known[part.hash] for part in parts)
        return [piece for piece in found if piece is not None]


def _piece(name: str, part: Part) -> _Piece | None:
    item = load(part.path, part.data)
    if name == "nodes" and is_note(item):
        return None
    value = _RULES[name](item)
    data = encode(value)
    return _Piece(data, name_of(value), hash_of_part(data))


_PIECES = _Pieces()
