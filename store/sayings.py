"""What was said last of something that has no row of its own: the newest of its events holds."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AuditDraft, Json, Stale
from store.tables import EventRow
from store.upsert import insert


class Sayings:
    """The events of aggregates that are called by a name."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def add(self, aggregate: str, kind: str, said: dict[str, Json], entry: AuditDraft) -> int:
        """Say *said* of *aggregate*, with *entry*; return how often something was said of it.

        Raises:
            Stale: Somebody else said something in this very moment.
        """
        newest = await self.newest(aggregate)
        row = {
            "aggregate": aggregate,
            "aggregate_id": 0,
            "sequence": (newest.sequence if newest else 0) + 1,
            "kind": kind,
            "data": said,
            "at": await self._now(),
        }
        adding = insert(self._session, EventRow).values(row).on_conflict_do_nothing()
        stored = await self._session.execute(adding.returning(col(EventRow.sequence)))
        found = stored.first()
        if found is None:
            raise Stale(f"{aggregate} was changed by somebody else")
        await self._audit.append(entry)
        number: int = found[0]
        return number

    async def newest(self, aggregate: str) -> EventRow | None:
        """What was said last of *aggregate*; None where nothing was."""
        query = (
            select(EventRow)
            .where(col(EventRow.aggregate) == aggregate, col(EventRow.aggregate_id) == 0)
            .order_by(col(EventRow.sequence).desc())
            .limit(1)
        )
        return (await self._session.scalars(query)).first()
