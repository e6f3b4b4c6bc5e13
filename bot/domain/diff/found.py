"""What a thing that differs amounts to, one change at a time; values are concealed still."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.diff.code import same_program
from bot.domain.diff.connections import Connection, Names, path_of
from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.missing import Missing
from bot.domain.diff.reduced import without_alike
from bot.domain.diff.things import ITEM, Thing
from bot.domain.diff.walk import ChangeOp, Difference, differences
from bot.domain.redact import Redactor
from store.records import Json

_JSON_MOST = 200_000  # characters; a longer text is compared as text
_NODE = ("graph", "nodes", ITEM)
_NAMED = frozenset({"app", "environment_variables", "conversation_variables"})


class Note(StrEnum):
    """What is not seen by looking at the two values."""

    NONE = ""
    FORMAT_ONLY = "format_only"  # the same program, or the same JSON, written in another way


@dataclass(frozen=True)
class Found:
    """A change before it is shown: `before` and `after` are concealed."""

    kind: ChangeKind
    op: ChangeOp
    subject: str
    path: tuple[str, ...]
    before: Json
    after: Json
    note: Note = Note.NONE


def found_in(thing: Thing | Connection, redactor: Redactor, called: Names) -> Iterator[Found]:
    """Yield the changes that *thing* is made of, concealed, in a fixed order; at least one."""
    if isinstance(thing, Connection):
        yield _connection(thing, redactor, called)
        return
    for place in _concealed(thing, redactor).differences():
        found = Found(
            thing.kind_of(place.path),
            place.op,
            _subject(thing, place),
            (*thing.path, *_told(thing, place)),
            place.before,
            place.after,
        )
        yield from _closer(found, thing, place)


def _concealed(thing: Thing, redactor: Redactor) -> Thing:
    """*thing* with markers for its secrets, without what is alike on both sides."""
    was, now = thing.was, thing.now
    if not isinstance(was, Missing) and not isinstance(now, Missing):
        was, now = without_alike(was, now)
    old = was if isinstance(was, Missing) else redactor.conceal(was, thing.field)
    new = now if isinstance(now, Missing) else redactor.conceal(now, thing.field)
    return replace(thing, was=old, now=new)


def _connection(thing: Connection, redactor: Redactor, called: Names) -> Found:
    was = None if isinstance(thing.was, Missing) else redactor.conceal(thing.was)
    now = None if isinstance(thing.now, Missing) else redactor.conceal(thing.now)
    path = path_of(thing.was if isinstance(thing.now, Missing) else thing.now)
    return Found(ChangeKind.EDGE, thing.op, called(thing), path, was, now)


def _subject(thing: Thing, place: Difference) -> str:
    """A thing of many parts, like the features, is called by the part."""
    return place.path[0] if len(thing.place) == 1 and place.path else thing.subject


def _told(thing: Thing, place: Difference) -> tuple[str, ...]:
    inside = thing.place == _NODE and place.path[:1] == ("data",)
    return place.path[1:] if inside else place.path


def _closer(found: Found, thing: Thing, place: Difference) -> Iterator[Found]:
    """Look at two texts as what they are: a name, code, or JSON."""
    before, after = found.before, found.after
    if found.op is not ChangeOp.CHANGED or not (isinstance(before, str) and isinstance(after, str)):
        yield found
    elif _is_name(thing, place):
        yield replace(found, op=ChangeOp.RENAMED)
    elif found.kind is ChangeKind.CODE and place.path == ("data", "code"):
        same = same_program(_language(thing), before, after)
        yield replace(found, note=Note.FORMAT_ONLY) if same else found
    else:
        yield from _as_json(found)


def _is_name(thing: Thing, place: Difference) -> bool:
    if thing.place == _NODE:
        return place.path == ("data", "title")
    return thing.place[0] in _NAMED and place.path == ("name",)


def _language(thing: Thing) -> str:
    """The language of a code node, the same on both sides; else none."""
    sides = (thing.was, thing.now)
    data = [side.get("data") for side in sides if isinstance(side, dict)]
    spoken = {str(one.get("code_language", "python3")) for one in data if isinstance(one, dict)}
    return spoken.pop() if len(spoken) == 1 else ""


def _as_json(found: Found) -> Iterator[Found]:
    old, new = _parsed(found.before), _parsed(found.after)
    if old is None or new is None:
        yield found
        return
    inside = list(differences(old, new))
    if not inside:
        yield replace(found, note=Note.FORMAT_ONLY)
    elif any(not place.path for place in inside):
        yield found
    else:
        for place in inside:
            path = (*found.path, *place.path)
            values = {"before": place.before, "after": place.after}
            yield replace(found, op=place.op, path=path, **values)


def _parsed(text: str) -> Json:
    """The object or list that *text* is as JSON; None for anything else."""
    start = text.lstrip()[:1]
    if start not in {"{", "["} or len(text) > _JSON_MOST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
