"""The scheduled jobs as all processes know them: the newest run, who paused them, who asks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AuditDraft, JobState
from store.tables import JobRow
from store.upsert import insert, skip_locked

_NEW = {"failure": "", "paused_by": "", "asked_by": "", "owner": ""}


class Schedule:
    """One row a job; it comes into being with the first thing that is known of the job."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def all(self) -> dict[str, JobState]:
        """Every job that ever ran, was paused or asked for, by its name."""
        rows = await self._session.scalars(select(JobRow).order_by(col(JobRow.name)))
        return {row.name: _state(row) for row in rows}

    async def paused(self, job: str) -> bool:
        """Whether somebody paused it."""
        query = select(col(JobRow.paused_at)).where(col(JobRow.name) == job)
        return await self._session.scalar(query) is not None

    async def began(self, job: str) -> None:
        """A run begins, whoever runs it."""
        await self._set(job, started_at=await self._now(), finished_at=None, failure="")

    async def ended(self, job: str, *, failure: str = "") -> None:
        """The run has ended; *failure* names the kind of error, "" when it ended well."""
        await self._set(job, finished_at=await self._now(), failure=failure)

    async def pause(self, job: str, *, by: str, entry: AuditDraft) -> bool:
        """Let no tick run it, with *entry*; False when it is paused already."""
        free = col(JobRow.paused_at).is_(None)
        return await self._decide(job, free, entry, paused_by=by, paused_at=await self._now())

    async def resume(self, job: str, *, entry: AuditDraft) -> bool:
        """Let its ticks run it again, with *entry*; False when it is not paused."""
        held = col(JobRow.paused_at).is_not(None)
        return await self._decide(job, held, entry, paused_by="", paused_at=None)

    async def ask(self, job: str, *, by: str, entry: AuditDraft) -> bool:
        """Ask for one run now, with *entry*; False when one is asked for already."""
        free = col(JobRow.asked_at).is_(None)
        return await self._decide(job, free, entry, asked_by=by, asked_at=await self._now())

    async def take(self, owner: str, *, lease: timedelta) -> JobState | None:
        """The job that was asked for first and that nobody runs yet."""
        now = await self._now()
        nobodys = or_(col(JobRow.lease_until).is_(None), col(JobRow.lease_until) < now)
        first = (
            select(JobRow)
            .where(col(JobRow.asked_at).is_not(None), nobodys)
            .order_by(col(JobRow.asked_at), col(JobRow.name))
            .limit(1)
        )
        row = (await self._session.scalars(skip_locked(self._session, first))).first()
        if row is None:
            return None
        row.owner, row.lease_until = owner, now + lease
        await self._session.flush()
        return _state(row)

    async def done(self, job: str, *, asked_at: datetime | None) -> None:
        """What was asked for at *asked_at* was run, whoever else runs it now too.

        A run that outlasts its lease is taken over, and would else be asked for for ever.
        """
        mine = (col(JobRow.name) == job, col(JobRow.asked_at) == asked_at)
        free = {"asked_by": "", "asked_at": None, "owner": "", "lease_until": None}
        await self._session.execute(update(JobRow).where(*mine).values(**free))

    async def _set(self, job: str, **values: Any) -> None:
        await self._session.execute(
            insert(self._session, JobRow)
            .values({**_NEW, "name": job, **values})
            .on_conflict_do_update(index_elements=["name"], set_=values)
        )

    async def _decide(self, job: str, holds: Any, entry: AuditDraft, **values: Any) -> bool:
        """Change the row of *job* if it *holds*, and record it; False when it does not."""
        await self._session.execute(
            insert(self._session, JobRow)
            .values({**_NEW, "name": job})
            .on_conflict_do_nothing(index_elements=["name"])
        )
        changed = await self._session.execute(
            update(JobRow)
            .where(col(JobRow.name) == job, holds)
            .values(**values)
            .returning(col(JobRow.name))
        )
        if changed.first() is None:
            return False
        await self._audit.append(entry)
        return True


def _state(row: JobRow) -> JobState:
    return JobState(
        name=row.name,
        started_at=row.started_at,
        finished_at=row.finished_at,
        failure=row.failure,
        paused_by=row.paused_by,
        paused_at=row.paused_at,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
    )
