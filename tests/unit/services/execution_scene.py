"""A target with a history, a store that knows it, and everything that executes a rollback."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from bot.domain.policy import Policy
from bot.ports.evidence import LookBack
from bot.ports.sealing import Sealing
from bot.ports.store import Store
from bot.services.execute import Execute
from bot.services.opening.rules import Rules
from bot.services.places import Places
from bot.services.propose import Propose
from bot.services.snapshot import Snapshot
from bot.services.watching import conclude
from store.document import Document
from store.records import AppEnv, Recovery, RecoveryState, Rollback, State, Step, Version
from tests.builders import ALICE, BOB, CHANNEL, DAVE, NOON, PROD, SEALING
from tests.fakes.people import FakeDirectory
from tests.fakes.slack import FakeMessenger
from tests.fakes.target import FakeTarget
from tests.unit.services.scene import ENTRY, POLICY, Asked, Scene, a_document, vote_of

APP = "app-1"
KEY, OTHER_KEY = "38b095ac-9566-4238-bba4-6ba508d29ae5", "8103624d-4020-45ae-8d4a-63dc7f7820b2"
GOOD, BAD = a_document("Answer kindly."), a_document("Answer wrongly.")
WIP, EDIT = a_document("Answer in rhyme."), a_document("Answer in prose.")
WRITES = ("stage", "publish")
READS = ("live", "draft", "compare_secrets", "history")

# What one execution asks of the target when nobody disturbs it and the draft held work.
CLAIM_READS_LIVE = 0
KEEP_READS_LIVE, KEEP_READS_DRAFT, KEEP_COMPARES = 1, 2, 3
STAGE_READS_DRAFT, STAGE_WRITES = 4, 5
PUBLISH_READS_LIVE, PUBLISH_READS_DRAFT, PUBLISHES = 6, 7, 8
READ_BACK, READ_HISTORY = 9, 10
RETURN_READS_DRAFT, RETURN_WRITES = 11, 12
HAPPY = (
    *("live",),
    *("live", "draft", "compare_secrets"),
    *("draft", "stage"),
    *("live", "draft", "publish"),
    *("live", "history"),
    *("draft", "stage"),
)
Deed = Callable[[], Awaitable[object] | object]
_nonces = itertools.count(1)


class Died(BaseException):
    """The process is gone: nothing catches this."""


def die() -> None:
    raise Died


def a_secretive(prompt: str, *keys: str, **names: str) -> Document:
    """A document with secret variables of these ids."""
    content = dict(a_document(prompt).content)
    content["environment_variables"] = [
        {"id": key, "name": names.get(key, f"SECRET_{key[0]}"), "value_type": "secret"}
        for key in keys
    ]
    return Document("workflow", content)


def with_features(document: Document, **features: Any) -> Document:
    """*document* after a save that Dify's own hash does not notice."""
    return Document(document.mode, {**document.content, "features": features})


