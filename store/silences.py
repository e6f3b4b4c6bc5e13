"""Where alerts are silenced, and until when: the newest event of each app@env says it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AppEnv, AuditDraft, Json, Silenced
from store.sayings import Sayings
from store.tables import EventRow

_BEGUN, _ENDED = "begun", "ended"
_ALL = "silence/"


class Silences:
    """Kept as the events of an aggregate that has no other row."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._said = Sayings(session, now, audit)

    async def of(self, where: AppEnv) -> Silenced | None:
        """The silence of *where* that is not over by database time; None for none."""
        newest = await self._said.newest(_aggregate(where))
        found = _silenced(newest) if newest is not None else None
        return found if found is not None and found.until > await self._now() else None

    async def lately(self, apps: Collection[AppEnv], within: timedelta) -> list[Silenced]:
        """The newest silence of each of *apps*; none that ended longer than *within* ago."""
        named = [_aggregate(where) for where in apps]
        ours = (col(EventRow.aggregate).in_(named), col(EventRow.aggregate_id) == 0)
        newest = (
            select(col(EventRow.aggregate), func.max(col(EventRow.sequence)).label("sequence"))
            .where(*ours)
            .group_by(col(EventRow.aggregate))
            .subquery()
        )
        here = (col(EventRow.aggregate) == newest.c.aggregate) & (
            col(EventRow.sequence) == newest.c.sequence
        )
        rows = await self._session.scalars(select(EventRow).join(newest, here).where(*ours))
        oldest = await self._now() - within
        return [one for one in map(_silenced, rows) if one.until > oldest]

    async def begin(
        self,
        where: AppEnv,
        until: datetime,
        *,
        alerts: Sequence[str],
        slack_id: str = "",
        rollback_id: int = 0,
        entry: AuditDraft,
    ) -> Silenced:
        """Silence until *until*, in place of any silence before, with *entry*. Raises `Stale`."""
        silenced = Silenced(
            where, 0, until, await self._now(), tuple(alerts), slack_id, rollback_id
        )
        number = await self._said.add(_aggregate(where), _BEGUN, _said(silenced), entry)
        return replace(silenced, number=number)

    async def end(self, where: AppEnv, *, entry: AuditDraft) -> None:
        """End the silence of *where*, with *entry*. Raises `Stale`."""
        newest = await self._said.newest(_aggregate(where))
        if newest is None:
            return
        ended = replace(_silenced(newest), until=await self._now())
        await self._said.add(_aggregate(where), _ENDED, _said(ended), entry)


def _said(silenced: Silenced) -> dict[str, Json]:
    return {
        "until": silenced.until.isoformat(),
        "since": silenced.since.isoformat(),
        "alerts": list(silenced.alerts),
        "slack_id": silenced.slack_id,
        "rollback_id": silenced.rollback_id,
    }


def _silenced(row: EventRow) -> Silenced:
    said = row.data
    return Silenced(
        where=AppEnv.parse(row.aggregate.removeprefix(_ALL)),
        number=row.sequence,
        until=datetime.fromisoformat(said["until"]),
        since=datetime.fromisoformat(said["since"]),
        alerts=tuple(said["alerts"]),
        slack_id=said["slack_id"],
        rollback_id=said["rollback_id"],
    )


def _aggregate(where: AppEnv) -> str:
    return f"{_ALL}{where}"
