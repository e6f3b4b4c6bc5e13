"""A dry run as it was made: everything of a rollback but the write. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.diff import summary
from bot.domain.diff.summary import Phrase
from bot.domain.dry_run import Hitch, Severity
from bot.domain.impact import Impact
from store.records import AppEnv, Json, Version


class Verdict(StrEnum):
    """What is to be expected of a rollback, the gravest first."""

    BLOCKS = "blocks"
    MISSING = "missing"
    UNKNOWN = "unknown"
    CLEAR = "clear"


class Draft(StrEnum):
    """What the editors' draft holds."""

    NONE = "none"  # the app has no draft, or keeps none
    AS_LIVE = "as_live"
    WORK = "work"  # what nobody has published


@dataclass(frozen=True)
class Rehearsal:
    """A rollback of *where* from *live* to *candidate* as it would be, with what it would meet.

    `expected_root` and `secrets` are empty where it cannot be made; `replaces` is where an open
    rollback goes that this one would supersede.
    """

    where: AppEnv
    live: Version
    candidate: Version
    hitches: tuple[Hitch, ...]
    phrases: tuple[Phrase, ...] = ()  # what the difference amounts to
    changes: int = 0
    expected_root: str = ""
    secrets: Mapping[str, Json] = field(default_factory=dict)
    restored: bool = False
    at_once: bool = False  # the app has no versions: one write, live at once
    draft: Draft = Draft.NONE
    draft_author: str = ""
    sealed: tuple[str, ...] = ()  # names of secrets whose values only the draft has
    votes: int = 0
    impact: Impact | None = None  # None where it cannot be made
    reason_needed: bool = False
    replaces: int | None = None

    @property
    def verdict(self) -> Verdict:
        found = {hitch.severity for hitch in self.hitches}
        if Severity.BLOCKS in found:
            return Verdict.BLOCKS
        if Severity.WARNS in found:
            return Verdict.MISSING
        return Verdict.UNKNOWN if found else Verdict.CLEAR

    @property
    def summary(self) -> str:
        """What the difference amounts to, in English; "" for none that was made."""
        return summary.said(self.phrases)
