"""Carry a claimed rollback out: one step after the other, each of which reads before it acts.

A step is committed before the call that it names is made. Because every step begins by
reading the target, going on after a crash is the same code as going on after a call:

    CLAIMED     keep the editors' draft in our store
    STAGING     write the approved content into the draft
    PUBLISHING  publish it, under a name that says it was us
    VERIFYING   read live back and compare
    RETURNING   put the editors' draft back (live is verified)
    UNDOING     put the editors' draft back (nothing was published)
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from bot.domain import marker
from bot.domain.secrets import expected
from bot.domain.words import DraftNote, OutcomeCode
from bot.errors import (
    AccountLocked,
    Ambiguous,
    AnswerUnreadable,
    DraftMoved,
    LeaseLost,
    LoginRefused,
    NoSuchVersion,
    UpstreamDown,
    UpstreamRefused,
)
from bot.ports.store import Store
from bot.ports.target import Target, TargetDraft, TargetVersion
from bot.services.draft_secrets import hindrance
from bot.services.lease import Lease
from bot.services.recording import catch_up, record
from bot.services.settle import Ending, Settle, completed, unsettled
from store.document import Document
from store.failpoint import fp
from store.records import (
    AuditDraft,
    NewVersion,
    Rollback,
    Stale,
    State,
    Step,
    Version,
    VersionKind,
    VersionSource,
)

log = logging.getLogger(__name__)
PATIENCE = 8  # how often one step is tried again before the rollback is given up

Pause = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Contents:
    """The documents of one rollback: what was live, and what shall be."""

    live: Document
    wanted: Document
    to: Version

    @classmethod
    async def of(cls, store: Store, rollback: Rollback) -> Contents:
        """Read them from the store; `wanted` has the root that the reviewers approved."""
        leg = rollback.leg
        async with store.read() as tx:
            to = await tx.versions.get(leg.to_version_id)
            candidate = await tx.versions.document(leg.to_version_id)
            live = await tx.versions.document(leg.from_version_id)
        return cls(live=live, wanted=expected(candidate, live), to=to)


class CarryOut:
    """One execution by the process that holds its lease."""

    def __init__(
        self,
        rollback: Rollback,
        *,
        store: Store,
        target: Target,
        app_id: str,
        contents: Contents,
        lease: Lease,
        settle: Settle,
        pause: Pause,
    ) -> None:
        self._rollback = rollback
        self._store = store
        self._target = target
        self._app_id = app_id
        self._contents = contents
        self._lease = lease
        self._settle = settle
        self._pause = pause
        self._tried = Step.NONE
        self._tries = 0
        self._saves = 0
        self._old_is_live = False  # read while undoing
        self._steps: dict[Step, Callable[[], Awaitable[None]]] = {
            Step.CLAIMED: self._keep_draft,
            Step.STAGING: self._stage,
            Step.PUBLISHING: self._publish,
            Step.VERIFYING: self._verify,
            Step.RETURNING: self._return_draft,
            Step.UNDOING: self._undo,
        }

    async def __call__(self) -> Rollback:
        """Go on from the committed step until the rollback has ended; return it as it ended.

        Raises:
            LeaseLost: Another process has taken over; nothing more was written.
        """
        while self._rollback.open:
            step = self._rollback.execution.step
            if step is not self._tried:
                self._tried, self._tries = step, 0
            try:
                await self._steps[step]()
            except Stale as error:
                raise LeaseLost(f"rollback {self._rollback.id} moved on without us") from error
            except (UpstreamDown, AnswerUnreadable) as error:
                await self._try_again(error)  # Ambiguous too: the step reads before it acts again
            except UpstreamRefused as error:
                await self._give_up(_refusal(error))
        return self._rollback

    # -- the steps ----------------------------------------------------------------------------

    async def _keep_draft(self) -> None:
        if self._contents.wanted.empty_graph:
            await self._end(Ending(State.FAILED, OutcomeCode.EMPTY_GRAPH))
            return
        live, draft = await self._live(), await self._draft()
        if self._is_ours(live):  # a publish that was cut off came late, and somebody saved
            await self._published(live.external_id)
            return
        if not self._live_unchanged(live):
            await self._end(Ending(State.SUPERSEDED, OutcomeCode.LIVE_CHANGED))
            return
        secrets = await self._target.compare_secrets(self._app_id, live_id=live.external_id)
        hindered = hindrance(secrets, self._rollback.leg, self._contents.live)
        if hindered is not None:
            await self._end(hindered)
            return
        await self._keep(draft)

    async def _keep(self, draft: TargetDraft) -> None:
        kept = NewVersion(
            where=self._rollback.leg.where,
            kind=VersionKind.DRAFT,
            source=VersionSource.IMPORTED,
            external_id="draft",
            external_hash=draft.token,
            published_at=draft.updated_at,
            author=draft.author,
        )
        async with self._store.write() as tx:
            version = await tx.versions.record(kept, draft.document)
            self._rollback = await tx.rollbacks.save(
                self._next(step=Step.STAGING, kept_draft_id=version.id, kept_token=draft.token),
                was=self._rollback.revision,
                entry=self._entry("draft.keep", version=version.id, root=version.root),
            )
        fp("execute:draft_kept")

    async def _stage(self) -> None:
        draft = await self._draft()
        if draft.document.root == self._rollback.leg.expected_root:
            await self._commit(step=Step.PUBLISHING, staged_token=draft.token)
            return
        if draft.token != self._rollback.execution.kept_token or (
            draft.document.root != (await self._kept()).root
        ):
            await self._somebody_saved()
            return
        await self._lease.check()
        fp("execute:before_draft_write")
        try:
            token = await self._target.stage(
                self._app_id,
                self._contents.wanted,
                token=draft.token,
                secrets_from=self._secrets_from(),
            )
        except DraftMoved:
            await self._somebody_saved()
            return
        fp("execute:after_draft_write")
        await self._commit(step=Step.PUBLISHING, staged_token=token)

    async def _publish(self) -> None:
        live = await self._live()
        if self._is_ours(live):
            await self._published(live.external_id)
            return
        if live.external_id != self._rollback.leg.live_external_id:
            await self._somebody_published(live)
            return
        draft = await self._draft()
        if draft.document.root != self._rollback.leg.expected_root:
            await self._somebody_saved()
            return
        await self._lease.check()
        fp("execute:before_publish")
        await self._target.publish(
            self._app_id,
            name=marker.name_of(self._rollback),
            comment=marker.comment_of(self._rollback, to_number=self._contents.to.number),
        )
        fp("execute:after_publish")
        await self._published("")

    async def _verify(self) -> None:
        fp("execute:before_read_back")
        live = await self._live()
        version = await self._record(live)
        if live.document.root != self._rollback.leg.expected_root:
            code = (
                OutcomeCode.LIVE_DIFFERS if self._is_ours(live) else OutcomeCode.PUBLISHED_BY_OTHER
            )
            await self._end(
                Ending(State.NEEDS_ATTENTION, code, {"number": version.number}, found=version)
            )
            return
        async with self._store.write() as tx:
            after = self._next(
                step=Step.RETURNING,
                published_id=live.external_id,
                published_version_id=version.id,
                verified_at=await tx.now(),
            )
            self._rollback = await tx.rollbacks.save(after, was=self._rollback.revision, entry=None)

    async def _return_draft(self) -> None:
        kept = await self._kept()
        if kept.root in {self._rollback.leg.live_root, self._rollback.leg.expected_root}:
            note = DraftNote.UNCHANGED  # it held no work that was not published
        else:
            note = await self._put_back(kept)
        fp("execute:draft_returned")
        await self._commit(draft_note=note)
        await self._end(completed(self._rollback, self._contents.to))

    async def _undo(self) -> None:
        if await self._published_after_all():
            return
        failure = self._rollback.execution.failure
        note = await self._put_back(await self._kept())
        fp("execute:draft_undone")
        if note is DraftNote.THEIRS_STAYS:
            await self._settle.say_draft(self._rollback, note)
        if await self._published_after_all():  # a publish that we gave up on came late
            return
        state = State.SUPERSEDED if failure == OutcomeCode.LIVE_CHANGED else State.FAILED
        await self._end(Ending(state, OutcomeCode(failure), {"system": self._target.name}))

    # -- what they are made of ----------------------------------------------------------------

    async def _put_back(self, kept: Document) -> DraftNote:
        """Put the editors' draft back over our own last write, and over nothing else."""
        execution = self._rollback.execution
        draft = await self._draft()
        if draft.document.root == kept.root:
            return DraftNote.PUT_BACK
        ours = draft.document.root == self._rollback.leg.expected_root
        if not ours or (execution.staged_token and draft.token != execution.staged_token):
            return DraftNote.THEIRS_STAYS
        await self._lease.check()
        fp("execute:before_draft_return")
        try:
            await self._target.stage(
                self._app_id,
                kept,
                token=draft.token,
                secrets_from={s.id: self._rollback.leg.live_external_id for s in kept.secrets},
            )
        except DraftMoved:
            return DraftNote.THEIRS_STAYS
        fp("execute:after_draft_return")
        return DraftNote.PUT_BACK

    async def _published_after_all(self) -> bool:
        live = await self._live()
        if self._is_ours(live):
            await self._published(live.external_id)
            return True
        self._old_is_live = True
        return False

    async def _somebody_saved(self) -> None:
        """Their draft is the one to keep now; ours stays in the store beside it."""
        self._saves += 1
        if self._rollback.execution.staged_token:
            await self._settle.say_draft(self._rollback, DraftNote.THEIRS_STAYS)
        if self._saves > PATIENCE:
            await self._end(Ending(State.FAILED, OutcomeCode.DRAFT_BUSY))
            return
        await self._commit(step=Step.CLAIMED, staged_token="")

    async def _somebody_published(self, live: TargetVersion) -> None:
        if live.document.root == self._rollback.leg.expected_root:
            await self._published(live.external_id)  # the approved content, by another hand
            return
        await self._commit(step=Step.UNDOING, failure=OutcomeCode.LIVE_CHANGED)

    async def _published(self, external_id: str) -> None:
        after = self._next(step=Step.VERIFYING, published_id=external_id)
        async with self._store.write() as tx:
            self._rollback = await tx.rollbacks.save(
                replace(after, state=State.VERIFYING),
                was=self._rollback.revision,
                entry=self._entry("rollback.publish", name=marker.name_of(self._rollback)),
            )

    async def _try_again(self, error: UpstreamDown | AnswerUnreadable) -> None:
        self._tries += 1
        log.warning(
            "step of a rollback did not get through",
            extra={
                "rollback": self._rollback.id,
                "step": self._rollback.execution.step,
                "error": error.code,
                "tries": self._tries,
                "may_have_been_applied": isinstance(error, Ambiguous),
            },
        )
        if self._tries > PATIENCE:
            await self._give_up(OutcomeCode.TARGET_DOWN)
            return
        if self._tries == 1:
            await self._settle.say_waiting(self._rollback, error)
        await self._pause(self._tries)

    async def _give_up(self, code: OutcomeCode) -> None:
        """End in the state that is true at this step: undone, failed, or a person must look."""
        system = self._target.name
        match self._rollback.execution.step:
            case Step.CLAIMED if self._rollback.execution.kept_draft_id is None:
                await self._end(Ending(State.FAILED, code, {"system": system}))
            case Step.STAGING | Step.PUBLISHING:
                await self._commit(step=Step.UNDOING, failure=code)
            case Step.RETURNING:
                await self._commit(draft_note=DraftNote.KEPT_ONLY)
                await self._end(completed(self._rollback, self._contents.to))
            case Step.UNDOING if self._old_is_live:
                code = OutcomeCode.DRAFT_NOT_PUT_BACK
                await self._end(Ending(State.NEEDS_ATTENTION, code, {"system": system}))
            case _:
                await self._end(unsettled(system))

    async def _end(self, ending: Ending) -> None:
        self._rollback = await self._settle(self._rollback, ending)

    async def _commit(self, **changes: Any) -> None:
        async with self._store.write() as tx:
            self._rollback = await tx.rollbacks.save(
                self._next(**changes), was=self._rollback.revision, entry=None
            )

    def _next(self, **changes: Any) -> Rollback:
        return self._rollback.moved(
            self._rollback.state, execution=replace(self._rollback.execution, **changes)
        )

    async def _live(self) -> TargetVersion:
        live = await self._target.live(self._app_id)
        if live is None:
            raise UpstreamRefused(self._target.name, "the app has no published version")
        return live

    async def _draft(self) -> TargetDraft:
        draft = await self._target.draft(self._app_id)
        if draft is None:
            raise UpstreamRefused(self._target.name, "the app has no draft")
        return draft

    async def _kept(self) -> Document:
        kept = self._rollback.execution.kept_draft_id
        assert kept is not None  # noqa: S101  # committed with the step that leads here
        async with self._store.read() as tx:
            return await tx.versions.document(kept)

    async def _record(self, live: TargetVersion) -> Version:
        """Record what is live; when it is not ours alone, with what else was published."""
        where = self._rollback.leg.where
        if not self._is_ours(live) or live.document.root != self._rollback.leg.expected_root:
            await catch_up(self._store, where, self._target, self._app_id)
        return await record(self._store, where, live)

    def _live_unchanged(self, live: TargetVersion) -> bool:
        leg = self._rollback.leg
        return live.external_id == leg.live_external_id and live.document.root == leg.live_root

    def _is_ours(self, live: TargetVersion) -> bool:
        return live.name == marker.name_of(self._rollback)

    def _secrets_from(self) -> dict[str, str]:
        """For each secret that the draft may lack, the published version to take it from."""
        live = {s.id: self._rollback.leg.live_external_id for s in self._contents.live.secrets}
        return {
            secret.id: live.get(secret.id, self._contents.to.external_id)
            for secret in self._contents.wanted.secrets
        }

    def _entry(self, action: str, **what: Any) -> AuditDraft:
        return AuditDraft(
            user_id="keyturn",
            action=action,
            resource=f"rollback/{self._rollback.id}",
            status="ok",
            what={"app": str(self._rollback.leg.where), **what},
            ip_note="Keyturn itself",
        )


def _refusal(error: UpstreamRefused) -> OutcomeCode:
    if isinstance(error, NoSuchVersion):
        return OutcomeCode.VERSION_GONE
    login = isinstance(error, LoginRefused | AccountLocked)
    return OutcomeCode.LOGIN_REFUSED if login else OutcomeCode.TARGET_REFUSED
