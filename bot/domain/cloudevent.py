"""An event as other systems read it: CloudEvents 1.0 in its JSON form.

See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. The
`sequence` is that of its extension: a text that sorts as the events of one app@env followed each
other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC
from types import MappingProxyType
from urllib.parse import quote

from store.records import Announcement, AppEnv, Json, State

PREFIX = "dev.keyturn."
SCHEMA = "urn:keyturn:events:1"
CONTENT_TYPE = "application/cloudevents+json"
_DIGITS = 12

_STATES: Mapping[State, str] = {
    State.DRAFT: "it was opened; its card is on the way",
    State.PENDING_APPROVAL: "it waits for votes, for the first time or again",
    State.APPROVED: "the quorum is there",
    State.BROKEN_GLASS: "one person started it alone",
    State.EXECUTING: "a worker has it",
    State.VERIFYING: "everything is written, and live is read back",
    State.COMPLETED: "verified live",
    State.REJECTED: "it was rejected",
    State.EXPIRED: "its time was over",
    State.WITHDRAWN: "it was taken back",
    State.SUPERSEDED: "another one took its place, or what was approved is no more",
    State.FAILED: "the old version is still live",
    State.NEEDS_ATTENTION: "it ended not as approved, and people were called",
}
KINDS: Mapping[str, str] = MappingProxyType(
    {
        **{f"rollback.{state.value.lower()}": said for state, said in _STATES.items()},
        "rollback.voted": "somebody approved or rejected",
        "rollback.vote_voided": "a vote counts no more",
        "rollback.glass": "one person gave their word alone",
        "rollback.glass_voided": "that word counts no more",
        "rollback.step": "how far the execution is",
        "rollback.changed": "something else that is told of it is otherwise",
        "rollback.watched": "it is watched whether it helped",
        "rollback.recovered": "it helped",
        "rollback.not_recovered": "it did not help",
        "rollback.recovery_unknown": "nobody knows whether it helped",
        "rollback.signed": "somebody signed its review",
        "rollback.reviewed": "its review is closed",
        "version.new": "a version was stored",
        "version.imported": "an older version came from the target's history",
        "version.condemned": "a meaning is suggested no more",
        "version.lifted": "a meaning may be suggested again",
        "drift.noticed": "live was changed without a publish",
    }
)


def event(announcement: Announcement, base: str) -> dict[str, Json]:
    """Return *announcement* as a CloudEvent; *base* is our public address, or ""."""
    where = announcement.where
    return {
        "specversion": "1.0",
        "id": announcement.id,
        "source": source(where, base),
        "type": f"{PREFIX}{announcement.kind}",
        "subject": announcement.subject,
        "time": announcement.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": SCHEMA,
        "sequence": f"{announcement.sequence:0{_DIGITS}d}",
        "data": {"app": where.app, "env": where.env, **announcement.data},
    }


def source(where: AppEnv, base: str) -> str:
    """The source of the events of *where*: one for each app@env."""
    return f"{base.rstrip('/')}/keyturn/{quote(where.env, safe='')}/{quote(where.app, safe='')}"


def plain(kind: str) -> str:
    """A type without the prefix of all of ours, however it was written."""
    return kind.removeprefix(PREFIX)


def chosen(kind: str, types: Collection[str]) -> bool:
    """Whether *types* name *kind*: by itself, or as `rollback.*`; none of them name all."""
    return not types or any(_names(plain(one), kind) for one in types)


def known(pattern: str) -> bool:
    """Whether *pattern* names any kind that there is."""
    return any(_names(plain(pattern), kind) for kind in KINDS)


def _names(pattern: str, kind: str) -> bool:
    if pattern.endswith("*"):
        return kind.startswith(pattern[:-1])
    return kind == pattern
