"""Where two JSON values differ: the generic part of a difference, which knows nothing of Dify."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import orjson

from bot.domain.diff.lists import Alignment, by_content, by_name, naming
from store.document import encode
from store.records import Json

Place = tuple[int, int]  # where an item stands in its list before and after, from 1; 0: nowhere
Path = tuple[str, ...]


class ChangeOp(StrEnum):
    """What became of a thing between before and after."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"  # to another place in its list
    RENAMED = "renamed"
    RECONNECTED = "reconnected"  # a connection with another end


@dataclass(frozen=True)
class Difference:
    """One place that differs.

    `path` are keys, names and positions (from 1) down to it; `places` says of each step that
    is an item of a list where it stands. `before` and `after` are the values there, of a moved
    item its positions.
    """

    path: Path
    op: ChangeOp
    before: Json
    after: Json
    places: tuple[Place | None, ...] = ()


def differences(before: Json, after: Json) -> Iterator[Difference]:
    """Yield where *before* and *after* differ, in a fixed order; nothing exactly if they are equal.

    Objects are compared key by key; lists of objects item by item, as `bot.domain.diff.lists`
    matches them; lists of anything else as a whole. `bot.domain.diff.apply` is the way back.
    """
    yield from _between(before, after, (), ())


def same(before: Json, after: Json) -> bool:
    """Return True if the two are the same JSON: True is not 1, and 1 is not 1.0."""
    if type(before) is not type(after):
        return False
    if not isinstance(before, dict | list):
        return bool(before == after)
    try:
        return _written(before) == _written(after)
    except orjson.JSONEncodeError:  # an integer of more than 64 bits
        return encode(before) == encode(after)


def _written(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def are_objects(items: Json) -> bool:
    """Return True for a list whose every item is an object; True for an empty list."""
    return isinstance(items, list) and all(isinstance(item, dict) for item in items)


def _between(
    before: Json, after: Json, path: Path, places: tuple[Place | None, ...]
) -> Iterator[Difference]:
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _objects(before, after, path, places)
    elif are_objects(before) and are_objects(after):
        yield from _items(before, after, path, places)
    else:
        yield Difference(path, ChangeOp.CHANGED, before, after, places)


def _objects(
    before: dict[str, Json], after: dict[str, Json], path: Path, places: tuple[Place | None, ...]
) -> Iterator[Difference]:
    down = (*places, None)
    for key in sorted({*before, *after}):
        here = (*path, key)
        if key not in after:
            yield Difference(here, ChangeOp.REMOVED, before[key], None, down)
        elif key not in before:
            yield Difference(here, ChangeOp.ADDED, None, after[key], down)
        else:
            yield from _between(before[key], after[key], here, down)


def _items(
    before: list[dict[str, Json]],
    after: list[dict[str, Json]],
    path: Path,
    places: tuple[Place | None, ...],
) -> Iterator[Difference]:
    name = naming(before, after)
    found: Alignment = by_name(before, after, name) if name else by_content(before, after)
    for old in found.removed:
        here = (*path, before[old][name] if name else str(old + 1))
        at = (*places, (old + 1, 0))
        yield Difference(here, ChangeOp.REMOVED, before[old], None, at)
    for old, new in found.pairs:
        here = (*path, after[new][name] if name else str(new + 1))
        at = (*places, (old + 1, new + 1))
        if new in found.moved:
            yield Difference(here, ChangeOp.MOVED, old + 1, new + 1, at)
        yield from _between(before[old], after[new], here, at)
    for new in found.added:
        here = (*path, after[new][name] if name else str(new + 1))
        at = (*places, (0, new + 1))
        yield Difference(here, ChangeOp.ADDED, None, after[new], at)
