"""When people are called again, before a rollback expires or to its review, and whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain import glass, quorum
from bot.domain.words import NoteCode
from store.records import Json, Rollback, State

_DAY = timedelta(days=1)


def due(rollback: Rollback, *, at: datetime) -> NoteCode | None:
    """Return what is due at *at*: the newest of the two calls whose time has come, or None.

    Whether it was made already is for the one who makes it to know.
    """
    policy = rollback.policy
    if rollback.state is not State.PENDING_APPROVAL or not policy.named or not policy.voters:
        return None
    if at >= rollback.expires_at:
        return None
    waited = at - rollback.opened_at
    if policy.backups and _over(waited, policy.escalate_after_s):
        return NoteCode.ESCALATED
    return NoteCode.REMINDER if _over(waited, policy.remind_after_s) else None


def days_unreviewed(rollback: Rollback, *, at: datetime) -> int:
    """Return for how many whole days the review of *rollback* is open; 0 where none is."""
    if not rollback.review_open or rollback.finished_at is None:
        return 0
    return max((at - rollback.finished_at) // _DAY, 0)


def review_facts(rollback: Rollback, voters: Sequence[str], *, at: datetime) -> dict[str, Json]:
    """Return what a call to review *rollback* says.

    It calls the entries of *voters* that may sign still: not who broke the glass, nor who signed.
    """
    broken = rollback.broken_by
    done = {signed.slack_id for signed in rollback.signatures}
    done |= {broken.slack_id} if broken else set()
    return {
        "rollback_id": rollback.id,
        "where": str(rollback.leg.where),
        "slack_id": broken.slack_id if broken else "",
        "reason": broken.reason if broken else "",
        "state": rollback.state.value,
        "signed": [signed.slack_id for signed in rollback.signatures],
        "needed": glass.SIGNATURES,
        "days": days_unreviewed(rollback, at=at),
        "voters": [entry for entry in voters if entry not in done],
    }


def facts(rollback: Rollback, code: NoteCode) -> dict[str, Json]:
    """Return what the call *code* says.

    A reminder calls the entries of the policy, but none of a person who has voted; an escalation
    calls the backups.
    """
    policy = rollback.policy
    votes = quorum.approvals(rollback)
    voted = {vote.slack_id for vote in rollback.votes if vote.voided_at is None}
    called = policy.backups
    if code is NoteCode.REMINDER:
        called = tuple(entry for entry in policy.voters if entry not in policy.backups)
    return {
        "voters": [entry for entry in called if entry not in voted],
        "missing": list(quorum.unrepresented(rollback, votes)),
        "count": len(votes),
        "needed": quorum.needed(rollback),
        "until": rollback.expires_at.isoformat(),
    }


def _over(waited: timedelta, after_s: int) -> bool:
    return after_s > 0 and waited >= timedelta(seconds=after_s)
