"""A record as data, for whoever checks it without us. Pure.

The audit entries are in the form that their hashes are made of; `docs` of the page say how.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.domain.record.entries import ShownEntry, fields
from bot.domain.record.view import LegShown, RecordPage
from store.records import Json, Vote

FORM = "keyturn.evidence.v1"


def pack(page: RecordPage) -> dict[str, Json]:
    """Return what an evidence file holds beside the page that people read."""
    rollback, chain = page.rollback, page.chain
    return {
        "form": FORM,
        "made_at": _iso(page.made_at),
        "rollback": {
            "id": rollback.id,
            "case": rollback.case_id,
            "state": rollback.state.value,
            "outcome": rollback.outcome,
            "content_digest": rollback.content_digest,
            "requested_by": rollback.requested_by,
            "reason": rollback.reason,
            "opened_at": _iso(rollback.opened_at),
            "finished_at": _iso(rollback.finished_at),
            "verified_at": _iso(rollback.execution.verified_at),
            "votes_needed": page.needed,
            "votes": [_vote(vote) for vote in rollback.votes],
            "legs": [_leg(leg) for leg in page.legs],
            "moves": [[_iso(at), state.value] for at, state in page.moves],
        },
        "audit": {
            "seq": chain.seq,
            "head": chain.head,
            "entries": [fields(shown.entry) for shown in chain.entries if not shown.withheld],
            "withheld": [_withheld(shown) for shown in chain.entries if shown.withheld],
        },
    }


def _withheld(shown: ShownEntry) -> dict[str, Json]:
    """An entry without what looks like a secret; its hash is not that of this."""
    return {**fields(shown.entry), "what": dict(shown.details)}


def _vote(vote: Vote) -> dict[str, Json]:
    return {
        "person": vote.person,
        "slack_id": vote.slack_id,
        "choice": vote.choice.value,
        "content_digest": vote.digest,
        "at": _iso(vote.at),
        "voided_at": _iso(vote.voided_at),
        "voided_why": vote.voided_why,
    }


def _leg(leg: LegShown) -> dict[str, Json]:
    return {
        "app": leg.where,
        "from": leg.old,
        "to": leg.new,
        "live_root": leg.live_root,
        "expected_root": leg.expected_root,
        "made": leg.made,
        "verified": leg.verified,
        "back": leg.back,
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None
