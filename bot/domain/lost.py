"""What going back gives up besides the change to blame, in the words of each change. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from store.records import Version, VersionSource

MOST = 3  # changes that are named one by one
_SUMMARY = 110
_AUTHOR = 40


@dataclass(frozen=True)
class Later:
    """A version after the candidate, and what it changed against the one before."""

    version: Version
    summary: str


def words(later: Sequence[Later], *, suspect_id: int | None, unread: int = 0) -> str:
    """Return what is lost besides the suspect, the newest first; "" when there is nothing else.

    Without a suspect every later change is told, since a person chose the version. *unread* is
    how many older versions lie between whose changes nobody looked at.
    """
    told = [one for one in later if one.version.id != suspect_id]
    if not told and not unread:
        return ""
    named = [*map(_one, told[:MOST])]
    if (left := len(told) - MOST) > 0:
        named.append(f"and {left} more")
    if unread:
        named.append(f"and whatever {unread} older version{'s' * (unread > 1)} changed")
    return "; ".join(named)


def counted(
    newest_first: Sequence[Version], *, candidate: Version, live: Version, suspect_id: int | None
) -> int:
    """Return how many versions after *candidate* up to *live* are lost besides the suspect.

    Those that mean the same as the one before them do not count.
    """
    first, last = candidate.number or 0, live.number or 0
    return sum(
        (older.number or 0) >= first
        and first < (newer.number or 0) <= last
        and newer.meaning != older.meaning
        and newer.id != suspect_id
        for newer, older in pairwise(newest_first)
    )


_BY_US = {VersionSource.ROLLBACK: "a rollback: ", VersionSource.PUT_BACK: "put back: "}


def _one(one: Later) -> str:
    version = one.version
    by = f" by {_cut(version.author, _AUTHOR)}" if version.author else ""
    what = _BY_US.get(version.source, "")
    return f"version {version.number}{by}: {what}{_cut(one.summary, _SUMMARY)}"


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
