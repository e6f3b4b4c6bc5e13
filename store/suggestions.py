"""Where suggestions are paused, and until when: the newest event of each app@env says it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AppEnv, AuditDraft, Json, Stale, SuggestionsPaused
from store.tables import EventRow
from store.upsert import insert

_PAUSED, _RESUMED = "paused", "resumed"


class Suggestions:
    """Kept as the events of an aggregate that has no other row."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def paused(self, where: AppEnv) -> SuggestionsPaused | None:
        """The pause of *where* that is not over by database time; None for none."""
        newest = await self._newest(where)
        if newest is None or newest.kind != _PAUSED:
            return None
        said = newest.data
        until = datetime.fromisoformat(said["until"])
        if until <= await self._now():
            return None
        return SuggestionsPaused(where, until, said["slack_id"], said["reason"], newest.at)

    async def pause(
        self, where: AppEnv, until: datetime, *, slack_id: str, reason: str, entry: AuditDraft
    ) -> None:
        """Pause until *until*, in place of any pause before, with *entry*. Raises `Stale`."""
        said: dict[str, Json] = {"until": until.isoformat(), "slack_id": slack_id, "reason": reason}
        await self._add(where, _PAUSED, said, entry)

    async def resume(self, where: AppEnv, *, entry: AuditDraft) -> None:
        """End the pause of *where*, with *entry*. Raises `Stale`."""
        await self._add(where, _RESUMED, {}, entry)

    async def _add(
        self, where: AppEnv, kind: str, said: dict[str, Json], entry: AuditDraft
    ) -> None:
        """Add the next event.

        Raises:
            Stale: Somebody else added it in this very moment.
        """
        newest = await self._newest(where)
        row = {
            "aggregate": _aggregate(where),
            "aggregate_id": 0,
            "sequence": (newest.sequence if newest else 0) + 1,
            "kind": kind,
            "data": said,
            "at": await self._now(),
        }
        adding = insert(self._session, EventRow).values(row).on_conflict_do_nothing()
        stored = await self._session.execute(adding.returning(col(EventRow.sequence)))
        if stored.first() is None:
            raise Stale(f"suggestions of {where} were paused or resumed by somebody else")
        await self._audit.append(entry)

    async def _newest(self, where: AppEnv) -> EventRow | None:
        query = (
            select(EventRow)
            .where(col(EventRow.aggregate) == _aggregate(where), col(EventRow.aggregate_id) == 0)
            .order_by(col(EventRow.sequence).desc())
            .limit(1)
        )
        return (await self._session.scalars(query)).first()


def _aggregate(where: AppEnv) -> str:
    return f"suggestions/{where}"
