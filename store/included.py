"""Apps that are watched without a table of their own, and the name that each has for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AppEnv, AuditDraft, IncludedApp
from store.tables import IncludedRow
from store.upsert import insert


class Included:
    """One row an app of a target and environment; none is ever removed, nor its name given on."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def all(self) -> list[IncludedApp]:
        """Every app that was ever taken over, by its name; also those that are gone."""
        rows = await self._session.scalars(
            select(IncludedRow).order_by(col(IncludedRow.app), col(IncludedRow.env))
        )
        return [_app(row) for row in rows]

    async def save(
        self, apps: Iterable[IncludedApp], *, entry: Callable[[IncludedApp], AuditDraft | None]
    ) -> list[IncludedApp]:
        """Store *apps* as they are now; return those that were otherwise, each with its *entry*.

        What another process has stored meanwhile is neither changed nor recorded twice.

        Raises:
            Stale: The name belongs to another app of a target: somebody else gave it away.
        """
        now = await self._now()
        changed = [app for app in apps if await self._differs(app, now)]
        entries = [drafted for app in changed if (drafted := entry(app)) is not None]
        await self._audit.append_many(entries)
        return changed

    async def _differs(self, app: IncludedApp, now: datetime) -> bool:
        gone_at = now if app.gone else None
        row = {
            "target": app.target,
            "external_id": app.external_id,
            "env": app.where.env,
            "app": app.where.app,
            "name": app.name,
            "since": now,
            "gone_at": gone_at,
        }
        there = col(IncludedRow.gone_at).is_(None)
        stored = await self._session.execute(
            insert(self._session, IncludedRow)
            .values(row)
            .on_conflict_do_update(
                index_elements=["target", "external_id", "env"],
                set_={"name": app.name, "gone_at": gone_at},
                where=(col(IncludedRow.name) != app.name) | (there if app.gone else ~there),
            )
            .returning(col(IncludedRow.app))
        )
        return stored.first() is not None


def _app(row: IncludedRow) -> IncludedApp:
    return IncludedApp(
        where=AppEnv(row.app, row.env),
        target=row.target,
        external_id=row.external_id,
        name=row.name,
        gone=row.gone_at is not None,
    )
