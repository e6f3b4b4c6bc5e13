"""The root over what of a document matters, piece by piece.

It is what `root_of_parts` makes of the parts of `meaningful`; but what a node or connection means
is remembered under the hash of its part, so that of successive versions only what is new is
looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from store.canonical import encode
from store.meaning import is_note, meaningful, meant_edge, meant_node
from store.parts import Part, hash_of_part, keys_of, load, name_of, root_of_parts, take_apart
from store.records import Json

_REMEMBERED = 16_384  # pieces; about 2 kB each
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
    """What pieces mean, by the hash of their part; too many are forgotten all together.

    Threads share it: what two look at in the same moment is looked at twice, with one result.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Piece | None] = {}

    def of(self, name: str, parts: Sequence[Part]) -> list[_Piece]:
        """Return what *parts* mean, in any order; of a note there is nothing."""
        known = self._known
        if len(known) > _REMEMBERED:
            known = self._known = {}
        found = []
        for part in parts:
            at = name, part.hash
            piece = known.get(at, _UNKNOWN)
            if piece is _UNKNOWN:
                piece = known[at] = _piece(name, part)
            if piece is not None:
                found.append(piece)
        return found


def _piece(name: str, part: Part) -> _Piece | None:
    item = load(part.path, part.data)
    if name == "nodes" and is_note(item):
        return None
    value = _RULES[name](item)
    data = encode(value)
    return _Piece(data, name_of(value), hash_of_part(data))


_PIECES = _Pieces()
