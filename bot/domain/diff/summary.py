"""A difference in one line of plain words: phrases as values, and how they are said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.walk import ChangeOp
from bot.language import IN_ENGLISH, Tongue, message, messages
from store.records import Json

# A code, and what it takes. things: kind, op, count: int; swapped: before, after (models);
# swapped_more: count: int; format_only: count: int; more; nothing
Phrase: TypeAlias = Mapping[str, Json]

_PHRASES = 6
_NAME = 60
_SWAPS = 2
FORMAT_ONLY = "format_only"  # a `bot.domain.diff.found.Note`

_THINGS: Final[dict[str, tuple[str, str]]] = {
    ChangeKind.MODEL: messages("%(num)s model setting", "%(num)s model settings"),
    ChangeKind.PROMPT: messages("%(num)s prompt", "%(num)s prompts"),
    ChangeKind.CODE: messages("%(num)s code setting", "%(num)s code settings"),
    ChangeKind.TOOL: messages("%(num)s tool setting", "%(num)s tool settings"),
    ChangeKind.HTTP: messages("%(num)s HTTP request setting", "%(num)s HTTP request settings"),
    ChangeKind.KNOWLEDGE: messages("%(num)s knowledge setting", "%(num)s knowledge settings"),
    ChangeKind.CONDITION: messages("%(num)s condition", "%(num)s conditions"),
    ChangeKind.VARIABLE: messages("%(num)s variable", "%(num)s variables"),
    ChangeKind.FEATURE: messages("%(num)s feature setting", "%(num)s feature settings"),
    ChangeKind.NODE: messages("%(num)s node", "%(num)s nodes"),
    ChangeKind.EDGE: messages("%(num)s connection", "%(num)s connections"),
    ChangeKind.TITLE: messages("%(num)s title or description", "%(num)s titles or descriptions"),
    ChangeKind.OTHER: messages("%(num)s other setting", "%(num)s other settings"),
    ChangeKind.LAYOUT: messages("%(num)s place in the drawing", "%(num)s places in the drawing"),
}
_DONE: Final[dict[str, str]] = {
    ChangeOp.ADDED: message("added"),
    ChangeOp.REMOVED: message("removed"),
    ChangeOp.CHANGED: message("changed"),
    ChangeOp.MOVED: message("moved"),
    ChangeOp.RENAMED: message("renamed"),
    ChangeOp.RECONNECTED: message("reconnected"),
}
_REWORDED: Final = message("reworded")
_NAMES: Final = messages("%(num)s name", "%(num)s names")


class Counted(Protocol):
    """What the summary needs to know of a change."""

    @property
    def kind(self) -> ChangeKind: ...
    @property
    def op(self) -> ChangeOp: ...
    @property
    def where(self) -> str: ...
    @property
    def before(self) -> Json: ...
    @property
    def after(self) -> Json: ...
    @property
    def note(self) -> str: ...


def summary(changes: Sequence[Counted]) -> str:
    """Return what *changes* amount to: "model gpt-4o → gpt-4o-mini, 2 prompts reworded"."""
    return said(phrases(changes))


def phrases(changes: Sequence[Counted]) -> tuple[Phrase, ...]:
    """Return what *changes* amount to, as `said` takes it."""
    if not changes:
        return ({"code": "nothing"},)
    told = [change for change in changes if change.note != FORMAT_ONLY]
    found = [phrase for kind in ChangeKind for phrase in _of_kind(kind, told)]
    if formatted := len(changes) - len(told):
        found.append({"code": "format_only", "count": formatted})
    if len(found) > _PHRASES:
        found = [*found[:_PHRASES], {"code": "more"}]
    return tuple(found)


def said(told: Iterable[Phrase], tongue: Tongue = IN_ENGLISH) -> str:
    """Return the phrases that were *told* on one line, but those of a newer release."""
    known = (phrase for phrase in told if phrase["code"] in _SAID)
    return tongue.filled(", ").join(_SAID[phrase["code"]](phrase, tongue) for phrase in known)


def _of_kind(kind: ChangeKind, changes: Sequence[Counted]) -> list[Phrase]:
    mine = [change for change in changes if change.kind is kind]
    found: list[Phrase] = []
    if kind is ChangeKind.MODEL:
        swapped = [change for change in mine if _is_swap(change)]
        mine = [c for c in mine if not _is_swap(c) and not _goes_along(c, swapped)]
        found = _swaps(swapped)
    for op in ChangeOp:
        if n := sum(change.op is op for change in mine):
            found.append({"code": "things", "kind": kind.value, "op": op.value, "count": n})
    return found


def _is_swap(change: Counted) -> bool:
    named = change.where.endswith(("model/name", "model/model", "model/value/model"))
    return named and isinstance(change.before, str) and isinstance(change.after, str)


def _goes_along(change: Counted, swapped: Sequence[Counted]) -> bool:
    """Return True for a provider that changed because its model did."""
    if not change.where.endswith("model/provider"):
        return False
    owner = change.where.rpartition("/")[0]
    return any(other.where.rpartition("/")[0] == owner for other in swapped)


def _swaps(swapped: Sequence[Counted]) -> list[Phrase]:
    pairs = [(_short(change.before), _short(change.after)) for change in swapped]
    different = list(dict.fromkeys(pairs))
    found: list[Phrase] = [
        {"code": "swapped", "before": before, "after": after} for before, after in different
    ]
    if len(different) > _SWAPS:
        return [*found[:_SWAPS], {"code": "swapped_more", "count": len(different) - _SWAPS}]
    return found


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= _NAME else line[: _NAME - 1] + "…"


# -- In words ---------------------------------------------------------------------------------


def _things(phrase: Phrase, tongue: Tongue) -> str:
    kind, op = str(phrase["kind"]), str(phrase["op"])
    named, done = _THINGS.get(kind, _THINGS[ChangeKind.OTHER]), _DONE.get(op, _DONE["changed"])
    if (kind, op) == (ChangeKind.PROMPT, ChangeOp.CHANGED):
        done = _REWORDED
    if (kind, op) == (ChangeKind.TITLE, ChangeOp.RENAMED):
        named, done = _NAMES, _DONE[ChangeOp.CHANGED]
    things = tongue.counted(*named, int(phrase["count"]))
    return tongue.filled("%(things)s %(done)s", things=things, done=tongue.filled(done))


def _swapped(phrase: Phrase, tongue: Tongue) -> str:
    models = {"before": phrase["before"], "after": phrase["after"]}
    return tongue.filled("model %(before)s → %(after)s", **models)


def _format_only(phrase: Phrase, tongue: Tongue) -> str:
    count = int(phrase["count"])
    return tongue.counted("format only in %(num)s place", "format only in %(num)s places", count)


_SAID: Final[Mapping[str, Callable[[Phrase, Tongue], str]]] = {
    "things": _things,
    "swapped": _swapped,
    "swapped_more": lambda phrase, tongue: tongue.filled(
        "%(num)s more models swapped", num=phrase["count"]
    ),
    "format_only": _format_only,
    "more": lambda _, tongue: tongue.filled("and more"),
    "nothing": lambda _, tongue: tongue.filled("no difference that matters"),
}
