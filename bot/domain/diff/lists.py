"""Which items of two lists belong together, and which of them left their order. Pure.

Items that have names are matched by name. Others are matched by being equal; what is left stands
for what stood in the same gap between equal ones. An item is moved if it is outside of a longest
increasing subsequence of what stayed (Fredman, "On computing the length of longest increasing
subsequences", 1975), so that one item that was dragged elsewhere is one move.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from store.document import encode
from store.records import Json

_KEYS = ("case_id", "id", "variable", "name", "key")  # what names an item of a list, best first
_SORTS = ("role", "type")  # a message of another role is another message


@dataclass(frozen=True)
class Alignment:
    """Positions from 0. `pairs` are (before, after) by their place afterwards.

    `moved` holds the places afterwards of those pairs that left their order.
    """

    pairs: tuple[tuple[int, int], ...]
    moved: frozenset[int]
    removed: tuple[int, ...]
    added: tuple[int, ...]


def naming(before: Sequence[Json], after: Sequence[Json]) -> str | None:
    """Return the field that names every item on both sides, each of them once; None if none does.

    Two empty lists have no names.
    """
    if not before and not after:
        return None
    names = (key for key in _KEYS if _names_all(before, key) and _names_all(after, key))
    return next(names, None)


def by_name(before: Sequence[Json], after: Sequence[Json], name: str) -> Alignment:
    """Match the items of two lists whose every item has a *name* of its own."""
    old = {item[name]: place for place, item in enumerate(before)}
    new = {item[name]: place for place, item in enumerate(after)}
    pairs = [(old[key], place) for key, place in new.items() if key in old]
    return _aligned(pairs, len(before), len(after))


def by_content(before: Sequence[Json], after: Sequence[Json]) -> Alignment:
    """Match the items of two lists without names: equal ones first, then gap by gap."""
    equal = _equal(before, after)
    stayed = [equal[at] for at in _increasing([old for old, _ in equal])]
    taken_old, taken_new = {old for old, _ in equal}, {new for _, new in equal}
    pairs = list(equal)
    ends = [*stayed, (len(before), len(after))]
    old_from = new_from = 0
    for old_end, new_end in ends:
        olds = [n for n in range(old_from, old_end) if n not in taken_old]
        news = [n for n in range(new_from, new_end) if n not in taken_new]
        pairs += _paired(before, after, olds, news)
        old_from, new_from = old_end + 1, new_end + 1
    matched = {old for old, _ in pairs}, {new for _, new in pairs}
    olds = [n for n in range(len(before)) if n not in matched[0]]
    news = [n for n in range(len(after)) if n not in matched[1]]
    pairs += _paired(before, after, olds, news)
    return _aligned(sorted(pairs, key=lambda pair: pair[1]), len(before), len(after))


def _names_all(items: Sequence[Json], key: str) -> bool:
    seen = {
        item[key] for item in items if isinstance(item, dict) and isinstance(item.get(key), str)
    }
    return len(seen) == len(items)


def _equal(before: Sequence[Json], after: Sequence[Json]) -> list[tuple[int, int]]:
    """Pairs of equal items, each used once, by their place afterwards."""
    places: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for place, item in enumerate(before):
        places[encode(item)].append(place)
    found = []
    for place, item in enumerate(after):
        if waiting := places.get(encode(item)):
            found.append((waiting.popleft(), place))
    return found


def _paired(
    before: Sequence[Json], after: Sequence[Json], olds: Sequence[int], news: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield what stands for one another, in order, of the same sort."""
    waiting = list(olds)
    for new in news:
        sort = _sort(after[new])
        old = next((place for place in waiting if _sort(before[place]) == sort), None)
        if old is not None:
            waiting.remove(old)
            yield old, new


def _sort(item: Json) -> tuple[Json, ...]:
    if not isinstance(item, dict):
        return ()
    return tuple(value for key in _SORTS if isinstance(value := item.get(key), str))


def _aligned(pairs: Sequence[tuple[int, int]], old: int, new: int) -> Alignment:
    stayed = set(_increasing([place for place, _ in pairs]))
    return Alignment(
        pairs=tuple(pairs),
        moved=frozenset(after for n, (_, after) in enumerate(pairs) if n not in stayed),
        removed=tuple(sorted(set(range(old)) - {place for place, _ in pairs})),
        added=tuple(sorted(set(range(new)) - {place for _, place in pairs})),
    )


def _increasing(numbers: Sequence[int]) -> list[int]:
    """Return the places of a longest increasing subsequence of different *numbers*."""
    tails: list[int] = []  # the smallest last number of an increasing run of each length
    ends: list[int] = []  # its place
    before: list[int] = []  # the place before each number in its run; -1 at a start
    for place, number in enumerate(numbers):
        length = bisect_left(tails, number)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(number)
            ends.append(place)
        else:
            tails[length], ends[length] = number, place
    run = []
    place = ends[-1] if ends else -1
    while place >= 0:
        run.append(place)
        place = before[place]
    return run[::-1]
