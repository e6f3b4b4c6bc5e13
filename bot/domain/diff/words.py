"""Which words of a text changed. Pure.

Words are runs of letters and digits; Chinese, Japanese and Korean characters are words by
themselves; so is each mark and each run of spaces. Common beginnings and ends are set aside
first; what is between is aligned by `difflib` (Ratcliff and Metzener, 1988) as long as that
stays cheap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|\s+|[^\w\s]")
_COMPARABLE = 4_000_000  # words before times words after; beyond it they are not aligned
_ISLAND = 3  # unchanged characters between two changes that are not worth an interruption


class RunOp(StrEnum):
    """What became of a run of words."""

    EQUAL = "equal"
    DELETED = "deleted"
    INSERTED = "inserted"


@dataclass(frozen=True)
class Run:
    """Some words in a row; never empty."""

    op: RunOp
    text: str


def runs(before: str, after: str) -> tuple[Run, ...]:
    """Return *before* and *after* as one row of runs, deleted ones before inserted ones.

    The equal and deleted runs give *before*, the equal and inserted ones *after*, exactly.
    Empty for two empty texts.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    middle = _aligned(old[head : len(old) - tail], new[head : len(new) - tail])
    return tuple(
        _joined(
            [
                (RunOp.EQUAL, "".join(old[:head])),
                *middle,
                (RunOp.EQUAL, "".join(old[len(old) - tail :])),
            ]
        )
    )


def _aligned(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[RunOp, str]]:
    if len(old) * len(new) > _COMPARABLE:
        yield RunOp.DELETED, "".join(old)
        yield RunOp.INSERTED, "".join(new)
        return
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for at, (tag, a, b, c, d) in enumerate(codes):
        inside = 0 < at < len(codes) - 1
        if tag == "equal" and not (inside and _island(old[a:b])):
            yield RunOp.EQUAL, "".join(old[a:b])
        else:
            yield RunOp.DELETED, "".join(old[a:b])
            yield RunOp.INSERTED, "".join(new[c:d])


def _island(words: Sequence[str]) -> bool:
    """A space or a mark between two changed words: read better as one change."""
    text = "".join(words)
    return len(text) <= _ISLAND and not any(char.isalnum() for char in text) and "\n" not in text


def _joined(pieces: Sequence[tuple[RunOp, str]]) -> Iterator[Run]:
    """Put neighbours of a kind together; between two equal runs, deletions come first."""
    waiting = {RunOp.EQUAL: "", RunOp.DELETED: "", RunOp.INSERTED: ""}

    def flush(*ops: RunOp) -> Iterator[Run]:
        for op in ops:
            if waiting[op]:
                yield Run(op, waiting[op])
            waiting[op] = ""

    for op, text in pieces:
        if not text:
            continue
        if op is RunOp.EQUAL:
            yield from flush(RunOp.DELETED, RunOp.INSERTED)
        else:
            yield from flush(RunOp.EQUAL)
        waiting[op] += text
    yield from flush(RunOp.EQUAL, RunOp.DELETED, RunOp.INSERTED)


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    pairs = zip(old, new, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))