@dataclass
class ExecutionScene(Scene):
    """alice and bob turn the keys; the app's versions are published into the fake target."""

    target: FakeTarget = field(default_factory=FakeTarget)
    places: dict[AppEnv, tuple[FakeTarget, str]] = field(default_factory=dict)
    rolls_back_config: set[AppEnv] = field(default_factory=set)
    policies: dict[str, Policy] = field(default_factory=lambda: {"prod": POLICY})
    channels: dict[AppEnv, str] = field(default_factory=lambda: {PROD: CHANNEL})
    criticality: dict[str, str] = field(default_factory=dict)
    depends_on: dict[str, list[str]] = field(default_factory=dict)
    drills: set[str] = field(default_factory=set)  # apps that serve nobody
    paused: list[int] = field(default_factory=list)
    lease: timedelta = timedelta(seconds=30)
    sealing: Sealing = SEALING
    look_back: LookBack | None = None

    @classmethod
    def of(cls, store: Store) -> ExecutionScene:
        scene = cls(store, FakeDirectory(), FakeMessenger(), Asked(), [])
        scene.target.add_app(APP)
        scene.places[PROD] = (scene.target, APP)
        return scene

    # -- the workers ------------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        nudge = partial(self.nudged.append, 1)
        return Snapshot(self.store, self._there, nudge=nudge, channels=self.channels)

    @property
    def _there(self) -> Places:
        return Places(self.places, rolls_back_config=self.rolls_back_config)

    @property
    def rules(self) -> Rules:
        return Rules(
            policies=self.policies,
            channels=self.channels,
            criticality=self.criticality,
            waited=timedelta(minutes=5),
            lookback=timedelta(hours=1),
            depends_on=self.depends_on,
            drills=frozenset(self.drills),
        )

    @property
    def propose(self) -> Propose:
        return Propose(
            self.store,
            self._there,
            self.directory,
            self.snapshot,
            self.rules,
            nonce=lambda: f"{next(_nonces):032x}",
            look_back=self.look_back,
        )

    def executor(self, owner: str = "w1", **changes: Any) -> Execute:
        facts: dict[str, Any] = {
            "owner": owner,
            "sealing": self.sealing,
            "pause": self._pause,
            "lease": self.lease,
            "practises": self.rules.practises,
        }
        return Execute(self.store, self._there, self.directory, **{**facts, **changes})

    async def _pause(self, tries: int) -> None:
        self.paused.append(tries)

    # -- what went before -------------------------------------------------------------------------

    def publish(
        self, *documents: Document, secrets: Iterable[Mapping[str, str]] = (), app_id: str = APP
    ) -> None:
        """Publish *documents* one hour apart, the last one a minute before noon."""
        values = list(secrets) or [{} for _ in documents]
        for left, (document, some) in enumerate(zip(documents, values, strict=True)):
            at = NOON - timedelta(minutes=1, hours=len(documents) - 1 - left)
            self.target.publish_document(app_id, document, secrets=some, at=at)

    async def approved(
        self,
        *,
        draft: Document | None = WIP,
        back_to: int = 1,
        values: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> Rollback:
        """A rollback that dave asked for and alice and bob approved; *draft* is unpublished."""
        if not self.target.apps[APP].history:
            self.publish(GOOD, BAD)
        if draft is not None:
            self.target.save_draft(APP, draft, secrets=values)
        pending = await self.asked(back_to, reason=reason)
        for who in (ALICE, BOB):
            pending = await self.vote(who, pending)
        assert pending.state is State.APPROVED
        self.target.calls.clear()
        return pending

    async def asked(
        self, number: int, *, where: AppEnv = PROD, by: str = DAVE, reason: str = ""
    ) -> Rollback:
        member = await self.directory.member(by)
        return await self.propose.requested(
            where, number, by=member, channel=CHANNEL, response_url="", reason=reason
        )

    async def vote(self, who: str, rollback: Rollback) -> Rollback:
        return await vote_of(self.store, who, rollback)

    # -- what happens meanwhile -------------------------------------------------------------------

    def at(self, call: int, deed: Deed, *, calls: tuple[str, ...] = HAPPY) -> None:
        """Do *deed* just before the target's call number *call* of *calls*."""
        method = calls[call]
        for _ in range(calls[:call].count(method)):
            self.target.before(method, lambda: None)
        self.target.before(method, deed)

    def after(self, call: int, deed: Deed, *, calls: tuple[str, ...] = HAPPY) -> None:
        """Do *deed* when the target's call number *call* was applied, before it returns."""
        method = calls[call]
        for _ in range(calls[:call].count(method)):
            self.target.after(method, lambda: None)
        self.target.after(method, deed)

    def save(self, document: Document = EDIT) -> str:
        """An editor saves the draft."""
        return self.target.save_draft(APP, document)

    def publish_by_hand(self, document: Document = EDIT) -> str:
        """An editor saves and publishes."""
        return self.target.publish_document(APP, document, by="carol")

    def always(self, method: str, error: Exception, *, times: int = 100) -> None:
        """Let every further call of *method* fail."""
        for _ in range(times):
            self.target.fail(method, error)

    async def let_lease_run_out(self, rollback: Rollback, *, owner: str = "dead") -> Rollback:
        """Nobody holds it any more, as after half a minute of silence."""
        async with self.store.write() as tx:
            current = await tx.rollbacks.get(rollback.id, lock=True)
            execution = replace(
                current.execution,
                owner=owner,
                lease_epoch=current.execution.lease_epoch + 1,
                lease_until=await tx.now() - timedelta(seconds=1),
            )
            after = current.moved(current.state, execution=execution)
            return await tx.rollbacks.save(after, was=current.revision, entry=None)

    async def stands_at(self, rollback: Rollback, step: Step, **execution: Any) -> Rollback:
        """Put *rollback* where an executor that died at *step* has left it.

        RETURNING follows VERIFYING, with what was recorded in between.
        """
        ways = {Step.VERIFYING: (State.EXECUTING, State.VERIFYING), Step.RETURNING: ()}
        states = ways.get(step, (State.EXECUTING,)) or (State.VERIFYING,)
        async with self.store.write() as tx:
            current = await tx.rollbacks.get(rollback.id, lock=True)
            for state in states:
                left = replace(
                    current.execution,
                    step=step,
                    owner="dead",
                    lease_epoch=1,
                    lease_until=await tx.now() - timedelta(seconds=1),
                    **execution,
                )
                current = await tx.rollbacks.save(
                    current.moved(state, execution=left), was=current.revision, entry=ENTRY
                )
        return current

    async def it_helped(self, rollback: Rollback) -> Rollback:
        """It was seen that the trouble went after *rollback*, which was carried out."""
        async with self.store.write() as tx:
            current = await tx.rollbacks.get(rollback.id, lock=True)
            seen = Recovery(RecoveryState.RECOVERED, current.case_id, await tx.now(), by="alert")
            return await conclude(tx, current, seen)

    # -- what came of it --------------------------------------------------------------------------

    async def run(self, rollback: Rollback, owner: str = "w1") -> Rollback:
        """Let an executor take one step; return the rollback as it is then."""
        assert await self.executor(owner).step()
        return await self.rollback(rollback)

    @property
    def live(self) -> Document:
        app = self.target.apps[APP]
        return next(v.document for v, _ in app.history if v.external_id == app.live_id)

    @property
    def draft(self) -> Document:
        draft = self.target.apps[APP].draft
        assert draft is not None
        return draft.document

    def ours(self, rollback: Rollback) -> int:
        """How many versions were published under the rollback's name."""
        prefix = f"rollback-{rollback.id}-"
        return sum(v.name.startswith(prefix) for v, _ in self.target.apps[APP].history)

    async def history(self, where: AppEnv = PROD) -> list[Version]:
        """Oldest first."""
        async with self.store.read() as tx:
            return (await tx.versions.history(where))[::-1]

    async def told_codes(self) -> list[str]:
        """Send what waits; return the codes of all notes in the thread so far."""
        await self.tell()
        return self.messenger.codes
