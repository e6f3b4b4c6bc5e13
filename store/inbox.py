"""What came from Slack: committed before it is acknowledged, judged by a worker, once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from functools import cache

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store import queue
from store.clock import DatabaseClock
from store.records import InboxItem, InboxKind, NewInboxItem
from store.tables import InboxRow
from store.upsert import insert, skip_locked


class Inbox:
    """The unique digest of the signed bytes makes a replay a row that is there already."""

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now

    async def put(self, item: NewInboxItem) -> bool:
        """Store *item*; False when the same bytes came before (nothing is stored twice)."""
        now = await self._now()
        row = {
            "digest": item.digest,
            "kind": item.kind,
            "action": item.action,
            "slack_id": item.slack_id,
            "team_id": item.team_id,
            "payload": dict(item.payload),
            "received_at": now,
            "not_before": now,
            "attempts": 0,
            "owner": "",
            "outcome": "",
            "last_error": "",
        }
        stored = await self._session.execute(
            insert(self._session, InboxRow)
            .values(row)
            .on_conflict_do_nothing(index_elements=["digest"])
            .returning(col(InboxRow.id))
        )
        return stored.first() is not None

    async def claim(
        self, owner: str, *, lease: timedelta, kinds: Collection[InboxKind] = tuple(InboxKind)
    ) -> InboxItem | None:
        """The oldest item of these *kinds* that is not done and that nobody holds."""
        now = await self._now()
        oldest = skip_locked(self._session, _oldest(frozenset(kinds)))
        row = (await self._session.scalars(oldest, {queue.NOW.key: now})).first()
        if row is None or row.id is None:
            return None
        queue.hold(row, owner, now + lease)
        await self._session.flush()
        return InboxItem(
            id=row.id,
            kind=InboxKind(row.kind),
            action=row.action,
            slack_id=row.slack_id,
            team_id=row.team_id,
            payload=row.payload,
            received_at=row.received_at,
            attempts=row.attempts,
            digest=row.digest,
        )

    async def finish(self, item_id: int, *, owner: str, outcome: str) -> None:
        """Mark it done in the transaction of its effect. Raises `Stale` when taken over."""
        done = {"done_at": await self._now(), "outcome": outcome}
        await queue.settle(self._session, InboxRow, item_id, owner=owner, **done)

    async def defer(self, item_id: int, *, owner: str, delay: timedelta, error: str) -> None:
        """Give it back to be tried again after *delay*. Raises `Stale` when taken over."""
        again = queue.later(await self._now(), delay, error)
        await queue.settle(self._session, InboxRow, item_id, owner=owner, **again)


@cache
def _oldest(kinds: frozenset[InboxKind]) -> Select[InboxRow]:
    """The item that is judged next, one of *kinds*."""
    return (
        select(InboxRow)
        .where(queue.free(InboxRow), col(InboxRow.kind).in_([kind.value for kind in kinds]))
        .order_by(col(InboxRow.id))
        .limit(1)
    )
