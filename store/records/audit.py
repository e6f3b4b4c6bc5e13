"""Entries of the audit chain, and what says that it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.records.values import Json


@dataclass(frozen=True)
class AuditDraft:
    """What somebody or Keyturn decided or did; the chain adds seq, timestamp, prev and hash.

    `status` is what became of it: ok, refused, failed. `ip_note` says why `ip_addr` is None.
    """

    user_id: str
    action: str
    resource: str
    status: str
    what: Mapping[str, Json]
    ip_addr: str | None = None
    ip_note: str = ""
    trace_id: str = ""


@dataclass(frozen=True)
class AuditEntry:
    """One link of the chain; `hash` covers all the rest, `prev` is the hash before it."""

    seq: int
    timestamp: str  # ISO 8601 UTC, microseconds, ends in Z
    user_id: str
    action: str
    resource: str
    status: str
    ip_addr: str | None
    ip_note: str
    what: Mapping[str, Json]
    trace_id: str
    prev: str
    hash: str


@dataclass(frozen=True)
class AuditAnchor:
    """A head of the chain that stands outside the database; `hash` may be its beginning alone."""

    sequence: int
    hash: str
    at: str = ""  # when it was recorded, as the entry has it; "" where nobody wrote that down


@dataclass(frozen=True)
class Verification:
    """What came of checking the chain; `broken_at` is the first seq that is wrong.

    `held` of the anchors that it was held against are in it, the newest of entry `anchored`.
    """

    ok: bool
    entries: int
    head: str
    broken_at: int | None = None
    why: str = ""
    held: int = 0
    anchored: int = 0
