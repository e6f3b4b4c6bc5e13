"""The root over what of a document matters, piece by piece.

It is what `root_of_parts` makes of the parts of `meaningful`; but what a node or connection means
is remembered under the hash of its part, so that of successive versions only what is new is
looked at.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from store.canonical import encode
from store.meaning import is_note, meaningful, meant_edge, meant_node
from store.parts import Part, hash_of_part, keys_of, name_of, root_of_parts, take_apart
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
    by_path = {part.path: part for part in parts}
    for name, items in lists.items():
        hashes.update(_hashes(name, items, by_path))
    return root_of_parts(mode, hashes.items(), tag="meaning")


class _Piece(NamedTuple):
    """What a node or connection means: its bytes, its name among its like, its part's hash."""

    data: bytes
    name: str
    hash: str


def _hashes(name: str, items: list[Json], parts: Mapping[str, Part]) -> Iterator[tuple[str, str]]:
    path = f"graph/{name}"
    keys = keys_of(map(name_of, items))
    found = (
        _PIECES.of(name, item, parts[f"{path}/{key}"].hash)
        for key, item in zip(keys, items, strict=True)
        if name != "nodes" or not is_note(item)
    )
    pieces = sorted(found)
    meant_keys = keys_of(piece.name for piece in pieces)
    yield path, hash_of_part(encode(meant_keys))
    for key, piece in zip(meant_keys, pieces, strict=True):
        yield f"{path}/{key}", piece.hash


class _Pieces:
    """What pieces mean, by the hash of their part; those not asked for lately are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _Piece] = OrderedDict()
        self._lock = threading.Lock()  # large documents are looked at off the event loop

    def of(self, name: str, item: Json, part: str) -> _Piece:
        key = (name, part)
        with self._lock:
            piece = self._known.get(key)
            if piece is not None:
                self._known.move_to_end(key)
                return piece
        value = _RULES[name](item)
        data = encode(value)
        piece = _Piece(data, name_of(value), hash_of_part(data))
        with self._lock:
            self._known[key] = piece
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return piece


_PIECES = _Pieces()
