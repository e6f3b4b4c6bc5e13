"""What is counted of the whole database, for those who watch the service."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.queue import Queue, after_copy
from store.records import Backlog
from store.tables import AuditRow, InboxRow, OutboxRow, SlotRow

_QUEUES: tuple[tuple[str, Queue], ...] = (("inbox", InboxRow), ("outbox", OutboxRow))


class Figures:
    """Read only; each question is one statement on an index."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def audited(self, *, after: int, until: int) -> dict[tuple[str, str], int]:
        """How many audit entries above seq *after* up to *until* there are, by action and status.

        Empty where there is none.
        """
        kinds = (col(AuditRow.action), col(AuditRow.status))
        rows = await self._session.execute(
            select(*kinds, func.count())
            .where(col(AuditRow.seq) > after, col(AuditRow.seq) <= until)
            .group_by(*kinds)
        )
        return {(action, status): count for action, status, count in rows}

    async def backlogs(self) -> list[Backlog]:
        """How much waits in inbox and outbox, and since when; in a copy, what came after it."""
        return [await self._backlog(name, table) for name, table in _QUEUES]

    async def _backlog(self, name: str, table: Queue) -> Backlog:
        came = col(InboxRow.received_at if table is InboxRow else OutboxRow.created_at)
        waiting = (col(table.done_at).is_(None), after_copy(table, col(table.id)))
        found = await self._session.execute(select(func.count(), func.min(came)).where(*waiting))
        count, oldest = found.one()
        return Backlog(name, count, oldest)

    async def ticked(self, jobs: Collection[str]) -> dict[str, datetime]:
        """When each of *jobs* was finished last, within the day for which ticks are kept."""
        rows = await self._session.execute(
            select(col(SlotRow.job), func.max(SlotRow.finished_at))
            .where(col(SlotRow.job).in_(list(jobs)), col(SlotRow.finished_at).is_not(None))
            .group_by(col(SlotRow.job))
        )
        return {job: at for job, at in rows if at is not None}
