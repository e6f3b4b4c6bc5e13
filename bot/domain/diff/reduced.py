"""Two contents without what is the same on both sides, word for word; quick. Pure.

In most differences of large workflows nearly all is the same. What is left out here is looked at
once, by a serialiser written in Rust, and by nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeGuard

import orjson

from store.records import Json

Content = Mapping[str, Json]
_SHORT = 80  # characters; shorter texts may name what stands beside them
_NODES, _EDGES = "nodes", "edges"


def alike(was: object, now: object) -> bool:
    """Return True if the two are the same JSON down to the order of keys; quick.

    False says nothing: they may be the same all the same. (`==` would take True for 1.)
    """
    try:
        return orjson.dumps(was) == orjson.dumps(now)
    except orjson.JSONEncodeError:  # what it cannot write: missing, or an integer of 65 bits
        return False


def reduced(old: Content, new: Content) -> tuple[Content, Content]:
    """Return both without the sections, nodes and connections that are alike in them.

    What shares its id with another stays, since only its meaning tells them apart.
    """
    left, right = _without_alike(old, new)
    graph, other = left.get("graph"), right.get("graph")
    if isinstance(graph, dict) and isinstance(other, dict):
        for name in (_NODES, _EDGES):
            if _are_lists(pair := (graph.get(name), other.get(name))):
                graph[name], other[name] = _lists(*pair)
        left["graph"], right["graph"] = _without_alike(graph, other)
        if _are_empty(left["graph"], right["graph"]):
            del left["graph"], right["graph"]
    return left, right


def without_alike(was: Json, now: Json) -> tuple[Json, Json]:
    """Return two values without the lists, objects and long texts that are alike in them.

    Only what stands in objects is left out: an item's neighbours say where it is.
    """
    if not isinstance(was, dict) or not isinstance(now, dict):
        return was, now
    old: dict[str, Json] = {}
    new: dict[str, Json] = {}
    for key, value in was.items():
        if key not in now:
            old[key] = value
        elif not (_is_much(value) and alike(value, now[key])):
            old[key], new[key] = without_alike(value, now[key])
    return old, new | {key: value for key, value in now.items() if key not in was}


def _is_much(value: Json) -> bool:
    return isinstance(value, dict | list) or (isinstance(value, str) and len(value) > _SHORT)


def by_id(items: Iterable[Json]) -> dict[str, Json]:
    """Return the objects among *items* that have a text as `id`, by it; of several the last."""
    return {
        item["id"]: item for item in items if item.__class__ is dict and type(item.get("id")) is str
    }


def _without_alike(old: Content, new: Content) -> tuple[dict[str, Json], dict[str, Json]]:
    """Both without what is alike; a graph is copied and looked at piece by piece."""
    left, right = dict(old), dict(new)
    for name in old.keys() & new.keys():
        was, now = old[name], new[name]
        if name == "graph" and isinstance(was, dict) and isinstance(now, dict):
            left[name], right[name] = dict(was), dict(now)
        elif name not in (_NODES, _EDGES) and alike(was, now):
            del left[name], right[name]
    return left, right


def _are_lists(pair: tuple[Json, Json]) -> TypeGuard[tuple[list[Json], list[Json]]]:
    return isinstance(pair[0], list) and isinstance(pair[1], list)


def _are_empty(*graphs: Mapping[str, Json]) -> bool:
    """Whether nothing but lists of nothing is left, the same ones on both sides."""
    return graphs[0] == graphs[1] and not any(graphs[0].values())


def _lists(old: list[Json], new: list[Json]) -> tuple[list[Json], list[Json]]:
    after = by_id(new)
    seen: set[str] = set()
    same: set[str] = set()
    shared = _twice(new, after)
    write = orjson.dumps
    for was in old:
        key = was.get("id") if was.__class__ is dict else None
        if key.__class__ is not str:
            continue
        if key in seen:
            shared.add(key)
        seen.add(key)
        try:
            if key in after and write(was) == write(after[key]):
                same.add(key)
        except orjson.JSONEncodeError:  # an integer of 65 bits: looked at closely later
            continue
    same -= shared
    return _other_than(old, same), _other_than(new, same)


def _twice(items: list[Json], known: Mapping[str, Json]) -> set[str]:
    if len(items) == len(known):
        return set()
    ids = (item.get("id") for item in items if isinstance(item, dict))
    return {key for key, n in Counter(i for i in ids if isinstance(i, str)).items() if n > 1}


def _other_than(items: list[Json], same: set[str]) -> list[Json]:
    return [item for item in items if item.__class__ is not dict or item.get("id") not in same]
