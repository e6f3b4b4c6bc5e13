"""What has been done and told long ago is cleared away; published versions and the audit chain
never are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped
from sqlmodel import SQLModel, col

from store.clock import DatabaseClock
from store.records import DRAFT_SEEN, Keeping, VersionKind
from store.tables import (
    AnnouncementRow,
    ArrivalRow,
    CursorRow,
    DeliveryRow,
    FiringRow,
    InboxRow,
    OutboxRow,
    SinkRow,
    VersionRow,
)
from store.upsert import skip_locked

_Id = Mapped[int | None]
_Rows = tuple[type[SQLModel], _Id, ColumnElement[bool]]  # table, its id, what goes


class Retention:
    """Clears away rows by age, a few at a time.

    The newest row of each table stays whatever its age: the ids of those after it go on from
    there, and what names a row by its id never means another one. `arrival` gives none twice.
    """

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now

    async def over(self, keeping: Keeping) -> Mapping[str, int]:
        """How many rows of each kind are older than *keeping* lets them be."""
        found = {}
        for kind, (table, _, old) in self._old(keeping, await self._now()).items():
            query = select(func.count()).select_from(table).where(old)
            found[kind] = await self._session.scalar(query) or 0
        return found

    async def clear(self, keeping: Keeping, *, at_most: int) -> Mapping[str, int]:
        """Remove at most *at_most* such rows of each kind, oldest first; return how many went.

        Rows that another transaction holds are left to the next time.
        """
        gone = {}
        for kind, (table, row_id, old) in self._old(keeping, await self._now()).items():
            some = select(row_id).where(old)
            oldest = skip_locked(self._session, some.order_by(row_id).limit(at_most))
            removed = await self._session.execute(
                delete(table)
                .where(row_id.in_(oldest))
                .returning(row_id)
                .execution_options(synchronize_session=False)
            )
            gone[kind] = len(removed.all())
        return gone

    def _old(self, keeping: Keeping, now: datetime) -> Mapping[str, _Rows]:
        alerts = now - keeping.alerts
        alone = col(FiringRow.case_id).is_(None)  # those of a case are its evidence
        seen = (col(VersionRow.kind) == VersionKind.DRAFT) & (
            col(VersionRow.external_id) == DRAFT_SEEN  # what a rollback kept stays
        )
        aside = (col(ArrivalRow.set_aside) != "") & (col(ArrivalRow.received_at) < alerts)
        drafts = seen & (col(VersionRow.recorded_at) < now - keeping.drafts)
        kinds: dict[str, _Rows] = {
            "drafts": (VersionRow, col(VersionRow.id), drafts),
            "inbox": (InboxRow, col(InboxRow.id), col(InboxRow.done_at) < now - keeping.inbox),
            "outbox": (OutboxRow, col(OutboxRow.id), col(OutboxRow.done_at) < now - keeping.outbox),
            "webhooks": (DeliveryRow, col(DeliveryRow.id), col(DeliveryRow.last_seen) < alerts),
            "webhooks_set_aside": (ArrivalRow, col(ArrivalRow.id), aside),
            "alerts": (FiringRow, col(FiringRow.id), alone & (col(FiringRow.last_seen) < alerts)),
            "events": (AnnouncementRow, col(AnnouncementRow.id), _told(now - keeping.events)),
        }
        return {
            kind: (table, row_id, old if table is ArrivalRow else old & _not_newest(row_id))
            for kind, (table, row_id, old) in kinds.items()
        }


def _told(before: datetime) -> ColumnElement[bool]:
    """True for events from *before* that no sink waits for, of those named since then."""
    of_sink = and_(
        col(CursorRow.sink) == col(SinkRow.name),
        col(CursorRow.app) == col(AnnouncementRow.app),
        col(CursorRow.env) == col(AnnouncementRow.env),
    )
    waits = (
        select(col(SinkRow.name))
        .select_from(SinkRow)
        .outerjoin(CursorRow, of_sink)
        .where(
            col(SinkRow.seen_at) > before,
            func.coalesce(col(CursorRow.sequence), 0) < col(AnnouncementRow.sequence),
        )
        .correlate(AnnouncementRow)
        .exists()
    )
    return (col(AnnouncementRow.at) < before) & ~waits


def _not_newest(row_id: _Id) -> ColumnElement[bool]:
    return row_id < select(func.max(row_id)).scalar_subquery()
