"""What a dry run says: everything of a rollback but the write, step by step. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain import dry_run, impact, impact_told
from bot.domain.dry_run import Hitch, Severity
from bot.domain.impact import Impact
from bot.domain.redact import redact_text
from store.records import AppEnv, Json, Version

_ROOT = 12


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
    summary: str = ""
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


def lines(rehearsal: Rehearsal) -> list[str]:
    """Return what is to be said of *rehearsal*, a sentence a line; the gravest first."""
    blocks = [hitch for hitch in rehearsal.hitches if hitch.severity is Severity.BLOCKS]
    others = [hitch for hitch in rehearsal.hitches if hitch.severity is not Severity.BLOCKS]
    return [
        *(f"It would be refused: {hitch.why}" for hitch in blocks),
        *dry_run.in_full(others, env=rehearsal.where.env),
        *_difference(rehearsal),
        *([impact_told.line(rehearsal.impact)] if rehearsal.impact else []),
        *_secrets(rehearsal),
        *([*_around(rehearsal), *_steps(rehearsal)] if not blocks else []),
    ]


def as_json(rehearsal: Rehearsal) -> dict[str, Json]:
    """Return *rehearsal* for a program."""
    return {
        "app": str(rehearsal.where),
        "verdict": rehearsal.verdict.value,
        "live": rehearsal.live.number,
        "version": rehearsal.candidate.number,
        "findings": [
            {
                "severity": hitch.severity.value,
                "what": hitch.what,
                "name": hitch.name,
                "provider": hitch.provider,
                "nodes": list(hitch.nodes),
                "why": hitch.why,
            }
            for hitch in rehearsal.hitches
        ],
        "summary": rehearsal.summary,
        "changes": rehearsal.changes,
        "expected_root": rehearsal.expected_root,
        "secrets": dict(rehearsal.secrets),
        "restored": rehearsal.restored,
        "draft": rehearsal.draft.value,
        "votes": rehearsal.votes,
        "impact": impact.facts_of(rehearsal.impact) if rehearsal.impact else None,
        "reason_needed": rehearsal.reason_needed,
        "replaces": rehearsal.replaces,
        "steps": _steps(rehearsal) if rehearsal.verdict is not Verdict.BLOCKS else [],
    }


def _difference(rehearsal: Rehearsal) -> list[str]:
    if not rehearsal.changes:
        return []
    many = f"{rehearsal.changes} change{'s' * (rehearsal.changes > 1)}"
    return [f"Difference to live, {many}: {rehearsal.summary}"]


def _secrets(rehearsal: Rehearsal) -> list[str]:
    kept = [redact_text(str(name)) for name in rehearsal.secrets.get("kept", ())]
    own = [redact_text(str(name)) for name in rehearsal.secrets.get("from_version", ())]
    whose = "the draft's" if rehearsal.secrets.get("of_draft") is True else "live's"
    said = []
    if kept:
        said.append(f"Secrets that keep {whose} value: {', '.join(kept)}")
    if own:
        said.append(f"Secrets that take the version's own value: {', '.join(own)}")
    return said


def _around(rehearsal: Rehearsal) -> list[str]:
    said = []
    if rehearsal.restored:
        said.append("The version was deleted in the target; it would come from Keyturn's store.")
    if rehearsal.reason_needed:
        said.append("It was rolled back here before, so asking for it takes a reason.")
    if rehearsal.replaces is not None:
        said.append(f"It would take the place of the open rollback to {rehearsal.replaces}.")
    return said


def _steps(rehearsal: Rehearsal) -> list[str]:
    """What an execution would do, in its order."""
    number = rehearsal.candidate.number
    root = rehearsal.expected_root[:_ROOT]
    votes = rehearsal.votes
    asked = f"wait for {votes} approval{'s' * (votes != 1)}" if votes else "no approval is needed"
    if rehearsal.at_once:
        steps = [
            asked,
            f"write version {number} over what is live, at once: the app has no versions",
            f"read live back: its root has to be {root}…",
        ]
    else:
        steps = [
            asked,
            f"keep the editors' draft in Keyturn's store ({_of_draft(rehearsal)})",
            *_sealing(rehearsal),
            f"write version {number} into the draft, unless somebody saves meanwhile",
            "publish the draft under the name rollback-…",
            f"read live back: its root has to be {root}…",
            "put the editors' draft back",
        ]
    return [f"{n}. {step}" for n, step in enumerate(steps, 1)]


def _sealing(rehearsal: Rehearsal) -> list[str]:
    names = ", ".join(redact_text(name) for name in rehearsal.sealed)
    return [f"seal the values that only the draft has: {names}"] if names else []


def _of_draft(rehearsal: Rehearsal) -> str:
    if rehearsal.draft is Draft.WORK:
        by = f" of {rehearsal.draft_author}" if rehearsal.draft_author else ""
        return f"it holds unpublished work{by}"
    return "it holds nothing that is not live"
