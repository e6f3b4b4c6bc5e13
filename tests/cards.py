"""Card views for tests, and what can be asked of any message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.blockkit import message_problems
from bot.domain.card import CardAlert, CardButton, CardChange, CardView, CardVote
from bot.render import Message
from store.records import Choice, State
from tests.builders import NOON

ALICE, BOB = "U0ALICE0001", "U0BOB000001"
REVIEWERS = "S0REVIEWERS"
OUTCOMES: dict[State, tuple[str, dict[str, Any]]] = {
    State.COMPLETED: ("completed", {"number": 8, "candidate": 6, "draft": "put_back"}),
    State.REJECTED: ("rejected", {"slack_id": BOB, "reason": "the fix is on its way"}),
    State.EXPIRED: ("expired", {}),
    State.WITHDRAWN: ("withdrawn", {"slack_id": BOB}),
    State.SUPERSEDED: ("live_changed", {}),
    State.FAILED: ("target_down", {"system": "dify.prod"}),
    State.NEEDS_ATTENTION: ("live_differs", {"number": 8}),
}
# Mentions and dates made by code, from ids of Slack's form and from times, and links of ours.
OURS = re.compile(
    r"<@[UW][A-Z0-9]{7,}>|<!subteam\^S[A-Z0-9]{7,}>"
    r"|<!date\^\d+\^[a-z_{} ]+\|[-0-9: ]+UTC>"
    r"|<https://keyturn\.slack\.com/archives/[A-Z0-9/p]+\|[a-zA-Z0-9 ]+>"
)


def a_change(**changes: Any) -> CardChange:
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
        "summary": "1 prompt reworded",
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
    votes = tuple(CardVote(who, Choice.APPROVE, NOON) for who in (ALICE, BOB))
    return a_view(state, **{"votes": votes, **changes})


def sound(message: Message) -> Message:
    """*message*, after the look that Slack would take at it."""
    payload = {"text": message.text, "blocks": message.blocks}
    assert [str(problem) for problem in message_problems(payload)] == []
    return message


def objects(value: object) -> Iterator[dict[str, Any]]:
    """Every JSON object in *value*, outermost first."""
    if isinstance(value, dict):
        yield value
        yield from objects(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def mrkdwn_texts(message: Message) -> list[str]:
    """All texts in which Slack looks for tokens."""
    found = [o["text"] for o in objects(message.blocks) if o.get("type") == "mrkdwn"]
    return [message.text, *found]


def literal_texts(message: Message) -> list[str]:
    """All texts that Slack shows as they are."""
    kinds = {"plain_text", "text"}
    return [o["text"] for o in objects(message.blocks) if o.get("type") in kinds]


def everything(message: Message) -> str:
    """All texts of the message's blocks, one a line."""
    return "\n".join([*mrkdwn_texts(message)[1:], *literal_texts(message)])


def tokens(message: Message) -> list[str]:
    """The live `<…>` tokens that are not of the kinds that we make."""
    return [t for text in mrkdwn_texts(message) for t in re.findall(r"[<>]", OURS.sub("", text))]


def header(message: Message) -> str:
    return str(message.blocks[0]["text"]["text"])


def actions(message: Message) -> list[dict[str, Any]]:
    """The buttons; none when there is no row of them."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return rows[0] if rows else []
