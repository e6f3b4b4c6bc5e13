"""A case with its card and its rollback in a real store, and the workers around it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import approval, button, quorum
from bot.domain.diff.changes import ChangeList, compare
from bot.domain.policy import Policy
from bot.domain.rehearsal import Rehearsal
from bot.errors import BotError
from bot.ports.people import Member
from bot.ports.store import Store
from bot.services.decide import Decide
from bot.services.deliver import Deliver
from bot.services.drawing import Differences, Drawing
from bot.services.outgoing import card_row, moved, snippet_row
from store.document import Document
from store.records import (
    AppEnv,
    AuditDraft,
    AuditEntry,
    Case,
    InboxKind,
    Leg,
    NewInboxItem,
    NewRollback,
    NewVersion,
    PolicySnapshot,
    Rollback,
    Stale,
    Version,
    VersionKind,
    VersionSource,
)
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    CHANNEL,
    DAVE,
    KEYS,
    NOON,
    PROD,
    REVIEWERS,
    TEAM,
    a_claim,
    a_vote,
)
from tests.fakes.people import FakeDirectory
from tests.fakes.slack import FakeMessenger

ENTRY = AuditDraft("keyturn", "test", "test", "ok", {}, ip_note="a test")
POLICY = Policy(reviewers=(REVIEWERS,), requesters=(DAVE,), named=True)
_counter = itertools.count(1)


def a_document(prompt: str = "Answer kindly.") -> Document:
    node = {
        "id": "llm",
        "position": {"x": 0, "y": 0},
        "data": {
            "type": "llm",
            "title": "Answer",
            "model": {"provider": "openai", "name": "gpt-4o", "mode": "chat"},
            "prompt_template": [{"role": "system", "text": prompt}],
        },
    }
    graph = {"nodes": [node], "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}}
    return Document("workflow", {"graph": graph, "features": {}, "environment_variables": []})


def _changes() -> ChangeList:
    return compare(a_document("Answer wrongly."), a_document("Answer kindly."))


async def a_history(store: Store, where: AppEnv = PROD) -> tuple[Version, Version]:
    """Record two versions and return them, the older one first."""
    recorded = []
    async with store.write() as tx:
        for n, prompt in enumerate(("Answer kindly.", "Answer wrongly."), start=1):
            new = NewVersion(
                where=where,
                kind=VersionKind.PUBLISHED,
                source=VersionSource.PUBLISHED,
                external_id=f"{where}-live-{n}",
                external_hash=f"h{n}",
                published_at=NOON - timedelta(hours=3 - n),
                author="carol",
            )
            recorded.append(await tx.versions.record(new, a_document(prompt)))
    return recorded[0], recorded[1]


async def a_pending(
    store: Store,
    *,
    where: AppEnv = PROD,
    rules: PolicySnapshot | None = None,
    requested_by: str = quorum.KEYTURN,
    open_for: timedelta = timedelta(minutes=30),
    card_ts: str = "",
    change_digest: str = "",
    channel: str = CHANNEL,
) -> Rollback:
    """Open a rollback from version 2 to version 1, as proposing does, with its rows to send."""
    old, new = await a_history(store, where)
    leg = Leg(
        where=where,
        from_version_id=new.id,
        to_version_id=old.id,
        live_external_id=new.external_id,
        live_root=new.root,
        expected_root=old.root,
        change_digest=change_digest or _changes().digest,
        secrets={"kept": [], "from_version": []},
    )
    async with store.write() as tx:
        case = await tx.cases.open_for(where, channel=channel, entry=ENTRY)
        draft = await tx.rollbacks.open(
            NewRollback(
                case_id=case.id,
                nonce=f"nonce{next(_counter)}",
                legs=(leg,),
                content_digest=approval.content_digest((leg,)),
                policy=rules or POLICY.snapshot([ALICE, BOB, CAROL]),
                requested_by=requested_by,
                requested_slack_id="" if requested_by == quorum.KEYTURN else requested_by,
            ),
            open_for=open_for,
            entry=ENTRY,
        )
        case = await tx.cases.save(
            replace(case, rollback_id=draft.id, card_ts=card_ts), was=case.revision
        )
        shown = await tx.rollbacks.save(approval.present(draft), was=draft.revision, entry=ENTRY)
        await tx.outbox.put(card_row(case, moved(shown)))
        await tx.outbox.put(snippet_row(case, shown))
    return shown


async def vote_of(store: Store, who: str, rollback: Rollback) -> Rollback:
    """Let *who*, who may, approve *rollback* with the button of its newest card."""
    async with store.write() as tx:
        current = await tx.rollbacks.get(rollback.id, lock=True)
        after = approval.cast(
            current,
            a_vote(who, digest=current.content_digest),
            at=await tx.now(),
            claim=a_claim(current),
            why_not=None,
        )
        entry = replace(ENTRY, action="vote.approve")
        return await tx.rollbacks.save(after, was=current.revision, entry=entry)


class Refreshed:
    """Reads nothing; remembers which app was asked for and answers as it is told."""

    def __init__(self) -> None:
        self.calls: list[AppEnv] = []
        self.found: dict[AppEnv, list[Version]] = {}
        self.failing: dict[AppEnv, BotError] = {}
        self.hanging = False

    async def __call__(self, where: AppEnv) -> list[Version]:
        self.calls.append(where)
        if self.hanging:
            await asyncio.Event().wait()
        if where in self.failing:
            raise self.failing[where]
        return self.found.get(where, [])


class Rehearsed:
    """Plays nothing through; answers as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[AppEnv, int]] = []
        self.made: Rehearsal | BotError | None = None

    async def __call__(self, where: AppEnv, number: int) -> Rehearsal:
        self.calls.append((where, number))
        if isinstance(self.made, BotError):
            raise self.made
        if self.made is None:
            raise AssertionError("nobody said what comes of a dry run")
        return self.made


