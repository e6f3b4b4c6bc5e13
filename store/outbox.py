"""What is to be told: committed with the fact, sent in order, coalesced per card."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import ColumnElement, Select, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from store import queue
from store.clock import DatabaseClock
from store.records import AuditAnchor, NewOutgoing, OutboxKind, Outgoing
from store.tables import OutboxRow
from store.upsert import insert, skip_locked

ANCHORS = "anchors"  # the order that anchors leave in
_THROTTLED = "throttled"  # why a row waits whose destination takes nothing for a while


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
        """A row that waits hands its waiting, and why, on to the newest one."""
        older = (
            (col(OutboxRow.coalesce_key) == coalesce_key)
            & (col(OutboxRow.id) < before)
            & col(OutboxRow.done_at).is_(None)
            & (col(OutboxRow.lease_until).is_(None) | (col(OutboxRow.lease_until) < now))
        )
        why = select(col(OutboxRow.not_before), col(OutboxRow.last_error)).where(older)
        longest = why.order_by(col(OutboxRow.not_before).desc()).limit(1)
        waits = (await self._session.execute(longest)).first()
        await self._session.execute(
            update(OutboxRow).where(older).values(done_at=now, outcome="superseded")
        )
        if waits is not None:
            newest = col(OutboxRow.id) == before
            until, error = waits
            held_back = newest & (col(OutboxRow.not_before) < until)
            await self._session.execute(
                update(OutboxRow).where(held_back).values(not_before=until, last_error=error)
            )

    async def claim(
        self, owner: str, *, lease: timedelta, kinds: Collection[OutboxKind] = tuple(OutboxKind)
    ) -> Outgoing | None:
        """The oldest sendable row of *kinds*: head of its order key, due, held by nobody.

        While a destination has asked to wait, nothing that goes the same way is given out, to no
        process: an answer to one person goes another way there than what all read.
        """
        now = await self._now()
        oldest = skip_locked(self._session, _oldest(frozenset(kinds)))
        row = (await self._session.scalars(oldest, {queue.NOW.key: now})).first()
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

    async def throttled(self, row_id: int, *, owner: str, delay: timedelta) -> None:
        """Give it back, and everything that goes the same way with it, for *delay*.

        Raises `Stale` when taken over.
        """
        await self.defer(row_id, owner=owner, delay=delay, error=_THROTTLED)

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

    async def published(self) -> list[AuditAnchor]:
        """The anchors that were published and are kept, oldest first."""
        rows = await self._session.scalars(
            select(OutboxRow)
            .where(col(OutboxRow.order_key) == ANCHORS, col(OutboxRow.outcome) == "sent")
            .order_by(col(OutboxRow.id))
        )
        return [AuditAnchor(**row.body) for row in rows]


def anchor_row(anchor: AuditAnchor) -> NewOutgoing:
    """What publishes *anchor* outside of the database, in the order of the chain."""
    return NewOutgoing(
        kind=OutboxKind.ANCHOR,
        destination=ANCHORS,
        order_key=ANCHORS,
        dedupe_id=f"anchor/{anchor.sequence}",
        body=asdict(anchor),
    )


@cache
def _oldest(kinds: frozenset[OutboxKind]) -> Select[OutboxRow]:
    """The row that is sent next, one of *kinds*: not those that a later release has."""
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
    known = col(OutboxRow.kind).in_([kind.value for kind in kinds])
    return (
        select(OutboxRow)
        .where(queue.free(OutboxRow), ~blocked, known, ~_way(OutboxRow).in_(_quiet()))
        .order_by(col(OutboxRow.id))
        .limit(1)
    )


def _way(row: type[OutboxRow]) -> ColumnElement[str]:
    """Which limit a row counts for: its destination's, or there that of answers to one person."""
    alone = case((col(row.kind) == OutboxKind.ANSWER, "/one"), else_="")
    return col(row.destination) + alone


def _quiet() -> Select[str]:
    """The ways on which nothing may go before the row that was turned away there is due again."""
    waits = aliased(OutboxRow)
    return select(_way(waits)).where(
        col(waits.done_at).is_(None),
        col(waits.not_before) > queue.NOW,
        col(waits.last_error) == _THROTTLED,
    )


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
