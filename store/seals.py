"""Seals: what only a key that is not in the database opens, until the rollback has ended."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.clock import DatabaseClock
from store.tables import SealRow
from store.upsert import insert


class Seals:
    """One seal a rollback; `Rollbacks.save` erases it with the rollback's end, whichever it is."""

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now

    async def put(self, rollback_id: int, sealed: bytes) -> None:
        """Keep *sealed* for this rollback, in place of what was kept for it before."""
        kept = {"sealed": sealed, "made_at": await self._now()}
        adding = insert(self._session, SealRow).values(rollback_id=rollback_id, **kept)
        await self._session.execute(
            adding.on_conflict_do_update(index_elements=["rollback_id"], set_=kept)
        )

    async def get(self, rollback_id: int) -> bytes | None:
        """What is kept for this rollback; None when nothing is."""
        found: bytes | None = await self._session.scalar(
            select(col(SealRow.sealed)).where(col(SealRow.rollback_id) == rollback_id)
        )
        return found

    async def erase(self, rollback_id: int) -> bool:
        """Forget what is kept for this rollback; True if there was anything."""
        gone = await self._session.execute(
            delete(SealRow)
            .where(col(SealRow.rollback_id) == rollback_id)
            .returning(col(SealRow.rollback_id))
        )
        return gone.first() is not None
