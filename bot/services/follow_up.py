"""What time alone brings about: rollbacks expire, cases close. Safe late and safe twice."""

from __future__ import annotations

import logging

from bot.domain import approval
from bot.domain.words import NoteCode
from bot.ports.store import Store
from bot.services.apart import Apart
from bot.services.closing import close_if_over
from bot.services.outgoing import card_row, moved, note_row
from store.records import AuditDraft, Json, Stale, State

log = logging.getLogger(__name__)
_WAITING = (State.DRAFT, State.PENDING_APPROVAL, State.APPROVED)


class FollowUp:
    """Run it on a clock, on any number of machines: what is due is read from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def expire_overdue(self) -> int:
        """Expire every rollback whose time is up by the database's clock; return how many."""
        async with self._store.read() as tx:
            if await tx.pause.current() is not None:
                return 0
            now = await tx.now()
            waiting = await tx.rollbacks.in_states(_WAITING)
        due = [rollback.id for rollback in waiting if approval.overdue(rollback, at=now)]
        apart, expired = Apart(log), 0
        for rollback_id in due:
            with apart.piece("rollback not expired", rollback=rollback_id):
                expired += await self._expire(rollback_id)
        apart.tell()
        return expired

    async def _expire(self, rollback_id: int) -> bool:
        try:
            async with self._store.write() as tx:
                before = await tx.rollbacks.get(rollback_id, lock=True)
                now = await tx.now()
                if not approval.overdue(before, at=now):
                    return False  # somebody else was quicker
                after = await tx.rollbacks.save(
                    approval.expire(before, at=now),
                    was=before.revision,
                    entry=AuditDraft(
                        user_id="keyturn",
                        action="rollback.expire",
                        resource=f"rollback/{before.id}",
                        status="ok",
                        what={"app": str(before.leg.where), "digest": before.content_digest},
                        ip_note="Keyturn itself",
                    ),
                )
                case = await tx.cases.get(after.case_id)
                await tx.outbox.put(card_row(case, moved(after)))
                facts: dict[str, Json] = {"outcome": after.outcome, "facts": {}, "seconds": None}
                await tx.outbox.put(note_row(case, NoteCode.ENDED, facts, moved(after)))
        except Stale:  # one that moved on must not hold up the others
            return False
        log.info("rollback expired", extra={"rollback": rollback_id})
        return True

    async def close_cases(self) -> int:
        """Close every open case in which nothing is open or firing; return how many."""
        async with self._store.read() as tx:
            if await tx.pause.current() is not None:
                return 0
            open_cases = await tx.cases.open_cases()
        apart, closed = Apart(log), 0
        for case in open_cases:
            with apart.piece("case not closed", case=case.id):
                closed += await self._close(case.id)
        apart.tell()
        return closed

    async def _close(self, case_id: int) -> bool:
        try:
            async with self._store.write() as tx:
                return await close_if_over(tx, await tx.cases.get(case_id, lock=True))
        except Stale:
            return False
