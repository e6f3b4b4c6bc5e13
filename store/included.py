"""Apps that are watched without a table of their own, and the name that each has for ever."""

from __future__ import annotations

from collections.abc import Iterable

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

    async def save(self, apps: Iterable[IncludedApp], *, entries: Iterable[AuditDraft]) -> None:
        """Store *apps* as they are now, with the audit *entries* that say what changed.

        Raises:
            Stale: The name belongs to another app of a target: somebody else gave it away.
        """
        now = await self._now()
        for app in apps:
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
            await self._session.execute(
                insert(self._session, IncludedRow)
                .values(row)
                .on_conflict_do_update(
                    index_elements=["target", "external_id", "env"],
                    set_={"name": app.name, "gone_at": gone_at},
                )
            )
        await self._audit.append_many(list(entries))


def _app(row: IncludedRow) -> IncludedApp:
    return IncludedApp(
        where=AppEnv(row.app, row.env),
        target=row.target,
        external_id=row.external_id,
        name=row.name,
        gone=row.gone_at is not None,
    )
