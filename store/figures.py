"""What is counted of the whole database, for those who watch the service."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.arrivals import Arrivals
from store.clock import DatabaseClock
from store.queue import after_copy
from store.records import GOES_TO, Backlog, OutboxKind
from store.tables import AuditRow, InboxRow, OutboxRow, SlotRow

INBOX = "inbox"


class Figures:
    """Read only; each question is one statement on an index."""

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now

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
        """How much waits in the inbox, by where it goes in the outbox, and to be filed; since when.

        Of inbox and outbox of a copy it is what came after it.
        """
        waiting = (col(InboxRow.done_at).is_(None), after_copy(InboxRow, col(InboxRow.id)))
        oldest = func.min(InboxRow.received_at)
        found = await self._session.execute(select(func.count(), oldest).where(*waiting))
        arrivals = await Arrivals(self._session).backlogs()
        return [Backlog(INBOX, *found.one()), *await self._outgoing(), *arrivals]

    async def _outgoing(self) -> list[Backlog]:
        due = case((_is_planned(), col(OutboxRow.not_before)), else_=col(OutboxRow.created_at))
        rows = await self._session.execute(
            select(col(OutboxRow.kind), func.count(), func.min(due))
            .where(
                col(OutboxRow.done_at).is_(None),
                after_copy(OutboxRow, col(OutboxRow.id)),
                due <= await self._now(),
            )
            .group_by(col(OutboxRow.kind))
        )
        found = {name: Backlog(name, 0, None) for name in dict.fromkeys(GOES_TO.values())}
        for kind, count, oldest in rows:
            name = GOES_TO[OutboxKind(kind)]
            before = found[name]
            since = min(oldest, before.oldest or oldest)
            found[name] = Backlog(name, before.waiting + count, since)
        return list(found.values())

    async def ticked(self, jobs: Collection[str]) -> dict[str, datetime]:
        """When each of *jobs* was finished last, within the day for which ticks are kept."""
        rows = await self._session.execute(
            select(col(SlotRow.job), func.max(SlotRow.finished_at))
            .where(col(SlotRow.job).in_(list(jobs)), col(SlotRow.finished_at).is_not(None))
            .group_by(col(SlotRow.job))
        )
        return {job: at for job, at in rows if at is not None}


def _is_planned() -> ColumnElement[bool]:
    """True for rows that nobody tried yet and that were put for later, or for now.

    One that coalesces with others may have been handed their waiting on, which was not planned.
    """
    return and_(col(OutboxRow.attempts) == 0, col(OutboxRow.coalesce_key).is_(None))