class Asked:
    """Opens nothing; remembers what was asked and answers as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[AppEnv, int, Member]] = []
        self.reasons: list[str] = []
        self.failing: list[BotError] = []
        self.opens: Callable[[], Any] | None = None

    async def __call__(
        self,
        where: AppEnv,
        number: int,
        *,
        by: Member,
        channel: str,
        response_url: str,
        reason: str = "",
        also: Sequence[tuple[AppEnv, int]] = (),
    ) -> Rollback:
        self.calls.append((where, number, by))
        self.reasons.append(reason)
        if self.failing:
            raise self.failing.pop(0)
        if self.opens is None:
            raise AssertionError("nobody said what to open")
        opened = await self.opens()
        assert isinstance(opened, Rollback)
        return opened


@dataclass
class Scene:
    """The store with its workers, and hands to press buttons with."""

    store: Store
    directory: FakeDirectory
    messenger: FakeMessenger
    ask: Asked
    nudged: list[int]
    refreshed: Refreshed = field(default_factory=Refreshed)
    rehearsed: Rehearsed = field(default_factory=Rehearsed)
    items: int = 0  # how many were put into the inbox of this fresh store

    @classmethod
    def of(cls, store: Store) -> Scene:
        return cls(store, FakeDirectory(), FakeMessenger(), Asked(), [])

    def decide(self, owner: str = "w1", **changes: Any) -> Decide:
        facts: dict[str, Any] = {
            "policy_of": lambda _: POLICY,
            "rehearse": self.rehearsed,
            "refresh": self.refreshed,
            "channels": {PROD: CHANNEL},
            "keys": KEYS,
            "owner": owner,
            "nudge": lambda: self.nudged.append(1),
            "jitter": lambda: -1.0,  # no wait at all between two tries
        }
        ask = changes.pop("ask", self.ask)
        return Decide(self.store, self.directory, ask, **{**facts, **changes})

    def deliver(
        self,
        owner: str = "d1",
        *,
        jitter: Callable[[], float] = lambda: -1.0,
        sre_channel: str = "",
    ) -> Deliver:
        differences = Differences()
        drawing = Drawing(self.store, differences, keys=KEYS)
        return Deliver(
            self.store,
            self.messenger,
            drawing,
            differences,
            owner=owner,
            jitter=jitter,
            sre_channel=sre_channel,
        )

    async def judge(self, **changes: Any) -> None:
        """Judge all that waits; afterwards every item is done and stays done."""
        worker = self.decide(**changes)
        while await worker.step():
            pass
        for item_id in range(1, self.items + 1):
            async with self.store.write() as tx:
                with pytest.raises(Stale):
                    await tx.inbox.finish(item_id, owner="w1", outcome="again")

    async def tell(self) -> None:
        """Send all that waits."""
        worker = self.deliver()
        while await worker.step():
            pass

    # -- people do things -------------------------------------------------------------------------

    async def put(self, kind: InboxKind, action: str, who: str, **payload: Any) -> None:
        item = NewInboxItem(f"digest{next(_counter)}", kind, action, who, TEAM, payload)
        await self.put_item(item)

    async def put_item(self, item: NewInboxItem) -> None:
        async with self.store.write() as tx:
            assert await tx.inbox.put(item)
        self.items += 1

    async def press(
        self, who: str, action: str, rollback: Rollback, *, kind: InboxKind, **changes: Any
    ) -> None:
        case = await self.case(rollback)
        payload = {
            "value": button.sign(rollback, action, keys=KEYS),
            "channel": case.channel,
            "ts": case.card_ts,
            "response_url": "https://hooks.slack.com/actions/T/1/x",
        }
        await self.put(kind, action, who, **{**payload, **changes})

    async def approve(self, who: str, rollback: Rollback, **changes: Any) -> None:
        await self.press(who, "approve", rollback, kind=InboxKind.CLICK, **changes)

    async def reject(self, who: str, rollback: Rollback, reason: str = "no") -> None:
        await self.press(who, "reject", rollback, kind=InboxKind.SUBMISSION, reason=reason)

    async def look(self, who: str, rollback: Rollback, **changes: Any) -> None:
        await self.press(who, "difference", rollback, kind=InboxKind.CLICK, **changes)

    async def undo(self, who: str, rollback: Rollback, **changes: Any) -> None:
        """Send the form of the Undo button of *rollback*'s card."""
        facts = {"reason": "the provider was down, not we", **changes}
        await self.press(who, "undo", rollback, kind=InboxKind.COMMAND, **facts)

    async def command(self, who: str, text: str) -> None:
        await self.put(InboxKind.COMMAND, "/rollback", who, text=text, channel=CHANNEL)

    # -- what came of it --------------------------------------------------------------------------

    async def rollback(self, rollback: Rollback) -> Rollback:
        async with self.store.read() as tx:
            return await tx.rollbacks.get(rollback.id)

    async def case(self, rollback: Rollback) -> Case:
        async with self.store.read() as tx:
            return await tx.cases.get(rollback.case_id)

    async def entries(self, *prefixes: str) -> list[AuditEntry]:
        """The audit entries whose action begins with one of *prefixes*."""
        async with self.store.read() as tx:
            found = await tx.audit.entries()
        return [entry for entry in found if entry.action.startswith(prefixes)]

    def told(self) -> list[tuple[str, str, str]]:
        """(who, code, text) of every private answer."""
        return [
            (answer.slack_id, answer.note.code, str(answer.note.facts.get("text", "")))
            for answer in self.messenger.answers
        ]
