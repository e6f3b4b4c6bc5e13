"""Two texts side by side, line by line, with the words that changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from bot.domain.diff.label import visible
from bot.domain.diff.words import Run, RunOp, runs

CONTEXT = 3  # unchanged lines around a changed one
MOST_ROWS = 400
_LINE = 4_000  # characters of one line
_COMPARABLE = 4_000_000  # lines before times lines after; beyond it they are not aligned
_EMPTY = (Run(RunOp.EQUAL, " "),)


class RowKind(StrEnum):
    """What a row of two lines says."""

    EQUAL = "equal"
    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    SKIPPED = "skipped"  # unchanged lines that are not shown
    CUT = "cut"  # there is more, and it is not shown


@dataclass(frozen=True)
class Row:
    """A line of both sides; a side without a line has no runs. `count` is of what is skipped."""

    kind: RowKind
    old: tuple[Run, ...] = ()
    new: tuple[Run, ...] = ()
    count: int = 0


def rows(before: str, after: str) -> tuple[Row, ...]:
    """Return both texts as rows: at most `MOST_ROWS`, then one that says how many are missing.

    Characters that would hide or reorder text are spelled out. Empty for two empty texts.
    """
    if all(_ends_in_crlf(text) for text in (before, after)):
        before, after = (text.replace("\r\n", "\n") for text in (before, after))
    old, new = (text.split("\n") if text else [] for text in (before, after))
    made: list[Row] = []
    for row in _rows(old, new):
        made.append(row)
        if len(made) > MOST_ROWS:
            left = len(old) + len(new) - sum(r.kind is not RowKind.SKIPPED for r in made)
            return (*made[:MOST_ROWS], Row(RowKind.CUT, count=max(left, 1)))
    return tuple(made)


def _ends_in_crlf(text: str) -> bool:
    """Whether every line of *text* that ends does so as on Windows, which then says nothing."""
    return text.count("\r\n") == text.count("\n")


def _rows(old: Sequence[str], new: Sequence[str]) -> Iterator[Row]:
    if len(old) * len(new) > _COMPARABLE:
        codes = [("replace", 0, len(old), 0, len(new))]
    else:
        codes = [*SequenceMatcher(None, old, new, autojunk=False).get_opcodes()]
    for n, (tag, a, b, c, d) in enumerate(codes):
        if tag == "equal":
            yield from _equal(old[a:b], first=n == 0, last=n == len(codes) - 1)
        else:
            yield from _changed(old[a:b], new[c:d])


def _equal(lines: Sequence[str], *, first: bool, last: bool) -> Iterator[Row]:
    head = 0 if first else CONTEXT
    tail = 0 if last else CONTEXT
    skipped = len(lines) - head - tail
    if skipped <= 1:
        yield from (_same(line) for line in lines)
        return
    yield from (_same(line) for line in lines[:head])
    yield Row(RowKind.SKIPPED, count=skipped)
    yield from (_same(line) for line in lines[len(lines) - tail :])


def _same(line: str) -> Row:
    return Row(RowKind.EQUAL, _line(line), _line(line))


def _line(line: str) -> tuple[Run, ...]:
    """A line of which no word stands out."""
    return (Run(RunOp.EQUAL, _shown(line) or " "),)


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[Row]:
    both = min(len(old), len(new))
    for was, now in zip(old, new, strict=False):
        found = runs(_shown(was), _shown(now))
        left = tuple(run for run in found if run.op is not RunOp.INSERTED)
        right = tuple(run for run in found if run.op is not RunOp.DELETED)
        yield Row(RowKind.CHANGED, left or _EMPTY, right or _EMPTY)
    for line in old[both:]:
        yield Row(RowKind.REMOVED, old=_line(line))
    for line in new[both:]:
        yield Row(RowKind.ADDED, new=_line(line))


def _shown(line: str) -> str:
    line = visible(line)
    return line if len(line) <= _LINE else f"{line[:_LINE]}… ({len(line) - _LINE} characters more)"
