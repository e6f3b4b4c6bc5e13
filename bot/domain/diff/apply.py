"""The way back from a difference: a value and its differences give the other value. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bot.domain.diff.connections import Connection
from bot.domain.diff.missing import MISSING, Missing
from bot.domain.diff.things import ITEM, Thing
from bot.domain.diff.walk import ChangeOp, Difference
from store.document import encode
from store.records import Json


class DoesNotFit(ValueError):
    """These differences are not of this value."""


def applied(value: Json, found: Iterable[Difference]) -> Json:
    """Return what *value* becomes by the differences *found* in it; *value* is left as it is.

    `applied(a, differences(a, b))` equals b for all JSON values a and b.

    Raises:
        DoesNotFit: They were found in another value.
    """
    places = list(found)
    if not places:
        return value
    if any(not place.path for place in places):
        if len(places) != 1:
            raise DoesNotFit("the whole is replaced, and something in it too")
        return places[0].after
    if isinstance(value, dict):
        return _object(value, places)
    if isinstance(value, list):
        return _list(value, places)
    raise DoesNotFit(f"{places[0].path[0]!r} is to be found in something without parts")


def applied_things(
    meant: Mapping[str, Json], things: Iterable[Thing | Connection]
) -> dict[str, Json]:
    """Return what the meaning *meant* of a content becomes by *things* that differ in it.

    Lists whose order means nothing (nodes, connections, variables, plugins) come out sorted, as
    in `meant`.

    Raises:
        DoesNotFit: They were found in another content.
    """
    made = dict(meant)
    for thing in things:
        place = ("graph", "edges") if isinstance(thing, Connection) else thing.place
        here = made
        for key in place[:-1] if place[-1] != ITEM else place[:-2]:
            here[key] = dict(here[key])
            here = here[key]
        last = place[-2] if place[-1] == ITEM else place[-1]
        changed = _changed(here.get(last, MISSING), thing)
        if isinstance(changed, Missing):
            del here[last]
        else:
            here[last] = changed
    return made


def _changed(value: Json | Missing, thing: Thing | Connection) -> Json | Missing:
    """What stands in place of *value* after *thing*."""
    if isinstance(thing, Connection):
        return _exchanged(value, thing.was, thing.now)
    if isinstance(thing.was, Missing) or isinstance(thing.now, Missing):
        now = thing.now
    elif thing.place[-1] == ITEM:
        now = applied(thing.was, thing.differences())
    else:
        now = applied(value, thing.differences())
    return _exchanged(value, thing.was, now) if thing.place[-1] == ITEM else now


def _exchanged(items: Json | Missing, was: Json | Missing, now: Json | Missing) -> list[Json]:
    """The list *items* with *now* in place of *was*, sorted."""
    kept = [] if isinstance(items, Missing) else list(items)
    if not isinstance(was, Missing):
        place = next((n for n, one in enumerate(kept) if encode(one) == encode(was)), None)
        if place is None:
            raise DoesNotFit("an item is to be removed and not there")
        del kept[place]
    if not isinstance(now, Missing):
        kept.append(now)
    return sorted(kept, key=encode)


def _object(value: dict[str, Json], places: Sequence[Difference]) -> dict[str, Json]:
    made = dict(value)
    for key, inside in _grouped(places).items():
        if inside[0].op is ChangeOp.REMOVED and not inside[0].path:
            if key not in made:
                raise DoesNotFit(f"{key!r} is to be removed and not there")
            del made[key]
        elif inside[0].op is ChangeOp.ADDED and not inside[0].path:
            made[key] = inside[0].after
        elif key in made:
            made[key] = applied(made[key], inside)
        else:
            raise DoesNotFit(f"{key!r} is to be changed and not there")
    return made


def _list(value: list[Json], places: Sequence[Difference]) -> list[Json]:
    """What is not named stays, in its order, in the places that are left."""
    gone: set[int] = set()
    fixed: dict[int, Json] = {}
    inner: defaultdict[int, list[Difference]] = defaultdict(list)
    for place in places:
        at = place.places[0] if place.places else None
        if at is None:
            raise DoesNotFit(f"{place.path[0]!r} is no place in a list")
        old, new = at
        if len(place.path) > 1 or place.op is ChangeOp.CHANGED:
            inner[new].append(_below(place))
        elif place.op is ChangeOp.ADDED:
            fixed[new] = place.after
        elif old > len(value):
            raise DoesNotFit(f"there is no item {old}")
        else:
            gone.add(old)
            if place.op is ChangeOp.MOVED:
                fixed[new] = value[old - 1]
    stay = [item for at, item in enumerate(value, start=1) if at not in gone]
    length = len(stay) + len(fixed)
    rest = iter(stay)
    try:
        made = [fixed[at] if at in fixed else next(rest) for at in range(1, length + 1)]
        return [applied(item, inner.get(at, ())) for at, item in enumerate(made, start=1)]
    except StopIteration:
        raise DoesNotFit("an item is to stand beyond the end") from None


def _grouped(places: Iterable[Difference]) -> dict[str, list[Difference]]:
    grouped: defaultdict[str, list[Difference]] = defaultdict(list)
    for place in places:
        grouped[place.path[0]].append(_below(place))
    return grouped


def _below(place: Difference) -> Difference:
    return replace(place, path=place.path[1:], places=place.places[1:])
