"""Where two JSON values differ: the generic part of a difference, which knows nothing of Dify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from store.document import encode
from store.records import Json

_KEYS = ("case_id", "id", "variable", "name", "key")  # what names an item of a list, best first


class ChangeOp(StrEnum):
    """What became of a thing between before and after."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Difference:
    """One place that differs: keys and positions (from 1) down to it, and what stands there."""

    path: tuple[str, ...]
    op: ChangeOp
    before: Json
    after: Json


def differences(before: Json, after: Json, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Yield where *before* and *after* differ, in a fixed order; nothing exactly if they are equal.

    Objects are compared key by key; lists of named objects by name, with their order as a place
    of its own; other lists of objects by position; lists of anything else as a whole.
    """
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _objects(before, after, path)
    elif (name := _naming(before, after)) is not None:
        yield from _named(before, after, name, path)
    elif _positional(before, after):
        yield from _objects(_numbered(before), _numbered(after), path)
    else:
        yield Difference(path, ChangeOp.CHANGED, before, after)


def same(before: Json, after: Json) -> bool:
    """Return True if the two are the same JSON: True is not 1, and 1 is not 1.0."""
    if type(before) is not type(after):
        return False
    if isinstance(before, dict | list):
        return encode(before) == encode(after)
    return bool(before == after)


def _objects(
    before: dict[str, Json], after: dict[str, Json], path: tuple[str, ...]
) -> Iterator[Difference]:
    for key in [*before, *(key for key in after if key not in before)]:
        here = (*path, key)
        if key not in after:
            yield Difference(here, ChangeOp.REMOVED, before[key], None)
        elif key not in before:
            yield Difference(here, ChangeOp.ADDED, None, after[key])
        else:
            yield from differences(before[key], after[key], here)


def _named(
    before: list[dict[str, Json]], after: list[dict[str, Json]], name: str, path: tuple[str, ...]
) -> Iterator[Difference]:
    old = {item[name]: item for item in before}
    new = {item[name]: item for item in after}
    yield from _objects(old, new, path)
    stayed = [key for key in old if key in new]
    order = [key for key in new if key in old]
    if stayed != order:
        yield Difference((*path, "order"), ChangeOp.CHANGED, stayed, order)


def _naming(before: Json, after: Json) -> str | None:
    if not isinstance(before, list) or not isinstance(after, list):
        return None
    names = (key for key in _KEYS if _names_all(before, key) and _names_all(after, key))
    return next(names, None)


def _names_all(items: Sequence[Json], key: str) -> bool:
    seen = {
        item[key] for item in items if isinstance(item, dict) and isinstance(item.get(key), str)
    }
    return len(seen) == len(items)


def _positional(before: Json, after: Json) -> bool:
    return all(
        isinstance(items, list) and all(isinstance(item, dict) for item in items)
        for items in (before, after)
    )


def _numbered(items: Sequence[Json]) -> dict[str, Json]:
    return {str(position): item for position, item in enumerate(items, start=1)}
