"""A document taken apart into pieces that versions share, and the hash tree over them. Pure.

Paths: `features`, `app` and other sections whole; `graph`, `graph/viewport`; one path for each
node, edge and variable. A list leaves its order under its own path (`graph/nodes`), as the keys
of its items. A key is the item's id; `#2` follows the second item of the same id, an item
without an id is `#1`, `#2` …, and an id that would be no plain path stands as its digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from store.canonical import Unreadable, encode
from store.records import Json

_LISTS = ("environment_variables", "conversation_variables", "rag_pipeline_variables")
_WHOLE = ("features", "model_config", "dependencies", "app")
_OTHER = "other"
_MOST_KNOWN = 32 * 2**20  # bytes of all that is known
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.:@ -]{1,120}")


class Part(NamedTuple):
    """One piece of a document; `hash` names its `data` (canonical JSON) wherever it stands."""

    path: str
    hash: str
    data: bytes


def take_apart(content: Mapping[str, Json]) -> tuple[Part, ...]:
    """Return the parts of *content* (plain JSON), by path; `put_together` undoes it exactly."""
    found: dict[str, Json] = {}
    rest = dict(content)
    if "graph" in rest:
        _take_graph(rest.pop("graph"), found)
    for name in _LISTS:
        if name in rest:
            _take_list(name, rest.pop(name), found)
    for name in _WHOLE:
        if name in rest:
            found[name] = rest.pop(name)
    if rest:
        found[_OTHER] = rest
    return tuple(_part(path, found[path]) for path in sorted(found))


def put_together(items: Iterable[tuple[str, bytes]]) -> dict[str, Json]:
    """Return the content whose parts are *items* (path, data), in any order.

    Raises:
        Unreadable: A part is missing, is there twice, belongs nowhere or is no JSON.
    """
    parts: dict[str, Json] = {}
    for path, data in items:
        if path in parts:
            raise Unreadable(f"part {path!r} is there twice")
        parts[path] = load(path, data)
    content: dict[str, Json] = {}
    if "graph" in parts:
        content["graph"] = _put_graph(parts)
    for name in _LISTS:
        if name in parts:
            content[name] = _put_list(name, parts)
    for name in _WHOLE:
        if name in parts:
            content[name] = parts.pop(name)
    content.update(_object(_OTHER, parts.pop(_OTHER, {})))
    if parts:
        raise Unreadable(f"part {min(parts)!r} belongs nowhere")
    return content


def hash_of_part(data: bytes) -> str:
    """Return the name (64 hex digits) under which a part with this *data* is kept."""
    return hashlib.sha256(b"keyturn/part/1\n" + data).hexdigest()


def root_of_parts(mode: str, hashes: Iterable[tuple[str, str]], *, tag: str = "document") -> str:
    """Return the top (64 hex digits) of the hash tree over (path, hash of part).

    Three levels: parts, their sections (the path up to the last slash), the whole with *mode*.
    The order of *hashes* does not matter; *tag* keeps trees of different kinds apart.
    """
    sections: dict[str, list[list[str]]] = {}
    for path, part in sorted(hashes):
        sections.setdefault(path.rpartition("/")[0] or path, []).append([path, part])
    level = [[name, _tagged(f"{tag}-section", leaves)] for name, leaves in sorted(sections.items())]
    return _tagged(f"{tag}-root", [mode, level])


def _tagged(tag: str, value: list[Any]) -> str:
    """The hash of lists of texts: of those orjson writes the one form."""
    return hashlib.sha256(f"keyturn/{tag}/1\n".encode() + orjson.dumps(value)).hexdigest()


def _part(path: str, value: Json) -> Part:
    return Part(path, *_KNOWN.named(value))


class _Known:
    """Hash and data of parts, by how orjson writes them.

    What is written alike is the same JSON, whatever the order of its keys makes of it.
    """

    def __init__(self) -> None:
        self._found: dict[bytes, tuple[str, bytes]] = {}
        self._size = 0

    def named(self, value: Json) -> tuple[str, bytes]:
        try:
            written = orjson.dumps(value)
        except orjson.JSONEncodeError:  # a large integer
            return _named(encode(value))
        known = self._found.get(written)
        if known is None:
            known = _named(encode(value))
            self._add(written, known)
        return known

    def _add(self, written: bytes, known: tuple[str, bytes]) -> None:
        if self._size > _MOST_KNOWN:
            self._found, self._size = {}, 0
        self._found[written] = known
        self._size += len(written) + len(known[1])


_KNOWN = _Known()


def _named(data: bytes) -> tuple[str, bytes]:
    return hash_of_part(data), data


def _take_graph(graph: Json, found: dict[str, Json]) -> None:
    if not isinstance(graph, dict):
        found["graph"] = graph
        return
    rest = dict(graph)
    for name in ("nodes", "edges"):
        if isinstance(rest.get(name), list):
            _take_list(f"graph/{name}", rest.pop(name), found)
    if "viewport" in rest:
        found["graph/viewport"] = rest.pop("viewport")
    found["graph"] = rest


def _put_graph(parts: dict[str, Json]) -> Json:
    graph = parts.pop("graph")
    if not isinstance(graph, dict):
        return graph
    if "graph/viewport" in parts:
        graph["viewport"] = parts.pop("graph/viewport")
    for name in ("nodes", "edges"):
        if f"graph/{name}" in parts:
            graph[name] = _put_list(f"graph/{name}", parts)
    return graph


def _take_list(path: str, items: Json, found: dict[str, Json]) -> None:
    if not isinstance(items, list):
        found[path] = items
        return
    keys = keys_of(map(name_of, items))
    found[path] = keys
    found.update((f"{path}/{key}", item) for key, item in zip(keys, items, strict=True))


def _put_list(path: str, parts: dict[str, Json]) -> Json:
    keys = parts.pop(path)
    if not isinstance(keys, list):
        return keys
    try:
        return [parts.pop(f"{path}/{key}") for key in keys]
    except KeyError as missing:
        raise Unreadable(f"part {missing} is missing") from None


def keys_of(names: Iterable[str]) -> list[str]:
    """Return the keys of list items that have these *names*, in order, each once."""
    given = list(names)
    if "" not in (once := set(given)) and len(once) == len(given):
        return given
    seen: Counter[str] = Counter()
    keys = []
    for name in given:
        seen[name] += 1
        keys.append(name if name and seen[name] == 1 else f"{name}#{seen[name]}")
    return keys


def name_of(item: Json) -> str:
    """Return the name of a list item: its id, or the id's digest; "" without one."""
    given = item.get("id") if isinstance(item, dict) else None
    if not isinstance(given, str):
        return ""
    if _PLAIN_KEY.fullmatch(given):
        return given
    return "~" + hashlib.sha256(given.encode()).hexdigest()


def load(path: str, data: bytes) -> Json:
    """Return what the *data* of the part at *path* is as JSON. Raises `Unreadable`."""
    try:
        return _read_quickly(data)
    except (ValueError, RecursionError):
        raise Unreadable(f"part {path!r} is not JSON") from None


def _read_quickly(data: bytes) -> Json:
    """What *data* is as JSON, by orjson where that writes it back as it was.

    It does not for large integers, which it reads as floats, and for very small and large floats.
    """
    found = orjson.loads(data)
    written = orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
    return found if written == data else json.loads(data)


def _object(path: str, value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise Unreadable(f"part {path!r} is not an object")
    return value
