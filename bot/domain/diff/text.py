"""A difference as text: all of it for a file, or the beginning for a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from bot.domain.diff.card import card_changes
from bot.domain.diff.changes import Change, ChangeList, ChangeOp
from bot.domain.diff.label import clip, label, texts, visible

__all__ = ["as_text", "card_changes", "mini"]

MAX_BYTES = 1_000_000  # a file larger than this would not be shown as a snippet
CONTEXT = 3  # unchanged lines around a changed one
_LINE = 20_000
_MINI_LINE = 160
_MINI_VALUE = 60
_BRIEF = frozenset({ChangeOp.CHANGED, ChangeOp.RENAMED, ChangeOp.MOVED})
_COMPARABLE = 4_000_000  # lines before times lines after; beyond it they are not aligned


def as_text(changes: ChangeList, *, title: str = "") -> str:
    """Return the whole difference for reading: lines with `-` and `+`, texts line by line.

    At most about a megabyte; what does not fit is counted at the end. No control character but
    the newline and the tab is in it.
    """
    counted = ", ".join(f"{kind} {n}" for kind, n in changes.counts().items())
    head = [visible(title)] if title else []
    head += [changes.summary(), *([f"changes: {counted}"] if counted else [])]
    lines, room = list(head), MAX_BYTES
    for position, change in enumerate(changes.changes):
        block = ["", *_block(change)]
        size = sum(len(line.encode()) + 1 for line in block)
        if size > room:
            lines += _cut(block, room)
            lines += ["", _rest(changes, position)]
            break
        lines += block
        room -= size
    return "\n".join(lines) + "\n"


def mini(changes: ChangeList, lines: int = 40) -> str:
    """Return the beginning of the difference: at most *lines* lines of about 160 characters."""
    shown: list[str] = []
    for position, change in enumerate(changes.changes):
        block = [_clipped(line) for line in _short_block(change)]
        if len(shown) + len(block) > lines - 1 and position < len(changes.changes) - 1:
            shown += block[: max(lines - 1 - len(shown), 0)]
            return "\n".join([*shown, _rest(changes, position)])
        shown += block
    return "\n".join(shown[:lines]) if shown else changes.summary()


def _rest(changes: ChangeList, position: int) -> str:
    total = len(changes.changes)
    return f"… {total - position} of {total} changes are cut or not shown here"


def _clipped(line: str) -> str:
    return line if len(line) <= _MINI_LINE else line[: _MINI_LINE - 1] + "…"


def _heading(change: Change) -> str:
    name = label(change)
    return f"[{change.kind}] {change.op}: {clip(change.subject, 80)}" + (
        f" · {clip(name, 120)}" if name else ""
    )


def _short_block(change: Change) -> list[str]:
    before, after = texts(change)
    short = all(len(text) <= _MINI_VALUE and "\n" not in text for text in (before, after))
    if change.op in _BRIEF and short:
        return [f"{_heading(change)}: {visible(before)} → {visible(after)}"]
    return _block(change)


def _block(change: Change) -> list[str]:
    if change.op is ChangeOp.RECONNECTED:
        return [_heading(change)]  # it names both ends
    before, after = texts(change)
    old = before.split("\n") if before else []
    new = after.split("\n") if after else []
    return [_heading(change), *(_bounded(line) for line in _compared(old, new))]


def _bounded(line: str) -> str:
    line = visible(line)
    if len(line) <= _LINE:
        return line
    return f"{line[:_LINE]}… ({len(line) - _LINE} characters more)"


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Yield the lines of both, `-`, `+` or unmarked, with long unmarked stretches left out."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    yield from _context(old[:head], last=False)
    yield from _aligned(old[head : len(old) - tail], new[head : len(new) - tail])
    yield from _context(old[len(old) - tail :], last=True)


def _context(lines: Sequence[str], *, last: bool) -> Iterator[str]:
    near = lines[:CONTEXT] if last else lines[max(len(lines) - CONTEXT, 0) :]
    if not last and len(near) < len(lines):
        yield "  …"
    yield from (f"  {line}" for line in near)
    if last and len(near) < len(lines):
        yield "  …"


def _aligned(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    if len(old) * len(new) > _COMPARABLE:
        yield from (f"- {line}" for line in old)
        yield from (f"+ {line}" for line in new)
        return
    for tag, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            yield from _between(old[a:b])
        else:
            yield from (f"- {line}" for line in old[a:b])
            yield from (f"+ {line}" for line in new[c:d])


def _between(lines: Sequence[str]) -> Iterator[str]:
    if len(lines) <= 2 * CONTEXT + 1:
        yield from (f"  {line}" for line in lines)
        return
    yield from (f"  {line}" for line in lines[:CONTEXT])
    yield "  …"
    yield from (f"  {line}" for line in lines[len(lines) - CONTEXT :])


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    pairs = zip(old, new, strict=False)
    return next(
        (n for n, (a, b) in enumerate(pairs) if a != b),
        min(len(old), len(new)),
    )


def _cut(block: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in block:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return kept
