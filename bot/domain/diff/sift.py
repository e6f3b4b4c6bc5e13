"""Two configurations as JSON text, read only where they differ. Pure.

Nodes and connections are found in the text without being read (msgspec's `Raw`,
https://jcristharif.com/msgspec/api.html#raw): of those that are there word for word on both
sides no object is made. That takes a fraction of what reading them takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Any

import msgspec
import orjson
from msgspec import UNSET, Raw, UnsetType

from bot.domain.diff.left_out import LeftOut
from bot.domain.redact_fields import DRAWN, OPEN_FIELDS, node_may_hold_credentials
from store.records import Json


class _Graph(msgspec.Struct, forbid_unknown_fields=True):
    nodes: list[Raw] | UnsetType = UNSET
    edges: list[Raw] | UnsetType = UNSET
    viewport: Raw | UnsetType = UNSET


class _Configuration(msgspec.Struct):
    """What Dify answers, by sections; what else it has in there is skipped."""

    graph: _Graph
    mode: Raw | UnsetType = UNSET
    features: Raw | UnsetType = UNSET
    environment_variables: Raw | UnsetType = UNSET
    conversation_variables: Raw | UnsetType = UNSET
    rag_pipeline_variables: Raw | UnsetType = UNSET
    model_config: Raw | UnsetType = UNSET
    dependencies: Raw | UnsetType = UNSET
    app: Raw | UnsetType = UNSET


_UNREAD: Any = Raw | UnsetType


def _struct(name: str, fields: Iterable[str], **more: Any) -> type[msgspec.Struct]:
    """The type of an object that has some of these *fields*, unread, and no other."""
    declared = [(field, _UNREAD, UNSET) for field in sorted(fields)]
    return msgspec.defstruct(name, declared, forbid_unknown_fields=True, **more)


def _open_nodes() -> msgspec.json.Decoder[Any]:
    """Reads the ids of nodes whose fields say already that they hold no credential."""
    kinds = [
        _struct(f"Data{n}", fields - {"type"}, tag_field="type", tag=kind)
        for n, (kind, fields) in enumerate(OPEN_FIELDS.items())
    ]
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("id", str),
        ("data", reduce(or_, kinds)),
    ]
    fields += [(name, _UNREAD, UNSET) for name in sorted(DRAWN - {"id", "data"})]
    node = msgspec.defstruct("Node", fields, forbid_unknown_fields=True)
    return msgspec.json.Decoder(node)


_CONFIGURATION = msgspec.json.Decoder(_Configuration)
_OPEN_NODES = _open_nodes()
_NOT_SO = (msgspec.MsgspecError, orjson.JSONDecodeError, UnicodeDecodeError, RecursionError)
_SECTIONS = tuple(name for name in _Configuration.__struct_fields__ if name != "graph")


def sift(before: bytes, after: bytes) -> tuple[dict[str, Json], dict[str, Json], LeftOut] | None:
    """Return both without nodes and connections that are the same, and what those were.

    None for what is no workflow as Dify writes it, or no JSON: whoever asks reads it in full.
    """
    try:
        for side in (before, after):
            _check_encoding(side)
        old, new = _CONFIGURATION.decode(before), _CONFIGURATION.decode(after)
        nodes, left_out = _sifted(_list(old.graph.nodes), _list(new.graph.nodes))
        edges = _sifted_edges(_list(old.graph.edges), _list(new.graph.edges))
        older, newer = (_read(*side) for side in zip((old, new), nodes, edges, strict=True))
    except _NOT_SO:
        return None
    return older, newer, left_out


def _check_encoding(text: bytes) -> None:
    """What is skipped is not looked at for being UTF-8."""
    if not text.isascii():
        text.decode()


def _list(found: list[Raw] | UnsetType) -> list[Raw]:
    return [] if found is UNSET else found


def _read(side: _Configuration, nodes: list[Json], edges: list[Json]) -> dict[str, Json]:
    graph: dict[str, Json] = {}
    if side.graph.nodes is not UNSET:
        graph["nodes"] = nodes
    if side.graph.edges is not UNSET:
        graph["edges"] = edges
    if side.graph.viewport is not UNSET:
        graph["viewport"] = _load(side.graph.viewport)
    found = {name: getattr(side, name) for name in _SECTIONS}
    return {"graph": graph} | {name: _load(raw) for name, raw in found.items() if raw is not UNSET}


Pairs = dict[int, int]  # places of what is the same: in the older list, in the newer one
Lists = tuple[list[Json], list[Json]]


def _pairs(old: list[Raw], new: list[Raw]) -> Pairs:
    """What is there word for word in both, each used once.

    Most stand in the same order: those are found side by side, the others by their hashes.
    """
    pairs, gone, come = _in_order(old, new)
    places: dict[bytes, list[int]] = {}
    for j in come:
        places.setdefault(bytes(new[j]), []).append(j)
    for i in gone:
        there = places.get(bytes(old[i]))
        if there:
            pairs[i] = there.pop()
    return pairs


def _in_order(old: list[Raw], new: list[Raw]) -> tuple[Pairs, list[int], list[int]]:
    """The same ones in the same order, as far as looking one ahead finds them; and the others."""
    pairs: Pairs = {}
    gone: list[int] = []
    come: list[int] = []
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            pairs[i] = j
            i, j = i + 1, j + 1
            continue
        left_out = old[i + 1 : i + 2] == [new[j]]
        put_in = new[j + 1 : j + 2] == [old[i]]
        if left_out or not put_in:
            gone.append(i)
            i += 1
        if not left_out:
            come.append(j)
            j += 1
    return pairs, [*gone, *range(i, len(old))], [*come, *range(j, len(new))]


def _sifted_edges(old: list[Raw], new: list[Raw]) -> Lists:
    return _without(old, new, _pairs(old, new))


def _sifted(old: list[Raw], new: list[Raw]) -> tuple[Lists, LeftOut]:
    pairs = _pairs(old, new)
    looked = {i: _looked_at(old[i]) for i in pairs}
    lists = _without(old, new, pairs)
    names = Counter(name for name, _ in looked.values())
    names.update(_name(node) for side in lists for node in side)
    if shared := [i for i, (name, _) in looked.items() if names[name] > 1 or not name]:
        for i in shared:  # which of its namesakes a node is, only what they mean tells
            del pairs[i], looked[i]
        lists = _without(old, new, pairs)
    suspects = [node for _, node in looked.values() if node is not None]
    return lists, LeftOut(suspects, _Nodes({name: old[i] for i, (name, _) in looked.items()}))


def _without(old: list[Raw], new: list[Raw], pairs: Pairs) -> Lists:
    """Both lists, read, without those *pairs*."""
    others = set(pairs.values())
    return (
        [_load(raw) for i, raw in enumerate(old) if i not in pairs],
        [_load(raw) for j, raw in enumerate(new) if j not in others],
    )


def _looked_at(node: Raw) -> tuple[str, Json]:
    """The name of a node, and all of it if it may hold credentials."""
    try:
        return _OPEN_NODES.decode(node).id, None
    except msgspec.ValidationError:
        read = _load(node)
        return _name(read), read if node_may_hold_credentials(read) else None


def _name(node: Json) -> str:
    """Its id; "" for what has none."""
    name = node.get("id") if isinstance(node, dict) else None
    return name if isinstance(name, str) else ""


def _load(raw: Raw) -> Json:
    return orjson.loads(bytes(raw))


class _Nodes(Mapping[str, Json]):
    """Nodes by id, each read when it is asked for."""

    def __init__(self, pieces: Mapping[str, Raw]) -> None:
        self._pieces = pieces

    def __getitem__(self, name: str) -> Json:
        return _load(self._pieces[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)
