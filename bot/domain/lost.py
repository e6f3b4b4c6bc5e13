"""What going back gives up besides the change to blame, in the words of each change. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from store.records import Version, VersionSource

MOST = 3  # changes that are named one by one
_SUMMARY = 110
_AUTHOR = 40


@dataclass(frozen=True)
class Later:
    """A version after the candidate, and what it changed against the one before."""

    version: Version
    summary: str


def words(later: Sequence[Later], *, suspect_id: int | None) -> str:
    """Return what is lost besides the suspect, the newest first; "" when there is nothing else.

    Without a suspect every later change is told, since a person chose the version.
    """
    told = [one for one in later if one.version.id != suspect_id]
    if not told:
        return ""
    named = "; ".join(map(_one, told[:MOST]))
    left = len(told) - MOST
    return f"{named}; and {left} more" if left > 0 else named


def _one(one: Later) -> str:
    version = one.version
    by = f" by {_cut(version.author, _AUTHOR)}" if version.author else ""
    what = "a rollback: " if version.source is VersionSource.ROLLBACK else ""
    return f"version {version.number}{by}: {what}{_cut(one.summary, _SUMMARY)}"


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
