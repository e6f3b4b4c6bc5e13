"""When the audit chain is anchored.

An anchor is the number and the hash of the newest entry, told to where the owner of the database
cannot reach: Slack, the standard output, an address. Pure.
"""

from __future__ import annotations

from typing import Final

from bot.domain.words import NoteCode
from store.records import AuditDraft

# What is worth forging: who was to decide, what ran, and by which rules.
EVENTS: Final = frozenset(
    {
        *("vote.approve", "vote.reject", "vote.take_back", "vote.void", "rollback.approve_unasked"),
        *("rollback.execute", "rollback.completed", "rollback.failed", "rollback.needs_attention"),
        *("rollback.take_over", "rollback.late_publish", "rollback.requester_lost"),
        *("rollback.break_glass", "rollback.break_glass_void"),
        *("review.open", "review.sign", "review.close"),
        *("version.drift", "settings.reloaded", "app.included", "app.released"),
        *("pause", "resume", "retention.prune"),
    }
)
# What Slack keeps of it as it was: replies that are never redrawn, as a card is.
SAID: Final = frozenset(
    {
        *(NoteCode.EXECUTING, NoteCode.ENDED, NoteCode.LATE_PUBLISH),
        *(NoteCode.GLASS_BROKEN, NoteCode.GLASS_VOID, NoteCode.REVIEW_CLOSED),
    }
)


def is_event(entry: AuditDraft) -> bool:
    """Whether the chain is anchored because of *entry*. What was refused has changed nothing."""
    return entry.action in EVENTS and entry.status != "refused"
