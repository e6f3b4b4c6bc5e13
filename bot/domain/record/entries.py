"""The audit entries of one rollback: which they are, and what of each may be shown. Pure.

An entry is shown whole, so that its hash can be made again from what is shown; only one in whose
details somebody wrote what looks like a secret is withheld: its dots have another hash.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bot.domain.redact import redact
from store.records import AuditEntry, Case, Json, Rollback

_OPENED = "case.open"
_SHORT = 16  # letters of a meaning that a resource's name has


@dataclass(frozen=True)
class ShownEntry:
    """One audit entry. `details` are what it says, without what looks like a secret.

    `withheld` says that something was left out, so that its hash is not that of what is shown.
    """

    entry: AuditEntry
    details: Mapping[str, Json]
    withheld: bool


def resources(rollback: Rollback, case: Case, meanings: Iterable[str]) -> set[str]:
    """Return what the entries of *rollback* are about; *meanings* are those that it may judge."""
    return {
        f"rollback/{rollback.id}",
        f"case/{case.id}",
        f"app/{case.where}",
        str(case.where),  # of a case that was opened because of an app that calls this one
        *(f"meaning/{meaning[:_SHORT]}" for meaning in meanings),
    }


def of_rollback(
    entries: Sequence[AuditEntry], rollback: Rollback, case: Case
) -> tuple[ShownEntry, ...]:
    """Return those of *entries*, in the order of the chain, that tell of *rollback*.

    That is what was done with it, and what its case tells of no other one, from its opening on.
    """
    opened = _opening(entries, case)
    ours = (entry for entry in entries if entry is opened or _is_of(entry, rollback, case))
    return tuple(map(_shown, ours))


def _opening(entries: Sequence[AuditEntry], case: Case) -> AuditEntry | None:
    """The entry of the opening of *case*: the first one since."""
    since = _timestamp(case.opened_at)
    named = {f"app/{case.where}", str(case.where)}
    return next(
        (e for e in entries if _opens(e) and e.resource in named and e.timestamp >= since), None
    )


def _opens(entry: AuditEntry) -> bool:
    return entry.action == _OPENED


def _is_of(entry: AuditEntry, rollback: Rollback, case: Case) -> bool:
    if entry.resource == f"rollback/{rollback.id}":
        return True
    said = entry.what.get("rollback") if isinstance(entry.what, dict) else None
    if said is not None:
        return bool(said == rollback.id)
    return entry.resource == f"case/{case.id}"


def _shown(entry: AuditEntry) -> ShownEntry:
    told = entry.what if isinstance(entry.what, dict) else {"what": entry.what}  # tampered with
    details = redact(told)
    return ShownEntry(entry, details, withheld=details != told)


def canonical_line(entry: AuditEntry) -> str:
    """*entry* in its canonical form (keys sorted, no spaces, UTF-8), with its hash."""
    return json.dumps(fields(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fields(entry: AuditEntry) -> dict[str, Json]:
    """All that *entry* says, its hash among it."""
    return {**asdict(entry), "what": entry.what}


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_text(value: Json) -> str:
    """Return one detail of an entry as it is read; lists of words without their brackets."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "none"
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
