"""A card in each of its states, and what can stand on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.card import CardAlert, CardButton, CardChange, CardView, CardVote
from bot.domain.dry_run import Hitch, Severity
from store.records import Choice, State

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ALICE, BOB = "U0ALICE0001", "U0BOB000001"
REVIEWERS = "S0REVIEWERS"
PEOPLE = {ALICE: "alice", BOB: "bob", "U0CAROL0001": "carol", "U0DAVE00001": "dave"}
GROUPS = {REVIEWERS: "reviewers", "S0OWNERS": "owners", "S0OWNERS001": "owners"}
REWORDED: dict[str, Any] = {"code": "things", "kind": "prompt", "op": "changed", "count": 1}
HITCHES = (Hitch(Severity.WARNS, "model", "gpt-4o", nodes=("Answer",)),)
OUTCOMES: dict[State, tuple[str, dict[str, Any]]] = {
    State.COMPLETED: ("completed", {"number": 8, "candidate": 6, "draft": "put_back"}),
    State.REJECTED: ("rejected", {"slack_id": BOB, "reason": "the fix is on its way"}),
    State.EXPIRED: ("expired", {}),
    State.WITHDRAWN: ("withdrawn", {"slack_id": BOB}),
    State.SUPERSEDED: ("live_changed", {}),
    State.FAILED: ("target_down", {"system": "dify.prod"}),
    State.NEEDS_ATTENTION: ("live_differs", {"number": 8}),
}


def a_change(**changes: Any) -> CardChange:
    """A prompt that was reworded."""
    facts = {"kind": "prompt", "op": "changed", "subject": "Triage", "detail": "prompt 1"}
    return CardChange(**{**facts, "before": "be brief", "after": "be kind", **changes})


def facts_only(**changes: Any) -> CardView:
    """A case without a rollback."""
    facts: dict[str, Any] = {
        "case_id": 5,
        "app": "support-triage",
        "env": "prod",
        "state": None,
        "finding_code": "no_change",
        "finding_facts": {
            "lookback_minutes": 60,
            "newest": 7,
            "newest_at": "2026-11-20T08:00:00Z",
        },
        "alerts": (CardAlert("TriageWrong", "ab12cd34ef56ab78", NOON, True, "critical"),),
        "audit_seq": 41,
        "audit_head": "ee" * 32,
    }
    return CardView(**{**facts, **changes})


def an_impact(name: str = "checkout-bot", *, where: Sequence[str] = ("",)) -> dict[str, Any]:
    """The facts of an impact of which everything is known; every app in it is called *name*."""
    named = {"apps": [name] * 20, "count": 21}
    parts = [
        {"code": "weight", "criticality": "critical", "app": name},
        {"code": "callers", **named},
        {"code": "pinned", **named},
        {"code": "rate", "rate": 12.04},
        {"code": "acts", "kinds": ["code", "tool", "http"]},
        {"code": "lost", "count": 4},
        {"code": "keeps"},
    ]
    apps = [{"where": one, "parts": parts} for one in where]
    return {"risk": "critical", "needed": 3, "raised": True, "apps": apps}


def a_view(state: State = State.PENDING_APPROVAL, **changes: Any) -> CardView:
    """The rollback of support-triage@prod from version 7 to 6, with one of two approvals."""
    outcome, outcome_facts = OUTCOMES.get(state, ("", None))
    facts: dict[str, Any] = {
        "state": state,
        "finding_code": "suggested",
        "finding_facts": {
            "suspect": 7,
            "candidate": 6,
            "published_at": "2026-11-24T11:50:00Z",
            "onset_from": "2026-11-24T11:50:00Z",
            "onset_to": "2026-11-24T11:54:00Z",
            "minutes": 4,
        },
        "rollback_id": 17,
        "round": 1,
        "from_number": 7,
        "to_number": 6,
        "from_published_at": NOON - timedelta(minutes=10),
        "to_published_at": NOON - timedelta(days=2),
        "from_author": "carol",
        "to_author": "dave",
        "expires_at": NOON + timedelta(minutes=30),
        "votes_needed": 2,
        "votes": (CardVote(ALICE, Choice.APPROVE, NOON),),
        "reviewers": (REVIEWERS,),
        "phrases": (REWORDED,),
        "changes": (a_change(),),
        "digest": "ab" * 32,
        "secrets_kept": ("HELPDESK_API_KEY",),
        "buttons": tuple(
            CardButton(action, f"17.1.n0nce.{'0' * 64}")
            for action in ("approve", "reject", "difference")
        )
        if state is State.PENDING_APPROVAL
        else (CardButton("difference", f"17.1.n0nce.{'0' * 64}"),),
        "outcome_code": outcome,
        "outcome_facts": outcome_facts,
    }
    return replace(facts_only(), **{**facts, **changes})


def both_approved(state: State, **changes: Any) -> CardView:
    """`a_view` with both of its approvals."""
    votes = tuple(CardVote(who, Choice.APPROVE, NOON) for who in (ALICE, BOB))
    return a_view(state, **{"votes": votes, **changes})
