"""A difference as a small book for a small screen: a list of its changes, then one at a time. Pure.

A sheet is named by its change, from 1 on, and which part of it; `CONTENTS` is the list. So a sheet
is made without looking at the changes before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.domain.diff.changes import Change, ChangeList
from bot.domain.diff.label import clip, label, texts
from bot.domain.diff.rows import Row, RowKind, rows
from bot.domain.diff.summary import Phrase, said
from bot.domain.diff.words import Run, RunOp

LISTED = 60  # changes on the list; more is no list for a phone
MOST_LINES, MOST_CHARACTERS = 30, 2_200  # of a sheet
_AROUND = 90  # unchanged characters of a long line that stay beside what changed
_LINE = 1_500
_SUBJECT, _LABEL = 140, 160
_PLACE = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")

Place = tuple[int, int]
CONTENTS: Place = (0, 0)


@dataclass(frozen=True)
class Entry:
    """A change on the list, by its number."""

    number: int
    kind: str
    op: str
    subject: str
    label: str


@dataclass(frozen=True)
class Line:
    """One line of a text: before it changed (`−`), after (`+`), in both (``) or left out (`…`).

    Of lines that are left out `count` says how many, and `unchanged` whether nothing differs there.
    """

    sign: str
    runs: tuple[Run, ...]
    count: int = 0
    unchanged: bool = False


@dataclass(frozen=True)
class Sheet:
    """What is shown at once: the list (`entry` is None), or one change or a part of it.

    `before` and `after` are the places of its neighbours, None at the ends; `total` is how many
    changes there are, `left` how many of them are not on the list.
    """

    place: Place
    phrases: tuple[Phrase, ...]
    total: int
    entries: tuple[Entry, ...] = ()
    left: int = 0
    entry: Entry | None = None
    part: int = 1
    parts: int = 1
    lines: tuple[Line, ...] = ()
    before: Place | None = None
    after: Place | None = None

    @property
    def summary(self) -> str:
        """What all of it amounts to, in English."""
        return said(self.phrases)


def spelled(place: Place) -> str:
    """Return *place* as a button carries it."""
    return f"{place[0]}.{place[1]}"


def place_in(text: str) -> Place:
    """Return the place that a button carried; the list for what is none."""
    found = _PLACE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else CONTENTS


def sheet(changes: ChangeList, place: Place) -> Sheet:
    """Return the sheet at *place*; the nearest one that there is, where there is none."""
    total = len(changes.changes)
    number = min(place[0], total)
    if number == 0:
        return _list(changes)
    change = changes.changes[number - 1]
    parts = [*_parts(_lines(rows(*texts(change))))] or [()]
    part = min(place[1], len(parts) - 1)
    more = part + 1 < len(parts)
    return Sheet(
        place=(number, part),
        phrases=changes.phrases(),
        total=total,
        entry=_entry(number, change),
        part=part + 1,
        parts=len(parts),
        lines=parts[part],
        before=(number, part - 1) if part else (number - 1, 0),
        after=(number, part + 1) if more else (number + 1, 0) if number < total else None,
    )


def _list(changes: ChangeList) -> Sheet:
    entries = [_entry(n, change) for n, change in enumerate(changes.top(LISTED), start=1)]
    total = len(changes.changes)
    return Sheet(
        place=CONTENTS,
        phrases=changes.phrases(),
        total=total,
        entries=tuple(entries),
        left=total - len(entries),
        after=(1, 0) if total else None,
    )


def _entry(number: int, change: Change) -> Entry:
    subject, inside = clip(change.subject, _SUBJECT), clip(label(change), _LABEL)
    return Entry(number, change.kind.value, change.op.value, subject, inside)


def _lines(found: Sequence[Row]) -> Iterator[Line]:
    for row in found:
        match row.kind:
            case RowKind.EQUAL:
                yield Line("", _shortened(row.new))
            case RowKind.SKIPPED:
                yield _left_out(row.count, "unchanged lines", unchanged=True)
            case RowKind.CUT:
                yield _left_out(row.count, "more lines", unchanged=False)
            case _:
                if row.old:
                    yield Line("−", _shortened(row.old))
                if row.new:
                    yield Line("+", _shortened(row.new))


def _left_out(count: int, what: str, *, unchanged: bool) -> Line:
    return Line("…", (Run(RunOp.EQUAL, f"{count} {what}"),), count, unchanged)


def _shortened(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Leave out what is far from what changed; a line without a change keeps its beginning."""
    if sum(len(run.text) for run in runs) <= 2 * _AROUND:
        return runs
    made = [_around(runs, n) for n in range(len(runs))]
    return tuple(_cut(made))


def _around(runs: tuple[Run, ...], n: int) -> Run:
    run = runs[n]
    if run.op is not RunOp.EQUAL or len(run.text) <= 2 * _AROUND + 1:
        return run
    head = run.text[:_AROUND] if n or len(runs) == 1 else ""
    tail = run.text[-_AROUND:] if n < len(runs) - 1 else ""
    return Run(run.op, f"{head}…{tail}")


def _cut(runs: Sequence[Run]) -> Iterator[Run]:
    room = _LINE
    for run in runs:
        if len(run.text) > room:
            yield Run(run.op, f"{run.text[:room]}… ({len(run.text) - room} characters more)")
            return
        yield run
        room -= len(run.text)


def _parts(lines: Iterator[Line]) -> Iterator[tuple[Line, ...]]:
    part: list[Line] = []
    size = 0
    for line in lines:
        length = sum(len(run.text) for run in line.runs)
        if part and (len(part) == MOST_LINES or size + length > MOST_CHARACTERS):
            yield tuple(part)
            part, size = [], 0
        part.append(line)
        size += length
    if part:
        yield tuple(part)
