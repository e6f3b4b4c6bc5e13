"""Lifecycle events: one row a step of an aggregate, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.records import Event, Json
from store.tables import EventRow


class Events:
    """Written by the repositories themselves; read to replay what happened."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self, aggregate: str, aggregate_id: int, kind: str, data: Mapping[str, Json], at: datetime
    ) -> None:
        """Add the next event of an aggregate whose row is locked by this transaction."""
        newest = await self._session.scalar(
            select(func.max(EventRow.sequence)).where(
                col(EventRow.aggregate) == aggregate, col(EventRow.aggregate_id) == aggregate_id
            )
        )
        row = EventRow(
            aggregate=aggregate,
            aggregate_id=aggregate_id,
            sequence=(newest or 0) + 1,
            kind=kind,
            data=dict(data),
            at=at,
        )
        self._session.add(row)
        await self._session.flush()

    async def of(self, aggregate: str, aggregate_id: int) -> list[Event]:
        """The aggregate's events, oldest first."""
        rows = await self._session.scalars(
            select(EventRow)
            .where(col(EventRow.aggregate) == aggregate, col(EventRow.aggregate_id) == aggregate_id)
            .order_by(col(EventRow.sequence))
        )
        return [
            Event(row.aggregate, row.aggregate_id, row.sequence, row.kind, row.data, row.at)
            for row in rows
        ]
