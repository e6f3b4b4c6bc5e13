"""A difference in one line of plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.walk import ChangeOp
from store.records import Json

_PHRASES = 6
_NAME = 60
_SWAPS = 2
FORMAT_ONLY = "format_only"  # a `bot.domain.diff.found.Note`

_THINGS: dict[ChangeKind, tuple[str, str]] = {
    ChangeKind.MODEL: ("model setting", "model settings"),
    ChangeKind.PROMPT: ("prompt", "prompts"),
    ChangeKind.CODE: ("code setting", "code settings"),
    ChangeKind.TOOL: ("tool setting", "tool settings"),
    ChangeKind.HTTP: ("HTTP request setting", "HTTP request settings"),
    ChangeKind.KNOWLEDGE: ("knowledge setting", "knowledge settings"),
    ChangeKind.CONDITION: ("condition", "conditions"),
    ChangeKind.VARIABLE: ("variable", "variables"),
    ChangeKind.FEATURE: ("feature setting", "feature settings"),
    ChangeKind.NODE: ("node", "nodes"),
    ChangeKind.EDGE: ("connection", "connections"),
    ChangeKind.TITLE: ("title or description", "titles or descriptions"),
    ChangeKind.OTHER: ("other setting", "other settings"),
    ChangeKind.LAYOUT: ("place in the drawing", "places in the drawing"),
}
_RENAMED = ("name", "names")


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
    if not changes:
        return "no difference that matters"
    told = [change for change in changes if change.note != FORMAT_ONLY]
    phrases = [phrase for kind in ChangeKind for phrase in _of_kind(kind, told)]
    if formatted := len(changes) - len(told):
        phrases.append(f"format only in {formatted} {'places' if formatted > 1 else 'place'}")
    if len(phrases) > _PHRASES:
        phrases = [*phrases[:_PHRASES], "and more"]
    return ", ".join(phrases)


def _of_kind(kind: ChangeKind, changes: Sequence[Counted]) -> list[str]:
    mine = [change for change in changes if change.kind is kind]
    phrases: list[str] = []
    if kind is ChangeKind.MODEL:
        swapped = [change for change in mine if _is_swap(change)]
        mine = [c for c in mine if not _is_swap(c) and not _goes_along(c, swapped)]
        phrases = _swaps(swapped)
    for op in ChangeOp:
        if n := sum(change.op is op for change in mine):
            phrases.append(f"{n} {_thing(kind, op)[n > 1]} {_done(kind, op)}")
    return phrases


def _thing(kind: ChangeKind, op: ChangeOp) -> tuple[str, str]:
    return _RENAMED if (kind, op) == (ChangeKind.TITLE, ChangeOp.RENAMED) else _THINGS[kind]


def _done(kind: ChangeKind, op: ChangeOp) -> str:
    if (kind, op) == (ChangeKind.PROMPT, ChangeOp.CHANGED):
        return "reworded"
    if (kind, op) == (ChangeKind.TITLE, ChangeOp.RENAMED):
        return "changed"
    return op.value


def _is_swap(change: Counted) -> bool:
    named = change.where.endswith(("model/name", "model/model", "model/value/model"))
    return named and isinstance(change.before, str) and isinstance(change.after, str)


def _goes_along(change: Counted, swapped: Sequence[Counted]) -> bool:
    """Return True for a provider that changed because its model did."""
    if not change.where.endswith("model/provider"):
        return False
    owner = change.where.rpartition("/")[0]
    return any(other.where.rpartition("/")[0] == owner for other in swapped)


def _swaps(swapped: Sequence[Counted]) -> list[str]:
    words = [f"model {_short(change.before)} → {_short(change.after)}" for change in swapped]
    different = list(dict.fromkeys(words))
    if len(different) > _SWAPS:
        return [*different[:_SWAPS], f"{len(different) - _SWAPS} more models swapped"]
    return different


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= _NAME else line[: _NAME - 1] + "…"
