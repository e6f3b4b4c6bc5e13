"""What a check found: one line, and what to do where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"  # it works, but somebody may want to know
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One line: `what` was looked at, what is `said` of it, and the `mend` of what failed."""

    what: str
    verdict: Verdict
    said: str
    mend: str = ""


def ok(what: str, said: str) -> Finding:
    """It is as it should be."""
    return Finding(what, Verdict.OK, said)


def note(what: str, said: str) -> Finding:
    """It works; people should know all the same."""
    return Finding(what, Verdict.NOTE, said)


def failed(what: str, said: str, mend: str) -> Finding:
    """It does not work; *mend* is one sentence for whoever can change it."""
    return Finding(what, Verdict.FAILED, said, mend)
