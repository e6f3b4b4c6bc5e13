"""What is to be told: committed with the fact, sent in order, coalesced per card."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from store import queue
from store.clock import DatabaseClock
from store.records import NewOutgoing, OutboxKind, Outgoing
from store.tables import OutboxRow
from store.upsert import insert, skip_locked


class Outbox:
    """Rows of one order key leave one after the other; different keys do not wait."""

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now

    async def put(self, row: NewOutgoing) -> bool:
        """Queue *row*; a second one with the same dedupe id is not stored, and False comes back.

        Unsent rows with the same coalesce key that nobody is sending are superseded by it.
        """
        now = await self._now()
        values = {
            "dedupe_id": row.dedupe_id,
            "kind": row.kind,
            "destination": row.destination,
            "order_key": row.order_key,
            "coalesce_key": row.coalesce_key,
            "body": dict(row.body),
            "created_at": now,
            "not_before": row.not_before or now,
            "attempts": 0,
            "owner": "",
            "outcome": "",
            "reference": "",
            "last_error": "",
        }
        stored = await self._session.execute(
            insert(self._session, OutboxRow)
            .values(values)
            .on_conflict_do_nothing(index_elements=["dedupe_id"])
            .returning(col(OutboxRow.id))
        )
        found = stored.first()
        if found is not None and row.coalesce_key is not None:
            await self._supersede(row.coalesce_key, before=found[0], now=now)
        return found is not None

    async def _supersede(self, coalesce_key: str, *, before: int, now: datetime) -> None:
        """A row whose destination asked to wait hands its waiting on to the newest one."""
        older = (
            (col(OutboxRow.coalesce_key) == coalesce_key)
            & (col(OutboxRow.id) < before)
            & col(OutboxRow.done_at).is_(None)
            & (col(OutboxRow.lease_until).is_(None) | (col(OutboxRow.lease_until) < now))
        )
        waits = await self._session.scalar(select(func.max(OutboxRow.not_before)).where(older))
        await self._session.execute(
            update(OutboxRow).where(older).values(done_at=now, outcome="superseded")
        )
        if waits is not None:
            newest = col(OutboxRow.id) == before
            held_back = newest & (col(OutboxRow.not_before) < waits)
            await self._session.execute(update(OutboxRow).where(held_back).values(not_before=waits))

    async def claim(self, owner: str, *, lease: timedelta) -> Outgoing | None:
        """The oldest sendable row: head of its order key, due, held by nobody."""
        now = await self._now()
        ahead = aliased(OutboxRow)
        blocked = (
            select(col(ahead.id))
            .where(
                col(ahead.order_key) == col(OutboxRow.order_key),
                col(ahead.id) < col(OutboxRow.id),
                col(ahead.done_at).is_(None),
                queue.after_copy(OutboxRow, col(ahead.id)),
            )
            .exists()
        )
        oldest = (
            select(OutboxRow)
            .where(queue.free(OutboxRow, now), ~blocked)
            .order_by(col(OutboxRow.id))
            .limit(1)
        )
        row = (await self._session.scalars(skip_locked(self._session, oldest))).first()
        if row is None or row.id is None:
            return None
        queue.hold(row, owner, now + lease)
        await self._session.flush()
        return _outgoing(row, row.id)

    async def sent(self, row_id: int, *, owner: str, reference: str = "") -> None:
        """Mark it sent. Raises `Stale` when taken over."""
        done = {"done_at": await self._now(), "outcome": "sent", "reference": reference}
        await queue.settle(self._session, OutboxRow, row_id, owner=owner, **done)

    async def defer(self, row_id: int, *, owner: str, delay: timedelta, error: str) -> None:
        """Give it back to be tried again after *delay*. Raises `Stale` when taken over."""
        again = queue.later(await self._now(), delay, error)
        await queue.settle(self._session, OutboxRow, row_id, owner=owner, **again)

    async def drop(self, row_id: int, *, owner: str, error: str) -> None:
        """Give up on a row that will never be taken; its order goes on without it."""
        done = {"done_at": await self._now(), "outcome": "dropped", "last_error": error[:500]}
        await queue.settle(self._session, OutboxRow, row_id, owner=owner, **done)

    async def waiting(self) -> int:
        """How many rows are not sent yet."""
        query = select(func.count()).select_from(OutboxRow).where(col(OutboxRow.done_at).is_(None))
        return await self._session.scalar(query) or 0

    async def queued(self, order_key: str, kinds: Collection[OutboxKind]) -> list[Outgoing]:
        """Every row of *order_key* and of these *kinds* that is kept, sent or not, oldest first."""
        rows = await self._session.scalars(
            select(OutboxRow)
            .where(col(OutboxRow.order_key) == order_key, col(OutboxRow.kind).in_(list(kinds)))
            .order_by(col(OutboxRow.id))
        )
        return [_outgoing(row, row.id) for row in rows if row.id is not None]


def _outgoing(row: OutboxRow, row_id: int) -> Outgoing:
    return Outgoing(
        id=row_id,
        kind=OutboxKind(row.kind),
        destination=row.destination,
        order_key=row.order_key,
        dedupe_id=row.dedupe_id,
        body=row.body,
        coalesce_key=row.coalesce_key,
        attempts=row.attempts,
        created_at=row.created_at,
    )
