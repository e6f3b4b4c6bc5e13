"""Records for tests: complete and lawful, so that a test says only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import approval, quorum
from bot.domain.button import Claim
from bot.sealing import KeyedSealing
from store.records import (
    AppEnv,
    Case,
    CaseState,
    Choice,
    Finding,
    Firing,
    FiringStatus,
    Leg,
    PolicySnapshot,
    Rollback,
    State,
    Version,
    VersionKind,
    VersionSource,
    Vote,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TEAM = "T0KEYTURN"
CHANNEL = "C0INCIDENTS"
PROD = AppEnv("support-triage", "prod")
ALICE, BOB, CAROL, DAVE = "U0ALICE", "U0BOB", "U0CAROL", "U0DAVE"
REVIEWERS = "S0REVIEWERS"
KEYS = (b"first-key-of-the-tests", b"second-key-of-the-tests")
SEALING = KeyedSealing((b"k" * 32,))


def a_leg(**changes: Any) -> Leg:
    """A leg from version 2 (id 12) to version 1 (id 11)."""
    facts: dict[str, Any] = {
        "where": PROD,
        "from_version_id": 12,
        "to_version_id": 11,
        "live_external_id": "live-2",
        "live_root": "aa" * 32,
        "expected_root": "bb" * 32,
        "change_digest": "cc" * 32,
        "secrets": {"kept": ["API_KEY"], "from_version": []},
    }
    return Leg(**{**facts, **changes})


def a_policy(**changes: Any) -> PolicySnapshot:
    """Two votes; alice, bob and carol were eligible when the rollback was opened."""
    facts: dict[str, Any] = {
        "votes": 2,
        "reviewers": (REVIEWERS,),
        "requesters": (DAVE,),
        "viewers": (),
        "open_for_s": 1800,
        "named": True,
        "eligible": ("U0ALICE", "U0BOB", "U0CAROL"),
    }
    return PolicySnapshot(**{**facts, **changes})


def a_rollback(**changes: Any) -> Rollback:
    """A rollback that an alert asked for at noon, open for votes for half an hour."""
    legs = changes.get("legs", (a_leg(),))
    facts: dict[str, Any] = {
        "id": 17,
        "case_id": 5,
        "state": State.PENDING_APPROVAL,
        "revision": 2,
        "round": 1,
        "nonce": "n0nce",
        "legs": legs,
        "content_digest": approval.content_digest(legs),
        "policy": a_policy(),
        "requested_by": quorum.KEYTURN,
        "requested_slack_id": "",
        "opened_at": NOON,
        "expires_at": NOON + timedelta(minutes=30),
    }
    return Rollback(**{**facts, **changes})


def a_vote(person: str = ALICE, **changes: Any) -> Vote:
    """An approving vote on the content of `a_rollback()`."""
    facts: dict[str, Any] = {
        "person": person,
        "slack_id": person,
        "team_id": TEAM,
        "choice": Choice.APPROVE,
        "digest": a_rollback().content_digest,
        "at": NOON,
        "groups": (REVIEWERS,),
    }
    return Vote(**{**facts, **changes})


def a_reject(person: str = ALICE, reason: str = "the fix is on its way") -> Vote:
    return a_vote(person, choice=Choice.REJECT, reason=reason)


def a_claim(rollback: Rollback | None = None, **changes: Any) -> Claim:
    """The claim of a button on the current card of *rollback*."""
    of = rollback or a_rollback()
    facts = {"rollback_id": of.id, "round": of.round, "nonce": of.nonce, "mac": "0" * 64}
    return Claim(**{**facts, **changes})


def a_case(**changes: Any) -> Case:
    """An open case whose card stands."""
    facts: dict[str, Any] = {
        "id": 5,
        "where": PROD,
        "state": CaseState.OPEN,
        "revision": 3,
        "opened_at": NOON,
        "channel": CHANNEL,
        "card_ts": "1764000000.000100",
        "rollback_id": 17,
    }
    return Case(**{**facts, **changes})


def a_finding(**changes: Any) -> Finding:
    facts: dict[str, Any] = {"code": "suggested", "facts": {"suspect": 2, "candidate": 1}}
    return Finding(**{**facts, **changes})


def a_version(**changes: Any) -> Version:
    """Version 2 of support-triage@prod, published an hour before noon."""
    facts: dict[str, Any] = {
        "id": 12,
        "where": PROD,
        "number": 2,
        "kind": VersionKind.PUBLISHED,
        "source": VersionSource.PUBLISHED,
        "root": "aa" * 32,
        "meaning": "ab" * 32,
        "external_id": "live-2",
        "external_hash": "h2",
        "published_at": NOON - timedelta(hours=1),
        "recorded_at": NOON - timedelta(minutes=59),
        "author": "carol",
    }
    return Version(**{**facts, **changes})


def a_firing(**changes: Any) -> Firing:
    """An alert that fires since five minutes before noon."""
    facts: dict[str, Any] = {
        "source": "alertmanager",
        "fingerprint": "f1d2c3b4a5968778",
        "starts_at": NOON - timedelta(minutes=5),
        "status": FiringStatus.FIRING,
        "labels": {"alertname": "WrongAnswers", "severity": "page"},
        "annotations": {},
        "where": PROD,
    }
    return Firing(**{**facts, **changes})
