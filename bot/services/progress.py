"""How far one execution has come. A step is committed before the call that it names is made."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from bot import spans
from bot.domain import drill, legs, marker
from bot.domain.words import DraftNote, NoteCode
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.store import Store
from bot.ports.target import TargetDraft
from bot.services.contents import Contents
from bot.services.outgoing import moved, note_row
from bot.services.recording import new_draft
from bot.services.settle import Ending, Settle, completed, draft_told, put_back
from store.document import Document
from store.records import (
    DRAFT_KEPT,
    AuditDraft,
    Done,
    Execution,
    Rollback,
    State,
    Step,
)


class Progress:
    """The rollback as it was last committed by the process that holds its lease.

    Every method raises `Stale` when somebody else has moved it on; nothing is stored then.
    """

    def __init__(self, rollback: Rollback, *, store: Store, settle: Settle) -> None:
        self.rollback = rollback
        self._store = store
        self._settle = settle

    async def keep(
        self, draft: TargetDraft, *, names: tuple[str, ...] = (), sealed: bytes = b""
    ) -> None:
        """Store the editors' draft as a version of its own; the next step writes over it.

        Its secrets *names* are *sealed* in the same transaction, in place of an earlier seal.
        """
        kept = new_draft(self.rollback.current.where, draft, name=DRAFT_KEPT)
        before = list(self.rollback.execution.sealed)
        async with self._store.write() as tx:
            version = await tx.versions.record(kept, draft.document)
            after = self._with(
                step=Step.STAGING, kept_draft_id=version.id, kept_token=draft.token, sealed=names
            )
            self.rollback = await tx.rollbacks.save(
                after,
                was=self.rollback.revision,
                entry=self._entry("draft.keep", version=version.id, root=version.root),
            )
            if sealed:
                await tx.seals.put(self.rollback.id, sealed)
                await tx.audit.append(self._entry("draft.seal", names=list(names)))
            elif await tx.seals.erase(self.rollback.id):
                await tx.audit.append(self._entry("draft.unseal", not_returned=before))

    async def kept(self) -> Document:
        """Return the editors' draft as it was kept."""
        kept = self.rollback.execution.kept_draft_id
        assert kept is not None  # noqa: S101  # committed with the step that leads here
        async with self._store.read() as tx:
            return await tx.versions.document(kept)

    async def commit(self, **execution: Any) -> None:
        """Commit these fields of the execution."""
        async with self._store.write() as tx:
            self.rollback = await tx.rollbacks.save(
                self._with(**execution), was=self.rollback.revision, entry=None
            )

    async def published(self, external_id: str) -> None:
        """Commit that something was published which has to be read back; "": id not known yet.

        Only the last of several apps brings the rollback to VERIFYING: before it there is a way
        back.
        """
        after = self._with(step=Step.VERIFYING, published_id=external_id)
        rollback = self.rollback
        way_back = legs.more_ahead(rollback.execution) or rollback.execution.backwards
        state = rollback.state if way_back else State.VERIFYING
        async with self._store.write() as tx:
            self.rollback = await tx.rollbacks.save(
                replace(after, state=state),
                was=self.rollback.revision,
                entry=self._entry("rollback.publish", name=marker.name_of(self.rollback)),
            )

    async def verified(self, external_id: str, version_id: int) -> None:
        """Commit that what is live was read and is what was approved."""
        async with self._store.write() as tx:
            after = self._with(
                step=Step.RETURNING,
                published_id=external_id,
                published_version_id=version_id,
                verified_at=await tx.now(),
            )
            self.rollback = await tx.rollbacks.save(after, was=self.rollback.revision, entry=None)
        spans.happened("verified", rollback=self.rollback.id, version=version_id)

    async def complete(self, contents: Contents) -> None:
        """The current leg is live and its draft is back: go on to the next, or end well."""
        rollback = self.rollback
        execution = rollback.execution
        if execution.backwards:
            await self._came_back(legs.BACK, completed(rollback, contents.to))
        elif legs.more_ahead(execution):
            done = _done(execution, await asyncio.to_thread(lambda: contents.undo_root))
            over = completed(rollback, contents.to)
            gone_on = legs.gone_on(execution, done)
            await self._go_to(gone_on, over, "leg.done", version=done.published_version_id)
        else:
            await self._settled(completed(rollback, contents.to))

    async def end(self, ending: Ending) -> None:
        """End the rollback, with its card and its sentence.

        Of several apps, those that were done before are put back first, as far as that goes.
        """
        execution = self.rollback.execution
        if execution.backwards:
            await self._came_back(ending.code, ending)
        elif legs.turns_back(execution, ending.state, ending.code):
            facts = {**ending.facts, "stuck": str(self.rollback.current.where)}
            back = legs.turned_back(execution, ending.state, ending.code, facts)
            await self._go_to(back, ending, "leg.turn_back", why=ending.code)
        else:
            await self._settled(ending)

    async def _came_back(self, said: str, over: Ending) -> None:
        """The current leg was put back, or was not; when all were tried it is the end."""
        tried = legs.came_back(self.rollback.execution, said)
        await self._go_to(tried, over, "leg.put_back", said=said)
        if legs.all_tried(tried):
            await self._settled(put_back(self.rollback))

    async def _go_to(self, execution: Execution, over: Ending, action: str, **what: Any) -> None:
        """Commit that the current leg is *over*, and say what became of its draft.

        What was sealed for the draft is erased.
        """
        rollback = self.rollback
        turned = execution.backwards and not rollback.execution.backwards
        lost = list(rollback.execution.sealed)
        entry, unsealed = (
            self._entry(action, **what),
            self._entry("draft.unseal", not_returned=lost),
        )
        async with self._store.write() as tx:
            self.rollback = await tx.rollbacks.save(
                rollback.moved(rollback.state, execution=execution),
                was=rollback.revision,
                entry=entry,
            )
            if await tx.seals.erase(rollback.id):
                await tx.audit.append(unsealed)
            case = await tx.cases.get(rollback.case_id)
            told = await draft_told(tx, rollback, over)
            if told is not None:
                note = note_row(case, NoteCode.DRAFT_NOTE, told, moved(self.rollback))
                await tx.outbox.put(note)
            if turned:
                stuck = {"where": str(rollback.current.where)}
                note = note_row(case, NoteCode.PUTTING_BACK, stuck, moved(self.rollback))
                await tx.outbox.put(note)

    async def _settled(self, ending: Ending) -> None:
        self.rollback = await self._settle(self.rollback, ending)

    async def say_draft(self, note: DraftNote, names: tuple[str, ...] = ()) -> None:
        """Say in the thread what became of the editors' draft, and of its secrets *names*."""
        await self._settle.say_draft(self.rollback, note, names)

    async def say_waiting(self, error: UpstreamDown | UpstreamRefused) -> None:
        """Say in the thread what keeps us waiting; once while the rollback stays as it is."""
        await self._settle.say_waiting(self.rollback, error)

    def _with(self, **execution: Any) -> Rollback:
        rollback = self.rollback
        return rollback.moved(rollback.state, execution=replace(rollback.execution, **execution))

    def _entry(self, action: str, **what: Any) -> AuditDraft:
        return AuditDraft(
            user_id="keyturn",
            action=action,
            resource=f"rollback/{self.rollback.id}",
            status="ok",
            what={
                "app": str(self.rollback.current.where),
                **what,
                **drill.mark(self.rollback),
            },
            ip_note="Keyturn itself",
        )


def _done(execution: Execution, undo_root: str) -> Done:
    published = execution.published_version_id
    assert published is not None  # noqa: S101  # committed with the step that leads here
    return Done(
        position=execution.position,
        published_id=execution.published_id,
        published_version_id=published,
        undo_root=undo_root,
        draft_note=execution.draft_note,
    )
