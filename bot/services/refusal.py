"""Record that somebody was refused: once a minute for the same person, action, thing and reason."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from bot.ports.store import Transaction
from store.records import AuditDraft

_MINUTE = timedelta(minutes=1)


async def record(tx: Transaction, entry: AuditDraft, *, code: str, owner: str) -> bool:
    """Append *entry* unless its equal was appended in this minute of database time.

    The claim of the minute and the entry are one transaction, so on any number of machines one
    of a hundred equal refusals is recorded, and never none. Returns whether this one was.
    """
    said = (entry.user_id, entry.action, entry.resource, entry.status, code)
    job = "refusal:" + hashlib.sha256("\0".join(said).encode()).hexdigest()[:40]
    minute = await tx.slots.claim(job, period=_MINUTE, owner=owner, lease=_MINUTE)
    if minute is None:
        return False
    await tx.audit.append(entry)
    await tx.slots.finish(minute)
    return True
