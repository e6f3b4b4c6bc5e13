"""Carry a claimed rollback of a workflow out, through the editors' draft:

    CLAIMED     keep the editors' draft in our store
    STAGING     write the approved content into the draft
    PUBLISHING  publish it, under a name that says it was us
    VERIFYING   read live back and compare
    RETURNING   put the editors' draft back (live is verified)
    UNDOING     put the editors' draft back (nothing was published)

Secret values are no part of a document, so they are compared beside it: before anything is
written, right before it is published, and once more when it is read back. Those that only the
draft has are sealed with the draft that is kept, and go back with it (`bot.services.draft_seal`).
What a step has to read and what does not depend on one another is read at once: people wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.domain import marker
from bot.domain.words import DraftNote, OutcomeCode
from bot.errors import DraftMoved, SealBroken, UpstreamRefused
from bot.ports.target import NONE, TargetDraft, TargetVersion
from bot.services.draft_secrets import hindrance
from bot.services.settle import Ending, unsettled
from bot.services.stepping import PATIENCE, Stepping, Steps
from store.document import Document
from store.failpoint import fp
from store.records import Json, State, Step


class CarryOut(Stepping):
    """One execution on an app that has a draft and versions."""

    _saves = 0
    _old_is_live = False  # read while undoing

    def _steps(self) -> Steps:
        return {
            Step.CLAIMED: self._keep_draft,
            Step.STAGING: self._stage,
            Step.PUBLISHING: self._publish,
            Step.VERIFYING: self._verify,
            Step.RETURNING: self._return_draft,
            Step.UNDOING: self._undo,
        }

    # -- the steps ----------------------------------------------------------------------------

    async def _keep_draft(self) -> None:
        if self._contents.wanted.empty_graph:
            await self._progress.end(Ending(State.FAILED, OutcomeCode.EMPTY_GRAPH))
            return
        live, draft, compared = await asyncio.gather(  # of what was live when it was approved
            self._live(),
            self._draft(),
            self._target.compare_secrets(self._app_id, live_id=self._leg.live_external_id),
        )
        if self._is_ours(live):  # a publish that was cut off came late, and somebody saved
            await self._progress.published(live.external_id)
            return
        if not self._live_unchanged(live):
            await self._end(Ending(State.SUPERSEDED, OutcomeCode.LIVE_CHANGED))
            return
        if await self._seal.answers(compared, self._rollback):
            await self._keep_sealed(draft)
            return
        hindered = hindrance(compared, self._leg, self._contents.live, begun=False)
        if hindered is not None:
            await self._end(hindered)
            return
        await self._progress.keep(draft)
        fp("execute:draft_kept")

    async def _keep_sealed(self, draft: TargetDraft) -> None:
        """Keep the draft together with the secret values that only it has."""
        before = self._rollback.execution.sealed
        names, sealed = await self._seal.make(self._rollback, draft.document)
        fp("execute:before_seal")
        lost = tuple(name for name in before if name not in names)
        if lost:
            await self._progress.say_draft(DraftNote.SECRETS_LOST, lost)
        await self._progress.keep(draft, names=names, sealed=sealed)
        fp("execute:draft_kept")

    async def _stage(self) -> None:
        draft, kept = await self._draft(), await self._progress.kept()
        if draft.document.root == self._leg.expected_root and await self._values_staged(kept):
            await self._progress.commit(step=Step.PUBLISHING, staged_token=draft.token)
            return
        if draft.token != self._rollback.execution.kept_token or draft.document.root != kept.root:
            await self._somebody_saved()
            return
        try:
            replacing = await self._seal.to_stage(self._rollback)
            async with self._lease.for_one_call() as must_hold:
                fp("execute:before_draft_write")
                must_hold()
                token = await self._target.stage(
                    self._app_id,
                    self._contents.wanted,
                    token=draft.token,
                    root=draft.document.root,
                    secrets_from=self._contents.secrets_from,
                    replacing=replacing,
                )
        except DraftMoved:
            await self._somebody_saved()
            return
        except SealBroken:  # nothing was written: the draft still has what was sealed
            await self._progress.commit(step=Step.CLAIMED)
            return
        fp("execute:after_draft_write")
        await self._progress.commit(step=Step.PUBLISHING, staged_token=token)

    async def _publish(self) -> None:
        live, hindered = await asyncio.gather(self._live(), self._wanted_secrets_hinder())
        if self._is_ours(live):
            await self._progress.published(live.external_id)
            return
        if live.external_id != self._leg.live_external_id:
            await self._somebody_published(live)
            return
        if hindered is not None:
            await self._give_back(hindered.code, hindered.facts)
            return
        draft = await self._draft()
        if draft.document.root != self._leg.expected_root:
            await self._somebody_saved()
            return
        async with self._lease.for_one_call() as must_hold:
            fp("execute:before_publish")
            must_hold()
            await self._target.publish(
                self._app_id,
                name=marker.name_of(self._rollback),
                comment=marker.comment_of(self._rollback, to_number=self._contents.to.number),
            )
        fp("execute:after_publish")
        await self._progress.published("")

    async def _verify(self) -> None:
        fp("execute:before_read_back")
        live = await self._live()
        version = await self._record(live)
        if live.document.root != self._leg.expected_root:
            code = (
                OutcomeCode.LIVE_DIFFERS if self._is_ours(live) else OutcomeCode.PUBLISHED_BY_OTHER
            )
            await self._call_people(code, {"number": version.number}, found=version)
            return
        hindered = await self._wanted_secrets_hinder(live.external_id)
        if hindered is not None:
            facts = {**hindered.facts, "number": version.number}
            await self._call_people(OutcomeCode.SECRETS_DIFFER, facts)
            return
        await self._progress.verified(live.external_id, version.id)

    async def _return_draft(self) -> None:
        kept, sealed = await self._progress.kept(), self._rollback.execution.sealed
        if kept.root in {self._leg.live_root, self._leg.expected_root} and not sealed:
            note, lost = DraftNote.UNCHANGED, sealed  # it held no work that was not published
        else:
            note, lost = await self._put_back(kept)
        fp("execute:draft_returned")
        await self._progress.commit(draft_note=note, sealed=lost)
        await self._complete()

    async def _undo(self) -> None:
        if await self._published_after_all():
            return
        note, lost = await self._put_back(await self._progress.kept())
        fp("execute:draft_undone")
        if lost != self._rollback.execution.sealed:
            await self._progress.commit(sealed=lost)
        if note is DraftNote.THEIRS_STAYS:
            await self._progress.say_draft(note)
        if await self._published_after_all():  # a publish that we gave up on came late
            return
        if note is DraftNote.SECRETS_LOST:
            await self._call_people(OutcomeCode.DRAFT_SECRETS_LOST, {"names": list(lost)})
            return
        await self._end_as_failed()

    # -- what they are made of ----------------------------------------------------------------

    async def _put_back(self, kept: Document) -> tuple[DraftNote, tuple[str, ...]]:
        """Put the editors' draft back over our own last write, and over nothing else.

        Return what became of it, and the names of the secrets whose values it has no longer.
        """
        note = await self._written_back(kept)
        if note is DraftNote.PUT_BACK and await self._seal.opens(self._rollback):
            return note, ()
        lost = await self._seal.lost(self._rollback)
        if note is DraftNote.PUT_BACK and lost:
            note = DraftNote.SECRETS_LOST
        return note, lost

    async def _written_back(self, kept: Document) -> DraftNote:
        execution = self._rollback.execution
        draft = await self._draft()
        by_values = execution.sealed and kept.root == self._leg.expected_root
        if draft.document.root == kept.root and not by_values:
            return DraftNote.PUT_BACK
        ours = draft.document.root == self._leg.expected_root
        if not ours or (execution.staged_token and draft.token != execution.staged_token):
            return DraftNote.THEIRS_STAYS
        try:
            replacing = await self._seal.to_return(self._rollback, kept)
            async with self._lease.for_one_call() as must_hold:
                fp("execute:before_draft_return")
                must_hold()
                await self._target.stage(
                    self._app_id,
                    kept,
                    token=draft.token,
                    root=draft.document.root,
                    secrets_from={s.id: self._leg.live_external_id for s in kept.secrets},
                    replacing=replacing,
                )
        except DraftMoved:
            return DraftNote.THEIRS_STAYS
        fp("execute:after_draft_return")
        return DraftNote.PUT_BACK

    async def _values_staged(self, kept: Document) -> bool:
        """True unless the draft is the approved content with values of the editors' own."""
        if not self._rollback.execution.sealed or kept.root != self._leg.expected_root:
            return True
        return await self._wanted_secrets_hinder() is None

    async def _wanted_secrets_hinder(self, published_id: str = "") -> Ending | None:
        """Compare with what the card promised: live's values, or the candidate's own."""
        if not self._contents.wanted.secrets:
            return None
        compared = await self._target.compare_secrets(
            self._app_id,
            live_id=self._leg.live_external_id,
            own=self._contents.own_secrets,
            published_id=published_id,
        )
        return hindrance(compared, self._leg, self._contents.live, begun=True)

    async def _published_after_all(self) -> bool:
        live = await self._live()
        if self._is_ours(live):
            await self._progress.published(live.external_id)
            return True
        self._old_is_live = True
        return False

    async def _somebody_saved(self) -> None:
        """Their draft is the one to keep now; ours stays in the store beside it."""
        self._saves += 1
        if self._rollback.execution.staged_token:
            await self._progress.say_draft(DraftNote.THEIRS_STAYS)
        if self._saves > PATIENCE:
            await self._end(Ending(State.FAILED, OutcomeCode.DRAFT_BUSY))
            return
        await self._progress.commit(step=Step.CLAIMED, staged_token="")

    async def _somebody_published(self, live: TargetVersion) -> None:
        if live.document.root == self._leg.expected_root:
            # the approved content, by another hand
            await self._progress.published(live.external_id)
            return
        await self._give_back(OutcomeCode.LIVE_CHANGED)

    # -- when it does not go on ---------------------------------------------------------------

    async def _end(self, ending: Ending) -> None:
        """End; what was sealed is said to be lost only if the draft does not have it."""
        lost = await self._seal.lost(self._rollback)
        if lost != self._rollback.execution.sealed:
            await self._progress.commit(sealed=lost)
        await self._progress.end(ending)

    async def _give_up(self, code: OutcomeCode, facts: Mapping[str, Json] = NONE) -> None:
        system = self._target.name
        match self._rollback.execution.step:
            case Step.CLAIMED if self._rollback.execution.kept_draft_id is None:
                await self._progress.end(Ending(State.FAILED, code, {**facts, "system": system}))
            case Step.STAGING | Step.PUBLISHING:
                await self._give_back(code, facts)
            case Step.RETURNING:
                await self._progress.commit(draft_note=DraftNote.KEPT_ONLY)
                await self._complete()
            case Step.UNDOING if self._old_is_live:
                await self._call_people(OutcomeCode.DRAFT_NOT_PUT_BACK, {"system": system})
            case _:
                await self._progress.end(unsettled(system))

    # -- what stands where --------------------------------------------------------------------

    async def _draft(self) -> TargetDraft:
        draft = await self._target.draft(self._app_id)
        if draft is None:
            raise UpstreamRefused(self._target.name, "the app has no draft")
        return draft

    def _live_unchanged(self, live: TargetVersion) -> bool:
        leg = self._leg
        return live.external_id == leg.live_external_id and live.document.root == leg.live_root

    def _is_ours(self, live: TargetVersion) -> bool:
        return live.name == marker.name_of(self._rollback)
