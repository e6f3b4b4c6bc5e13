"""The form of an audit entry and its hash: pure, and frozen by a vector file.

Canonical form: JSON of the entry without its hash, keys sorted, no spaces, UTF-8. The hash is
SHA-256 over a domain tag and that form; the first entry's `prev` is the hash of the tag alone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

from store.records import AuditDraft, AuditEntry, Json, Unstorable

TAG = b"keyturn.audit.v1\n"
GENESIS = hashlib.sha256(TAG).hexdigest()
_written = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def timestamp(at: datetime) -> str:
    """Return *at* as ISO 8601 in UTC with microseconds, ending in Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(entry: AuditEntry) -> bytes:
    """Return the bytes that are hashed: all of *entry* but its hash."""
    fields = {**vars(entry), "what": dict(entry.what)}
    del fields["hash"]
    return _written(fields).encode()


def hash_of(entry: AuditEntry) -> str:
    """Return the hash of *entry*, 64 hex digits, whatever hash it carries."""
    return hashlib.sha256(TAG + canonical(entry)).hexdigest()


def link(draft: AuditDraft, *, seq: int, timestamp: str, prev: str) -> AuditEntry:
    """Return *draft* as the link number *seq* after the one with the hash *prev*.

    Raises:
        Unstorable: It says something that is no JSON, or that no database keeps.
    """
    bare = AuditEntry(
        seq=seq,
        timestamp=timestamp,
        user_id=draft.user_id,
        action=draft.action,
        resource=draft.resource,
        status=draft.status,
        ip_addr=draft.ip_addr,
        ip_note=draft.ip_note,
        what=_plain(draft),
        trace_id=draft.trace_id,
        prev=prev,
        hash="",
    )
    try:
        return replace(bare, hash=hash_of(bare))
    except UnicodeEncodeError as error:
        raise Unstorable(f"{draft.action} has text with half a character") from error


def _plain(draft: AuditDraft) -> dict[str, Json]:
    """`what` as it will be read back. Raises `Unstorable` when it is no JSON."""
    try:
        text = json.dumps(dict(draft.what), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Unstorable(f"the facts of {draft.action} are not JSON: {error}") from error
    plain: dict[str, Json] = json.loads(text)
    return plain


def flaw(entry: AuditEntry, *, seq: int, prev: str) -> str:
    """Return what is wrong with *entry* as link *seq* after *prev*; "" when nothing is."""
    if entry.seq != seq:
        return f"entry {seq} is missing: the next one is {entry.seq}"
    if entry.prev != prev:
        return f"entry {seq} does not follow the one before it"
    try:
        right = hash_of(entry)
    except (TypeError, ValueError):  # facts that `link` refuses have no hash
        return f"entry {seq} was changed: it says what cannot be recorded"
    if not hmac.compare_digest(entry.hash, right):
        return f"entry {seq} was changed: its hash is not that of its content"
    return ""
