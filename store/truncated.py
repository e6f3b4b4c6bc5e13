"""Groups of alerts that came cut short, until the rest of each was fetched."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.clock import DatabaseClock
from store.records import Truncated
from store.tables import TruncatedRow
from store.upsert import skip_locked


class TruncatedGroups:
    """One row a group, made when its delivery is filed; one worker at a time holds it a while."""

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now

    async def claim(self, *, lease: timedelta) -> Truncated | None:
        """The group that is due for longest; nobody else gets it before *lease* is over."""
        now = await self._now()
        due = (
            select(TruncatedRow)
            .where(col(TruncatedRow.due_at) <= now)
            .order_by(col(TruncatedRow.due_at), col(TruncatedRow.group_key))
            .limit(1)
        )
        row = (await self._session.scalars(skip_locked(self._session, due))).first()
        if row is None:
            return None
        row.due_at, row.attempts = now + lease, row.attempts + 1
        await self._session.flush()
        return Truncated(
            source=row.source,
            group_key=row.group_key,
            receiver=row.receiver,
            group_labels=row.group_labels,
            asked=row.asked,
            attempts=row.attempts,
        )

    async def completed(self, group: Truncated) -> None:
        """The rest of *group* is stored; what came cut short meanwhile is due again at once."""
        as_asked = _is(group) & (col(TruncatedRow.asked) == group.asked)
        await self._session.execute(delete(TruncatedRow).where(as_asked))
        await self._again(group, timedelta(), attempts=0, error="")

    async def later(self, group: Truncated, delay: timedelta, error: str) -> None:
        """Give *group* back, to be tried again after *delay*."""
        await self._again(group, delay, attempts=group.attempts, error=error[:500])

    async def waiting(self) -> int:
        """How many groups there are of which the rest was not fetched yet."""
        return await self._session.scalar(select(func.count()).select_from(TruncatedRow)) or 0

    async def _again(
        self, group: Truncated, delay: timedelta, *, attempts: int, error: str
    ) -> None:
        due = await self._now() + delay
        await self._session.execute(
            update(TruncatedRow)
            .where(_is(group))
            .values(due_at=due, attempts=attempts, last_error=error)
        )


def _is(group: Truncated) -> ColumnElement[bool]:
    same_source = col(TruncatedRow.source) == group.source
    return same_source & (col(TruncatedRow.group_key) == group.group_key)
