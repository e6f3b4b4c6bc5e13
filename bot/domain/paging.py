"""Long answers in pages that a phone shows and Slack takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

VERSIONS = 8  # of a history on one page
LINES = 40  # of a difference on one page
_ROOM = 7_500  # characters of a page of lines; a message has 10 000 with what stands around them
_WIDTH = 380  # characters of one line; a longer one goes on in the next


@dataclass(frozen=True)
class Numbers:
    """One page of the versions *first* … *last*, newest first: those from `top` down to `low`."""

    page: int
    pages: int
    top: int
    low: int


def numbers(first: int, last: int, page: int, *, size: int = VERSIONS) -> Numbers | None:
    """Return page *page* of the numbers from *last* down to *first*; None if there is none.

    The first page is 1 and has *last* on it.
    """
    pages = count(first, last, size=size)
    if not 1 <= page <= pages:
        return None
    top = last - (page - 1) * size
    return Numbers(page, pages, top, max(first, top - size + 1))


def count(first: int, last: int, *, size: int = VERSIONS) -> int:
    """Return how many pages the numbers *first* … *last* take."""
    return -(-(last - first + 1) // size)


def pages(lines: Sequence[str]) -> list[list[str]]:
    """Return *lines* as pages; a line that is too wide goes on in the next, marked as it was.

    No lines are one empty page.
    """
    made: list[list[str]] = [[]]
    room = _ROOM
    for line in chain.from_iterable(map(_wrapped, lines)):
        if made[-1] and (len(made[-1]) == LINES or len(line) >= room):
            made.append([])
            room = _ROOM
        made[-1].append(line)
        room -= len(line) + 1
    return made


def _wrapped(line: str) -> list[str]:
    mark = line[:2] if line[:2] in ("- ", "+ ", "  ") else ""
    text = line[len(mark) :]
    width = _WIDTH - len(mark)
    return [mark + text[at : at + width] for at in range(0, max(len(text), 1), width)]
