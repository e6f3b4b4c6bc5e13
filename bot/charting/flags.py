"""Where the names of marks stand: in rows above the chart, none over another. Pure geometry.

A name hangs at its stem like a flag, in a row; stems come up from below. So a name must cover
neither another name in its row nor a stem that goes on to a higher row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ROWS = 4
MOST = 12  # names on one chart
_GAP = 4.0  # between two names


@dataclass(frozen=True)
class Flag:
    """A name of some width at a stem; those of a low `rank` are kept where not all have room.

    One without a `stem` may stand above any other.
    """

    x: float
    width: float
    rank: int
    stem: bool = True


@dataclass(frozen=True)
class Place:
    """Where a name stands: its left edge, and its row above the chart, 0 at the bottom."""

    left: float
    row: int


def places(flags: Sequence[Flag], width: float) -> dict[int, Place]:
    """Return the places of those *flags*, by their index, that have room within *width*.

    In as few rows as will do; where even the most do not, the least telling names go.
    """
    ranked = sorted(range(len(flags)), key=lambda index: flags[index].rank)
    chosen = set(ranked[:MOST])
    while True:
        crowded: int | None = None
        for rows in range(1, ROWS + 1):
            found, crowded = _tried(flags, chosen, width, rows)
            if crowded is None:
                return _filled(flags, ranked, found, width, rows)
        near = [i for i in chosen if crowded is not None and _near(flags[i], flags[crowded])]
        chosen.remove(max(near, key=lambda index: flags[index].rank))


def _tried(
    flags: Sequence[Flag], chosen: set[int], width: float, rows: int
) -> tuple[dict[int, Place], int | None]:
    """Place *chosen* from the right to the left; also the first for which there was no room."""
    found: dict[int, Place] = {}
    for index in sorted(chosen, key=lambda i: (-flags[i].x, flags[i].rank)):
        place = _free(flags, index, found, width, rows)
        if place is None:
            return found, index
        found[index] = place
    return found, None


def _filled(
    flags: Sequence[Flag], ranked: Sequence[int], found: dict[int, Place], width: float, rows: int
) -> dict[int, Place]:
    """*found* with those that went for another's sake, where there is room for them after all."""
    for index in ranked:
        if index not in found and len(found) < MOST:
            place = _free(flags, index, found, width, rows)
            if place is not None:
                found[index] = place
    return found


def _free(
    flags: Sequence[Flag], index: int, taken: Mapping[int, Place], width: float, rows: int
) -> Place | None:
    """To the right of its stem and low; else to the left and high, over stems yet to come."""
    flag = flags[index]
    right, left = flag.x, flag.x - flag.width
    tried: list[Place] = []
    if right + flag.width <= width:
        tried += [Place(right, row) for row in range(rows)]
    if left >= 0:
        tried += [Place(left, row) for row in reversed(range(rows))]
    if not tried:  # too long for either side
        across = max(min(flag.x - flag.width / 2, width - flag.width), 0.0)
        tried += [Place(across, row) for row in reversed(range(rows))]
    return next(
        (p for p in tried if all(_apart(flag, p, flags[i], o) for i, o in taken.items())), None
    )


def _apart(flag: Flag, place: Place, other: Flag, its: Place) -> bool:
    """Whether both can be read: no name on a name, no stem through a name."""
    if place.row == its.row:
        return place.left + flag.width + _GAP <= its.left or its.left + other.width + _GAP <= (
            place.left
        )
    if place.row < its.row:
        return not _covers(place, flag, other)
    return not _covers(its, other, flag)


def _covers(place: Place, flag: Flag, above: Flag) -> bool:
    return above.stem and place.left + 1 < above.x < place.left + flag.width + 2


def _near(flag: Flag, other: Flag) -> bool:
    return abs(flag.x - other.x) <= flag.width + other.width + _GAP
