"""What inbox and outbox share: rows that one worker at a time holds, for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped
from sqlmodel import col

from store.records import Stale
from store.tables import InboxRow, OutboxRow, PauseRow
from store.types import UtcDateTime

Queue = type[InboxRow] | type[OutboxRow]


# What is asked every second is put together once: that takes longer than asking it.
NOW = bindparam("now", type_=UtcDateTime())


def free(table: Queue) -> ColumnElement[bool]:
    """True for rows that are not done, due at `NOW`, and held by nobody whose lease still runs.

    What was waiting in a copy is not free: the original may have done it since.
    """
    return (
        after_copy(table, col(table.id))
        & col(table.done_at).is_(None)
        & (col(table.not_before) <= NOW)
        & or_(col(table.lease_until).is_(None), col(table.lease_until) < NOW)
    )


def after_copy(table: Queue, ids: Mapped[int | None]) -> ColumnElement[bool]:
    """True for *ids* of *table* that came after the database was copied, if it is a copy."""
    until = PauseRow.inbox_until if table is InboxRow else PauseRow.outbox_until
    copied = select(col(until)).scalar_subquery()
    return ids > func.coalesce(copied, 0)


def hold(row: InboxRow | OutboxRow, owner: str, until: datetime) -> None:
    """Let *owner* hold *row*, one attempt more."""
    row.owner, row.lease_until, row.attempts = owner, until, row.attempts + 1


async def settle(
    session: AsyncSession, table: Queue, row_id: int, *, owner: str, **values: Any
) -> None:
    """Change a row that *owner* holds and that is not done.

    Raises:
        Stale: Somebody else holds it by now, or it is done.
    """
    held = (
        col(table.id) == row_id,
        col(table.owner) == owner,
        col(table.done_at).is_(None),
    )
    changed = await session.execute(
        update(table).where(*held).values(**values, lease_until=None).returning(col(table.id))
    )
    if changed.first() is None:
        raise Stale(f"{table.__tablename__} {row_id} is not held by {owner}")


def later(now: datetime, delay: timedelta, error: str) -> dict[str, Any]:
    """The values that give a row back to be tried again after *delay*."""
    return {"not_before": now + delay, "last_error": error[:500]}
