"""What time alone brings about: rollbacks expire, cases close. Safe late and safe twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from bot.domain import approval, drill, reminders
from bot.domain.calling import Call
from bot.domain.words import NoteCode
from bot.ports.store import Store
from bot.services.apart import Apart
from bot.services.closing import close_if_over
from bot.services.drill.ending import over
from bot.services.outgoing import call_row, card_row, ended_facts, moved, note_row, review_row
from store.records import AppEnv, AuditDraft, Json, Stale, State

log = logging.getLogger(__name__)
Quiet = Callable[[AppEnv, datetime], bool]


def _never(_where: AppEnv, _at: datetime) -> bool:
    """No policy names a time in which nobody is reminded."""
    return False


VotersOf = Callable[[AppEnv], Sequence[str]]


def _nobody(_where: AppEnv) -> Sequence[str]:
    """No policy names who votes."""
    return ()


_WAITING = (State.DRAFT, *sorted(approval.NOT_STARTED))


MOST = 10_000  # rollbacks that may wait for votes at once and are all looked at


class FollowUp:
    """Run it on a clock, on any number of machines: what is due is read from the store."""

    def __init__(self, store: Store, *, quiet: Quiet = _never, voters: VotersOf = _nobody) -> None:
        """Remind nobody while *quiet* holds; *voters* may sign a review as of now."""
        self._store = store
        self._quiet = quiet
        self._voters = voters

    async def remind(self) -> int:
        """Remind those who may vote, and call the backups, once each; return how many times.

        A replica that does so too tells nothing twice: what was told is known by its outbox row.
        """
        async with self._store.read() as tx:
            if await tx.pause.current() is not None:
                return 0
            now = await tx.now()
            waiting = await tx.rollbacks.in_states((State.PENDING_APPROVAL,), limit=MOST)
        apart, told = Apart(log), 0
        for rollback in waiting:
            due = reminders.due(rollback, at=now)
            if due is None or self._quiet(rollback.leg.where, now):
                continue
            with apart.piece("nobody reminded", rollback=rollback.id):
                told += await self._remind(rollback.id, due)
        apart.tell()
        return told

    async def _remind(self, rollback_id: int, due: NoteCode) -> bool:
        async with self._store.write() as tx:
            rollback = await tx.rollbacks.get(rollback_id, lock=True)
            if reminders.due(rollback, at=await tx.now()) is not due:
                return False  # somebody voted in this moment, or it moved on
            case = await tx.cases.get(rollback.case_id)
            facts = reminders.facts(rollback, due)
            cause = f"rollback:{rollback.id}:{due}"
            if not await tx.outbox.put(note_row(case, due, facts, cause)):
                return False
            await tx.outbox.put(call_row(case, rollback, Call(due.value)))
            called: Json = facts["voters"]
            await tx.audit.append(
                AuditDraft(
                    user_id="keyturn",
                    action=f"rollback.{due}",
                    resource=f"rollback/{rollback.id}",
                    status="ok",
                    what={
                        "app": str(rollback.leg.where),
                        "called": called,
                        **drill.mark(rollback),
                    },
                    ip_note="Keyturn itself",
                )
            )
        log.info("voters called", extra={"rollback": rollback_id, "as": due})
        return True

    async def remind_of_reviews(self) -> int:
        """Ask once a day for every review that is still open; return how many were asked for.

        Which day was asked for is known by its outbox row, as with `remind`: a restart asks for
        nothing twice, and what a long stop has missed is asked for once.
        """
        async with self._store.read() as tx:
            if await tx.pause.current() is not None:
                return 0
            now = await tx.now()
            waiting = await tx.rollbacks.to_review(limit=MOST)
        apart, told = Apart(log), 0
        for rollback in waiting:
            if not reminders.days_unreviewed(rollback, at=now):
                continue
            if self._quiet(rollback.leg.where, now):
                continue
            with apart.piece("nobody reminded of a review", rollback=rollback.id):
                told += await self._remind_of_review(rollback.id)
        apart.tell()
        return told

    async def _remind_of_review(self, rollback_id: int) -> bool:
        async with self._store.write() as tx:
            rollback = await tx.rollbacks.get(rollback_id, lock=True)
            now = await tx.now()
            days = reminders.days_unreviewed(rollback, at=now)
            if not days:
                return False  # somebody signed in this moment
            case = await tx.cases.get(rollback.case_id)
            facts = reminders.review_facts(rollback, self._voters(rollback.leg.where), at=now)
            if not await tx.outbox.put(review_row(case, facts, days=days)):
                return False
            called: Json = facts["voters"]
            await tx.audit.append(
                AuditDraft(
                    user_id="keyturn",
                    action="review.remind",
                    resource=f"rollback/{rollback.id}",
                    status="ok",
                    what={
                        "app": str(rollback.leg.where),
                        "days": days,
                        "called": called,
                        **drill.mark(rollback),
                    },
                    ip_note="Keyturn itself",
                )
            )
        log.info("reviewers called", extra={"rollback": rollback_id, "days": days})
        return True

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
                note = note_row(case, NoteCode.ENDED, ended_facts(after), moved(after))
                await tx.outbox.put(note)
                await over(tx, case, after)
        except Stale:  # one that moved on must not hold up the others
            return False
        log.info("rollback expired", extra={"rollback": rollback_id, **drill.mark(after)})
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
