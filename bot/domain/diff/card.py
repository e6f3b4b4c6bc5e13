"""The lines of a difference that stand on a card: short, with the words that changed."""

from __future__ import annotations

from bot.domain.card import CardChange
from bot.domain.diff.changes import Change, ChangeKind, ChangeList, ChangeOp
from bot.domain.diff.label import clip, label, texts

SUBJECT = 80
WIDTH = 120
_AROUND = 24  # characters of unchanged text on each side of what changed


def card_changes(changes: ChangeList, n: int) -> tuple[CardChange, ...]:
    """Return the *n* most important changes as card lines of bounded length."""
    return tuple(_line(change) for change in changes.top(n))


def _line(change: Change) -> CardChange:
    before, after = _extracts(change)
    return CardChange(
        kind=change.kind.value,
        op=change.op.value,
        subject=clip(change.subject, SUBJECT),
        detail=clip(_detail(change), WIDTH),
        before=before,
        after=after,
    )


def _detail(change: Change) -> str:
    there = change.after if change.op is ChangeOp.ADDED else change.before
    if change.kind is ChangeKind.NODE and isinstance(there, dict):
        data = there.get("data")
        if isinstance(data, dict) and isinstance(data.get("type"), str):
            return str(data["type"])
    return label(change)


def _extracts(change: Change) -> tuple[str, str]:
    whole_thing = change.kind in {ChangeKind.NODE, ChangeKind.EDGE}
    if whole_thing and change.op is not ChangeOp.CHANGED:
        return "", ""
    return extracts(*texts(change))


def extracts(before: str, after: str) -> tuple[str, str]:
    """Return what of two texts differs, each on one line of at most 120 characters.

    Some unchanged text stands around it, cut at words where there are any; `…` marks a cut.
    """
    old, new = " ".join(before.split()), " ".join(after.split())
    if old == new and before != after:
        old, new = before.replace("\n", "⏎"), after.replace("\n", "⏎")
    head = _common_start(old, new)
    tail = _common_start(old[head:][::-1], new[head:][::-1])
    return _window(old, head, tail), _window(new, head, tail)


def _window(text: str, head: int, tail: int) -> str:
    start, end = max(head - _AROUND, 0), min(len(text) - tail + _AROUND, len(text))
    if start and (space := text.find(" ", start, head)) >= 0:
        start = space + 1
    if end < len(text) and (space := text.rfind(" ", len(text) - tail, end)) >= 0:
        end = space
    cut = ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
    return clip(cut, WIDTH)


def _common_start(a: str, b: str) -> int:
    """Return how many characters *a* and *b* have in common at their start."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
