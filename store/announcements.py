"""Events for other systems: committed with the fact that they tell, in one order for each app.

Whoever writes one holds the row of its app@env until the commit, so they are numbered as they are
committed. They are written when the transaction is about to commit, by app, right before the audit
chain is: so nobody waits for another round about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.clock import DatabaseClock
from store.happened import Happened
from store.records import Announcement, AppEnv
from store.tables import AnnouncementRow, StreamRow
from store.upsert import insert


@dataclass(frozen=True)
class _New:
    subject: str
    happened: Happened
    at: datetime


class Announcements:
    """Written by the repositories themselves; read to be sent, and to replay what happened."""

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now
        self._waiting: defaultdict[AppEnv, list[_New]] = defaultdict(list)

    async def add(self, where: AppEnv, subject: str, happened: Iterable[Happened]) -> None:
        """Tell of *where* what has *happened* to *subject*, once this transaction commits."""
        at = await self._now()
        self._waiting[where] += [_New(subject, one, at) for one in happened]

    async def write(self) -> None:
        """Number what was added, and store it; whoever else does so for these apps waits."""
        waiting = sorted(
            ((w, new) for w, new in self._waiting.items() if new), key=lambda one: one[0]
        )
        self._waiting.clear()
        if not waiting:
            return
        for where, new in waiting:
            last = await self._reserve(where, len(new))
            first = last - len(new) + 1
            self._session.add_all(_row(where, n, one) for n, one in enumerate(new, start=first))
        await self._session.flush()

    async def newest(self) -> int:
        """The number of the newest one; 0 when there is none."""
        return await self._session.scalar(select(func.max(AnnouncementRow.id))) or 0

    async def after(
        self, number: int, *, limit: int = 100, where: AppEnv | None = None
    ) -> list[Announcement]:
        """Those above *number*, oldest first; of *where*, or of all apps."""
        query = select(AnnouncementRow).where(col(AnnouncementRow.id) > number)
        if where is not None:
            query = query.where(*_of(where))
        rows = await self._session.scalars(query.order_by(col(AnnouncementRow.id)).limit(limit))
        return [announcement(row) for row in rows]

    async def about(self, where: AppEnv, subject: str) -> list[Announcement]:
        """Those of *where* about *subject* that are kept, in their order."""
        rows = await self._session.scalars(
            select(AnnouncementRow)
            .where(*_of(where), col(AnnouncementRow.subject) == subject)
            .order_by(col(AnnouncementRow.sequence))
        )
        return [announcement(row) for row in rows]

    async def heads(self) -> dict[AppEnv, int]:
        """How far each app@env has come."""
        rows = await self._session.scalars(select(StreamRow))
        return {AppEnv(row.app, row.env): row.sequence for row in rows}

    async def _reserve(self, where: AppEnv, count: int) -> int:
        """The last of the next *count* numbers of *where*, which nobody else gets."""
        row = {"app": where.app, "env": where.env, "sequence": count}
        adding = insert(self._session, StreamRow).values(row)
        adding = adding.on_conflict_do_update(
            index_elements=["app", "env"],
            set_={"sequence": col(StreamRow.sequence) + count},
        )
        reserved = await self._session.execute(adding.returning(col(StreamRow.sequence)))
        last: int = reserved.scalar_one()
        return last


def announcement(row: AnnouncementRow) -> Announcement:
    """The record of *row*."""
    assert row.id is not None  # noqa: S101  # it was flushed
    return Announcement(
        number=row.id,
        where=AppEnv(row.app, row.env),
        sequence=row.sequence,
        id=row.event_id,
        kind=row.kind,
        subject=row.subject,
        data=row.data,
        at=row.at,
    )


def _row(where: AppEnv, sequence: int, new: _New) -> AnnouncementRow:
    kind, data = new.happened
    return AnnouncementRow(
        app=where.app,
        env=where.env,
        sequence=sequence,
        event_id=str(uuid4()),
        kind=kind,
        subject=new.subject,
        data=data,
        at=new.at,
    )


def _of(where: AppEnv) -> tuple[ColumnElement[bool], ...]:
    return (
        col(AnnouncementRow.app) == where.app,
        col(AnnouncementRow.env) == where.env,
    )
