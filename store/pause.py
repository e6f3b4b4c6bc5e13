"""The mark of a paused database: one row, or none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AuditDraft, LeftBehind, Paused, PauseOrigin
from store.tables import CaseRow, HomeRow, InboxRow, JobRow, OutboxRow, PauseRow
from store.upsert import insert

_ONE = 1
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_OUTCOME = "left_behind"


class Pause:
    """Written into a copy, or by a person; while it stands nothing is executed."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def current(self) -> Paused | None:
        """The mark; None when the database is not paused."""
        row = await self._session.get(PauseRow, _ONE)
        if row is None:
            return None
        return Paused(
            origin=PauseOrigin(row.origin),
            reason=row.reason,
            since=row.since,
            seq=row.audit_seq,
            head=row.audit_hash,
            case_until=row.case_until,
            inbox_until=row.inbox_until,
            outbox_until=row.outbox_until,
        )

    async def mark(self, origin: PauseOrigin, reason: str, *, entry: AuditDraft | None) -> bool:
        """Pause, with *entry*; False when a person finds it paused already: nothing changes then.

        Of a copy the mark, in place of any that its original had, names what was in it, so that
        nothing of that is sent or judged. A copy gets no *entry*: its audit chain ends where the
        original's did.
        """
        seq, head = await self._audit.head()
        copied = origin.is_copy
        row = {
            "id": _ONE,
            "origin": origin,
            "reason": reason,
            "since": await self._now(),
            "audit_seq": seq,
            "audit_hash": head,
            "case_until": await self._newest(CaseRow) if copied else 0,
            "inbox_until": await self._newest(InboxRow) if copied else 0,
            "outbox_until": await self._newest(OutboxRow) if copied else 0,
        }
        adding = insert(self._session, PauseRow).values(row)
        adding = (
            adding.on_conflict_do_update(index_elements=["id"], set_=row)
            if copied
            else adding.on_conflict_do_nothing()
        )
        stored = await self._session.execute(adding.returning(col(PauseRow.id)))
        if copied:
            await self._forget_wishes()
        new = stored.first() is not None
        if new and entry is not None:
            await self._audit.append(entry)
        return new

    async def _forget_wishes(self) -> None:
        """What people asked the original to draw and to run is the original's to do."""
        await self._session.execute(
            update(HomeRow).values(seen_at=_LONG_AGO, drawn=col(HomeRow.wanted))
        )
        await self._session.execute(
            update(JobRow).values(asked_by="", asked_at=None, owner="", lease_until=None)
        )

    async def leave_behind(self, paused: Paused) -> LeftBehind:
        """End what was waiting in a copy: nobody knows whether it was done meanwhile."""
        now = await self._now()
        return LeftBehind(
            inbox=await self._end(InboxRow, paused.inbox_until, now),
            outbox=await self._end(OutboxRow, paused.outbox_until, now),
        )

    async def lift(self, *, entry: AuditDraft) -> None:
        """Take the mark away, with *entry*."""
        await self._session.execute(delete(PauseRow).where(col(PauseRow.id) == _ONE))
        await self._audit.append(entry)

    async def _newest(self, table: type[CaseRow | InboxRow | OutboxRow]) -> int:
        return await self._session.scalar(select(func.max(table.id))) or 0

    async def _end(self, table: type[InboxRow | OutboxRow], until: int, now: Any) -> int:
        waiting = (col(table.done_at).is_(None), col(table.id) <= until)
        ended = await self._session.execute(
            update(table)
            .where(*waiting)
            .values(done_at=now, outcome=_OUTCOME, lease_until=None)
            .returning(col(table.id))
        )
        return len(ended.all())
