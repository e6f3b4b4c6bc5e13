"""What a dry run found, in words: on a card's line, and in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.domain.dry_run import WORKFLOW_TOOL, Hitch, Severity, Unread
from bot.domain.references import OF_THE_APP, Kind
from bot.language import IN_ENGLISH, Tongue, message

_NAMED = 3  # things on a card's line
_NODES = 2  # of one thing there
_NAME = 60
_ID = 8  # letters of an id, on a line
_THINGS: Final[dict[str, str]] = {
    Kind.MODEL: message("model"),
    Kind.TOOL: message("tool"),
    Kind.KNOWLEDGE_BASE: message("knowledge base"),
    WORKFLOW_TOOL: message("workflow tool"),
}
_ALL: Final[dict[str, str]] = {
    Kind.MODEL: message("models"),
    Kind.TOOL: message("tools"),
    Kind.KNOWLEDGE_BASE: message("knowledge bases"),
    WORKFLOW_TOOL: message("workflow tools"),
}
_WHY: Final[dict[str, str]] = {
    Unread.LATE: message("no answer in time"),
    Unread.DOWN: message("no answer"),
    Unread.FORBIDDEN: message("not allowed to look"),
    Unread.NO_LIST: message("this release has no list of them"),
    Unread.REFUSED: message("it was refused"),
    Unread.UNREADABLE: message("the answer was not understood"),
}
_NOBODY_KNOWS: Final = message("nobody knows why")
_NOTHING: Final = message("Dry run: nothing is missing")
_THE_APP: Final = message("the app")


def line(found: Sequence[Hitch], *, env: str, tongue: Tongue = IN_ENGLISH) -> str:
    """Return *found* on one line, for a card."""
    missing = [hitch for hitch in found if hitch.severity is Severity.WARNS]
    unknown = [hitch for hitch in found if hitch.severity is Severity.UNKNOWN]
    said = []
    if missing:
        named = [_told(hitch, tongue, nodes=_NODES) for hitch in missing[:_NAMED]]
        if (left := len(missing) - _NAMED) > 0:
            named.append(tongue.filled("and %(more)s more", more=left))
        things = tongue.counted(
            "1 thing is missing in %(env)s: %(things)s",
            "%(num)s things are missing in %(env)s: %(things)s",
            len(missing),
            env=env,
            things=tongue.filled(", ").join(named),
        )
        said.append(things)
    if unknown:
        things = tongue.filled(", ").join(_unknown(unknown, tongue))
        said.append(tongue.filled("could not be checked: %(things)s", things=things))
    if not said:
        return tongue.filled(_NOTHING)
    return tongue.filled("Dry run: %(said)s", said=tongue.filled("; ").join(said))


def in_full(found: Sequence[Hitch], *, env: str, tongue: Tongue = IN_ENGLISH) -> list[str]:
    """Return *found* as lines, with every node."""
    if not found:
        return [tongue.filled(_NOTHING)]
    lines = [_in_full(hitch, tongue) for hitch in found]
    return [tongue.filled("Dry run in %(env)s:", env=env), *(f"  {said}" for said in lines)]


def _in_full(hitch: Hitch, tongue: Tongue) -> str:
    what = _told(hitch, tongue, nodes=None)
    if hitch.severity is Severity.UNKNOWN:
        why = _why(hitch, tongue)
        return tongue.filled("not checked (%(why)s): %(what)s", why=why, what=what)
    return tongue.filled("missing: %(what)s", what=what)


def _told(hitch: Hitch, tongue: Tongue, *, nodes: int | None) -> str:
    """The thing in words, with at most so many *nodes*; None for all."""
    name = _short(hitch) if nodes is not None else hitch.name
    said = tongue.filled(_THINGS[hitch.what]) if hitch.what in _THINGS else hitch.what
    if name:
        said = tongue.filled("%(thing)s %(name)s", thing=said, name=name)
    if nodes is None and hitch.provider:
        said = tongue.filled("%(thing)s of %(provider)s", thing=said, provider=hitch.provider)
    beside = [_why(hitch, tongue)] if hitch.severity is Severity.WARNS and hitch.why else []
    if hitch.nodes:
        beside.append(_places(hitch.nodes, nodes, tongue))
    return _beside(said, tongue.filled("; ").join(beside), tongue) if beside else said


def _short(hitch: Hitch) -> str:
    """The name as it fits a line; of an id its beginning tells enough."""
    is_id = hitch.what == Kind.KNOWLEDGE_BASE and len(hitch.name) > _ID
    return f"{hitch.name[:_ID]}…" if is_id else _cut(hitch.name)


def _why(hitch: Hitch, tongue: Tongue) -> str:
    if hitch.severity is Severity.UNKNOWN:
        return tongue.filled(_WHY.get(hitch.why, _NOBODY_KNOWS))
    return tongue.filled("%(why)s there", why=hitch.why)


def _unknown(found: Sequence[Hitch], tongue: Tongue) -> list[str]:
    """The kinds of things of which nobody knows, each with its first reason."""
    why: dict[str, str] = {}
    for hitch in found:
        why.setdefault(hitch.what, _why(hitch, tongue))
    named = {what: tongue.filled(_ALL[what]) if what in _ALL else f"{what}s" for what in why}
    return [_beside(named[what], said, tongue) for what, said in why.items()]


def _places(nodes: Sequence[str], most: int | None, tongue: Tongue) -> str:
    if tuple(nodes) == (OF_THE_APP,):
        return tongue.filled(_THE_APP)
    named = tongue.filled(", ").join(_cut(node) if most else node for node in nodes[:most])
    if (more := len(nodes) - len(nodes[:most])) > 0:
        named = tongue.filled("%(named)s and %(more)s more", named=named, more=more)
    return tongue.counted("node %(names)s", "nodes %(names)s", len(nodes), names=named)


def _beside(thing: str, said: str, tongue: Tongue) -> str:
    return tongue.filled("%(thing)s (%(said)s)", thing=thing, said=said)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _NAME else line[: _NAME - 1] + "…"
