"""A rollback in a real store, voted on by the real rules, executed on a target in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.domain import approval, quorum
from bot.domain.policy import Policy
from bot.ports.target import TargetVersion
from bot.services.execute import Execute
from bot.services.places import Places
from store.document import Document
from store.records import AuditEntry, InboxKind, Rollback
from store.session import SqlStore, migrate, open_store
from tests.builders import ALICE, BOB, DAVE, NOON, PROD, REVIEWERS, SEALING
from tests.fakes.target import Content, FakeTarget
from tests.unit.services.scene import Scene, a_document, a_pending

APP_ID = "app"
GOOD, BAD = "Answer kindly.", "Answer wrongly."

LATER = timedelta(minutes=1)  # longer than any lease


@dataclass
class Clock:
    """The database's time in these proofs; it stands still until it is moved."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Trial:
    """One rollback from the bad version to the good one, and hands to do things with it."""

    scene: Scene
    target: FakeTarget
    clock: Clock
    opened: Rollback

    @property
    def store(self) -> SqlStore:
        assert isinstance(self.scene.store, SqlStore)
        return self.scene.store

    async def turn(self, *people: str) -> Rollback:
        """Let each of *people* press Approve; return the rollback as it is after all."""
        for who in people:
            await self.scene.approve(who, self.opened)
        await self.scene.judge()
        return await self.rollback()

    async def shatter(self, who: str) -> Rollback:
        """Let *who* break the glass from the card; return the rollback as it is after that."""
        why = "nobody else is awake and the bot answers wrongly"
        await self.scene.press(
            who, "break_glass", self.opened, kind=InboxKind.SUBMISSION, reason=why
        )
        await self.scene.judge()
        return await self.rollback()

    def executor(self, owner: str = "one") -> Execute:
        """A process that executes."""
        places = Places({PROD: (self.target, APP_ID)})
        return Execute(
            self.store, places, self.scene.directory, sealing=SEALING, owner=owner, pause=_at_once
        )

    async def execute(self) -> Rollback:
        """Execute what is approved; return the rollback as it is then."""
        worker = self.executor()
        while await worker.step():
            pass
        return await self.rollback()

    async def rollback(self) -> Rollback:
        return await self.scene.rollback(self.opened)

    async def entries(self, *prefixes: str) -> list[AuditEntry]:
        return await self.scene.entries(*prefixes)

    async def kinds(self) -> list[str]:
        """The lifecycle events of the rollback, in order."""
        async with self.store.read() as tx:
            return [event.kind for event in await tx.events.of("rollback", self.opened.id)]

    # -- the target -------------------------------------------------------------------------------

    @property
    def live(self) -> Document:
        app = self.target.apps[APP_ID]
        return next(v.document for v, _ in app.history if v.external_id == app.live_id)

    @property
    def draft(self) -> Document:
        draft = self.target.apps[APP_ID].draft
        assert draft is not None
        return draft.document

    @property
    def publishes(self) -> int:
        return self.target.calls.count("publish")

    def save(self, prompt: str) -> Document:
        """Save as an editor."""
        document = a_document(prompt)
        self.target.save_draft(APP_ID, document)
        return document


@asynccontextmanager
async def a_trial(
    folder: Path,
    *,
    requested_by: str = quorum.KEYTURN,
    policy: Policy | None = None,
    eligible: tuple[str, ...] = (ALICE, BOB, DAVE),
    breakers: tuple[str, ...] = (),
) -> AsyncIterator[Trial]:
    """A trial on SQLite in *folder*: two keys needed of alice, bob and dave, all reviewers."""
    url = f"sqlite:///{folder / 'trial.db'}"
    await asyncio.to_thread(migrate, url)
    clock = Clock(datetime.now(UTC))
    store = await open_store(url, moves=approval.MOVES, clock=clock)
    scene = Scene.of(store)
    scene.directory.groups[REVIEWERS] = frozenset({ALICE, BOB, DAVE})
    rules = policy or Policy(reviewers=(REVIEWERS,), named=True)
    snapshot = rules.snapshot(eligible, breakers=breakers)
    opened = await a_pending(store, rules=snapshot, requested_by=requested_by)
    await scene.tell()
    yield Trial(scene, a_target(), clock, opened)
    await store.close()


def a_target(unpublished: str = "") -> FakeTarget:
    """A target whose live version is the one that `a_pending` was built on."""
    target = FakeTarget()
    app = target.add_app(APP_ID)
    content = Content(a_document(BAD))
    app.live_id = f"{PROD}-live-2"
    live = TargetVersion(
        external_id=app.live_id,
        external_hash=content.token,
        name="",
        comment="",
        author="carol",
        published_at=NOON,
        document=content.document,
    )
    app.history.append((live, content))
    app.draft = Content(a_document(unpublished)) if unpublished else content
    return target


async def _at_once(_: int) -> None:
    return None
