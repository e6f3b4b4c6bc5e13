"""How far one execution has come. A step is committed before the call that it names is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain import marker
from bot.domain.words import DraftNote
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.store import Store
from bot.ports.target import TargetDraft
from bot.services.recording import new_draft
from bot.services.settle import Ending, Settle
from store.document import Document
from store.records import (
    DRAFT_KEPT,
    AuditDraft,
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
        kept = new_draft(self.rollback.leg.where, draft, name=DRAFT_KEPT)
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
        """Commit that something was published which has to be read back; "": id not known yet."""
        after = self._with(step=Step.VERIFYING, published_id=external_id)
        async with self._store.write() as tx:
            self.rollback = await tx.rollbacks.save(
                replace(after, state=State.VERIFYING),
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

    async def end(self, ending: Ending) -> None:
        """End the rollback, with its card and its sentence."""
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
            what={"app": str(self.rollback.leg.where), **what},
            ip_note="Keyturn itself",
        )
