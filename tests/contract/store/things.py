"""What the store's tests put into it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain import approval
from bot.ports.store import Store
from store.document import Document
from store.records import (
    AppEnv,
    AuditDraft,
    Case,
    Delivery,
    Execution,
    Firing,
    FiringStatus,
    InboxKind,
    NewInboxItem,
    NewOutgoing,
    NewRollback,
    NewVersion,
    OutboxKind,
    Rollback,
    State,
    Step,
    Version,
    VersionKind,
    VersionSource,
)
from tests.builders import CHANNEL, DAVE, NOON, PROD, TEAM, a_firing, a_leg, a_policy

HALF_AN_HOUR = timedelta(minutes=30)
LEASE = timedelta(seconds=30)
STAGING = AppEnv("support-triage", "staging")
OTHER = AppEnv("kb-search", "prod")


def an_entry(action: str = "test", **changes: Any) -> AuditDraft:
    facts: dict[str, Any] = {
        "user_id": "keyturn",
        "action": action,
        "resource": "case/1",
        "status": "ok",
        "what": {"why": "a test"},
        "ip_note": "a test",
    }
    return AuditDraft(**{**facts, **changes})


def a_document(prompt: str = "Answer kindly.", *, x: int = 0) -> Document:
    """A workflow of two nodes; *prompt* changes its meaning, *x* its layout alone."""
    start = {"id": "start", "position": {"x": 0, "y": 0}, "data": {"type": "start", "title": "S"}}
    llm = {
        "id": "llm",
        "position": {"x": x, "y": 0},
        "data": {
            "type": "llm",
            "title": "Answer",
            "prompt_template": [{"role": "system", "text": prompt}],
        },
    }
    edge = {"id": "start-llm", "source": "start", "target": "llm"}
    graph = {"nodes": [start, llm], "edges": [edge], "viewport": {"x": 0, "y": 0, "zoom": 1}}
    return Document("workflow", {"graph": graph, "features": {}, "environment_variables": []})


def new_version(external_id: str = "live-1", **changes: Any) -> NewVersion:
    facts: dict[str, Any] = {
        "where": PROD,
        "kind": VersionKind.PUBLISHED,
        "source": VersionSource.PUBLISHED,
        "external_id": external_id,
        "external_hash": "h1",
        "published_at": NOON,
        "external_name": "spring",
        "external_comment": "kinder",
        "author": "carol",
    }
    return NewVersion(**{**facts, **changes})


def new_draft(**changes: Any) -> NewVersion:
    return new_version("draft", kind=VersionKind.DRAFT, **changes)


async def recorded(store: Store, new: NewVersion, document: Document) -> Version:
    async with store.write() as tx:
        return await tx.versions.record(new, document)


def a_delivery(*firings: Firing, digest: str = "d1", **changes: Any) -> Delivery:
    facts: dict[str, Any] = {
        "source": "alertmanager",
        "receiver": "keyturn",
        "group_key": '{}:{alertname="WrongAnswers"}',
        "digest": digest,
        "truncated": 0,
        "firings": firings or (a_firing(),),
        "body": b"{}",
    }
    return Delivery(**{**facts, **changes})


def resolved(firing: Firing) -> Firing:
    return replace(firing, status=FiringStatus.RESOLVED, ends_at=NOON)


async def taken(store: Store, delivery: Delivery) -> tuple[Firing, ...]:
    async with store.write() as tx:
        return await tx.alerts.take(delivery)


async def an_open_case(store: Store, where: AppEnv = PROD) -> Case:
    async with store.write() as tx:
        return await tx.cases.open_for(where, channel=CHANNEL, entry=an_entry("case.open"))


def new_rollback(case_id: int, where: AppEnv = PROD, **changes: Any) -> NewRollback:
    legs = (a_leg(where=where),)
    facts: dict[str, Any] = {
        "case_id": case_id,
        "nonce": "n0nce",
        "legs": legs,
        "content_digest": approval.content_digest(legs),
        "policy": a_policy(),
        "requested_by": DAVE,
        "requested_slack_id": DAVE,
        "reason": "answers are wrong",
    }
    return NewRollback(**{**facts, **changes})


async def an_open_rollback(store: Store, where: AppEnv = PROD) -> Rollback:
    """A rollback in DRAFT with its case."""
    case = await an_open_case(store, where)
    async with store.write() as tx:
        return await tx.rollbacks.open(
            new_rollback(case.id, where), open_for=HALF_AN_HOUR, entry=an_entry("rollback.open")
        )


async def moved(store: Store, rollback: Rollback, *states: State, **changes: Any) -> Rollback:
    """Take *rollback* through *states*, one transaction each."""
    for state in states:
        async with store.write() as tx:
            after = rollback.moved(state, **changes)
            entry = an_entry(f"rollback.{state}")
            rollback = await tx.rollbacks.save(after, was=rollback.revision, entry=entry)
    return rollback


async def an_executing_rollback(store: Store, owner: str = "one") -> Rollback:
    """A rollback that *owner* executes, with a lease of thirty seconds."""
    approved = await moved(
        store, await an_open_rollback(store), State.PENDING_APPROVAL, State.APPROVED
    )
    async with store.read() as tx:
        until = await tx.now() + LEASE
    held = Execution(step=Step.CLAIMED, owner=owner, lease_epoch=1, lease_until=until, attempt=1)
    return await moved(store, approved, State.EXECUTING, execution=held)


def an_item(digest: str = "click-1", **changes: Any) -> NewInboxItem:
    facts: dict[str, Any] = {
        "digest": digest,
        "kind": InboxKind.CLICK,
        "action": "rollback.approve",
        "slack_id": "U0ALICE",
        "team_id": TEAM,
        "payload": {"value": "a claim"},
    }
    return NewInboxItem(**{**facts, **changes})


def outgoing(dedupe_id: str, order_key: str = "case/1", **changes: Any) -> NewOutgoing:
    facts: dict[str, Any] = {
        "kind": OutboxKind.NOTE,
        "destination": CHANNEL,
        "order_key": order_key,
        "dedupe_id": dedupe_id,
        "body": {"code": "test"},
    }
    return NewOutgoing(**{**facts, **changes})


def a_card(dedupe_id: str, order_key: str = "case/1", **changes: Any) -> NewOutgoing:
    """A row of which only the newest is sent."""
    facts: dict[str, Any] = {"kind": OutboxKind.CARD, "coalesce_key": f"card/{order_key}"}
    return outgoing(dedupe_id, order_key, **{**facts, **changes})
