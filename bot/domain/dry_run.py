"""What a dry run found: what a version would need and the environment does not have. Pure.

It is told before anybody approves, and no vote binds to it: it is about the surroundings of a
configuration, which change without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from bot.domain.redact import redact_text
from bot.domain.references import Needed, Reference
from store.records import Json

_KEY = "hitches"
WORKFLOW_TOOL = "workflow tool"


class Severity(StrEnum):
    """What a hitch does to the rollback."""

    BLOCKS = "blocks"  # it would be refused, or fail
    WARNS = "warns"  # it can be carried out, and may answer nobody
    UNKNOWN = "unknown"


class Presence(StrEnum):
    """Whether something is there."""

    THERE = "there"
    MISSING = "missing"
    UNUSABLE = "unusable"  # it is there, and does not work as it is
    UNKNOWN = "unknown"


class Unread(StrEnum):
    """Why a target's list could not be read: then nothing in it is called missing."""

    LATE = "late"
    DOWN = "down"
    FORBIDDEN = "forbidden"
    NO_LIST = "no_list"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Looked:
    """What a look at a target brought.

    `why` is the target's own word where something is UNUSABLE, an `Unread` where it is UNKNOWN.
    """

    presence: Presence
    why: str = ""


@dataclass(frozen=True)
class Hitch:
    """One thing that a rollback would meet.

    `what` is a kind of thing, or the code of a refusal with its sentence in `why`; texts come from
    a configuration and are redacted.
    """

    severity: Severity
    what: str
    name: str = ""
    provider: str = ""
    nodes: tuple[str, ...] = ()
    why: str = ""


def hitches(references: Iterable[Reference], looked: Mapping[Needed, Looked]) -> tuple[Hitch, ...]:
    """Return what is wrong with *references* after a look; what nobody looked for is unknown."""
    found = []
    for reference in references:
        seen = looked.get(reference.needed, Looked(Presence.UNKNOWN, Unread.NO_LIST))
        if seen.presence is not Presence.THERE:
            found.append(_hitch(reference, seen))
    return tuple(sorted(found, key=lambda hitch: hitch.severity is Severity.UNKNOWN))


def facts_of(found: Sequence[Hitch]) -> dict[str, Json]:
    """Return *found* as a rollback keeps it; `hitches_in` reads it."""
    return {_KEY: [{**asdict(hitch), "nodes": list(hitch.nodes)} for hitch in found]}


def hitches_in(facts: Mapping[str, Json]) -> tuple[Hitch, ...] | None:
    """Return what `facts_of` made; None where no dry run was made, as by an older release."""
    if _KEY not in facts:
        return None
    return tuple(
        Hitch(**{**held, "severity": Severity(held["severity"]), "nodes": tuple(held["nodes"])})
        for held in facts[_KEY]
    )


def warns(found: Iterable[Hitch]) -> bool:
    """Whether something that is needed is not there."""
    return any(hitch.severity is Severity.WARNS for hitch in found)


def recorded(found: Sequence[Hitch]) -> dict[str, Json]:
    """Return what the audit trail keeps of it: which things were missing or not checked."""
    by = {
        "missing": [f"{h.what} {h.name}" for h in found if h.severity is Severity.WARNS],
        "not_checked": [f"{h.what} {h.name}" for h in found if h.severity is Severity.UNKNOWN],
    }
    return {name: told for name, told in by.items() if told}


def _hitch(reference: Reference, seen: Looked) -> Hitch:
    needed = reference.needed
    unknown = seen.presence is Presence.UNKNOWN
    made = Hitch(
        severity=Severity.UNKNOWN if unknown else Severity.WARNS,
        what=WORKFLOW_TOOL if needed.sort == "workflow" else needed.kind.value,
        name=needed.name,
        provider=reference.label or needed.provider,
        nodes=reference.nodes,
        why=seen.why,
    )
    return replace(
        made,
        name=redact_text(made.name),
        provider=redact_text(made.provider),
        nodes=tuple(map(redact_text, made.nodes)),
    )
