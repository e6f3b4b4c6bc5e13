"""What going back gives up besides the change to blame, by the summary of each change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bot.domain.diff import summary
from bot.domain.diff.summary import Phrase
from bot.language import IN_ENGLISH, Tongue, message
from store.records import Version, VersionSource

MOST = 3  # changes that are named one by one
_SUMMARY = 110
_AUTHOR = 40


@dataclass(frozen=True)
class Later:
    """A version after the candidate, and what it changed against the one before."""

    version: Version
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True)
class Lost:
    """What one app loses: the newest changes, how many more, and how many nobody looked at.

    `where` is the app, "" where there is only one.
    """

    later: tuple[Later, ...]
    more: int = 0
    unread: int = 0
    where: str = ""


def lost(
    later: Sequence[Later], *, suspect_id: int | None, unread: int = 0, where: str = ""
) -> tuple[Lost, ...]:
    """Return what is lost besides the suspect, the newest first; nothing when that is all.

    Without a suspect every later change is told, since a person chose the version. *unread* is
    how many older versions lie between whose changes nobody looked at.
    """
    told = [one for one in later if one.version.id != suspect_id]
    if not told and not unread:
        return ()
    return (Lost(tuple(told[:MOST]), max(len(told) - MOST, 0), unread, where),)


def words(found: Iterable[Lost], tongue: Tongue = IN_ENGLISH) -> str:
    """Return what was *found* on one line."""
    return tongue.filled("; ").join(_app(one, tongue) for one in found)


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


_BY_US: Final = {
    VersionSource.ROLLBACK: message("a rollback: %(what)s"),
    VersionSource.PUT_BACK: message("put back: %(what)s"),
}


def _app(found: Lost, tongue: Tongue) -> str:
    named = [_one(one, tongue) for one in found.later]
    if found.more:
        named.append(tongue.filled("and %(more)s more", more=found.more))
    if found.unread:
        said = tongue.counted(
            "and whatever %(num)s older version changed",
            "and whatever %(num)s older versions changed",
            found.unread,
        )
        named.append(said)
    what = tongue.filled("; ").join(named)
    if not found.where:
        return what
    return tongue.filled("%(where)s: %(what)s", where=found.where, what=what)


def _one(one: Later, tongue: Tongue) -> str:
    version = one.version
    what = _cut(summary.said(one.phrases, tongue), _SUMMARY)
    if version.source in _BY_US:
        what = tongue.filled(_BY_US[version.source], what=what)
    facts = {"number": version.number, "what": what}
    if not version.author:
        return tongue.filled("version %(number)s: %(what)s", **facts)
    author = _cut(version.author, _AUTHOR)
    return tongue.filled("version %(number)s by %(author)s: %(what)s", **facts, author=author)


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
