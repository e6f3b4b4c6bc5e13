"""Ticks of scheduled jobs: each is run by one process, whoever inserts its row first."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.clock import DatabaseClock
from store.records import Slot
from store.tables import SlotRow
from store.upsert import insert, skip_locked

KEPT = timedelta(days=1)
_AT_ONCE = 100


class Slots:
    """Claimed by primary key; one whose owner died is claimed again after its lease."""

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now

    async def claim(
        self, job: str, *, period: timedelta, owner: str, lease: timedelta
    ) -> Slot | None:
        """Claim the current tick of *job* (floor of database time / period), or None.

        Ticks of more than a day ago are cleared away, so *period* is a day at most.
        """
        if period > KEPT:
            raise ValueError(f"a tick is forgotten after {KEPT}, but {job} comes every {period}")
        now = await self._now()
        slot = int(now.timestamp() // period.total_seconds())
        row = {"job": job, "slot": slot, "owner": owner, "lease_until": now + lease}
        statement = insert(self._session, SlotRow).values(row | {"finished_at": None})
        claimed = await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["job", "slot"],
                set_={"owner": owner, "lease_until": now + lease},
                where=col(SlotRow.finished_at).is_(None) & (col(SlotRow.lease_until) < now),
            ).returning(col(SlotRow.slot))
        )
        if claimed.first() is None:
            return None
        await self._forget(now - KEPT)
        return Slot(job, slot, owner)

    async def finish(self, slot: Slot) -> None:
        """Mark the tick done; nothing happens when somebody else has taken it over."""
        same = (
            col(SlotRow.job) == slot.job,
            col(SlotRow.slot) == slot.slot,
            col(SlotRow.owner) == slot.owner,
        )
        await self._session.execute(
            update(SlotRow).where(*same).values(finished_at=await self._now())
        )

    async def _forget(self, before: datetime) -> None:
        """Clear away what was over by *before*, a few at a time; whoever else does so goes on."""
        name = tuple_(col(SlotRow.job), col(SlotRow.slot))
        old = (
            select(col(SlotRow.job), col(SlotRow.slot))
            .where(col(SlotRow.lease_until) < before)
            .limit(_AT_ONCE)
        )
        await self._session.execute(
            delete(SlotRow)
            .where(name.in_(skip_locked(self._session, old)))
            .execution_options(synchronize_session=False)
        )
