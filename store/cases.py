"""Cases: one open one per app@env, whatever arrives."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AppEnv, AuditDraft, Case, CaseState, Finding, Json, Missing, Stale
from store.tables import CaseRow
from store.upsert import insert


class Cases:
    """Saved by comparing the revision that the writer has seen."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def open_for(self, where: AppEnv, *, channel: str, entry: AuditDraft) -> Case:
        """The open case of *where*, locked; opened (with *entry*) when there is none."""
        found = await self._open(where)
        if found is not None:
            return found
        row = {
            "app": where.app,
            "env": where.env,
            "state": CaseState.OPEN,
            "revision": 1,
            "opened_at": await self._now(),
            "channel": channel,
            "card_ts": "",
        }
        opened = await self._session.execute(
            insert(self._session, CaseRow)
            .values(row)
            .on_conflict_do_nothing()
            .returning(col(CaseRow.id))
        )
        if opened.first() is not None:
            await self._audit.append(entry)
        case = await self._open(where)
        if case is None:
            raise Stale(f"the case of {where} was closed while it was opened")
        return case

    async def get(self, case_id: int, *, lock: bool = False) -> Case:
        """The case; with *lock* nobody else changes it until the transaction ends.

        Raises:
            Missing: There is none.
        """
        query = select(CaseRow).where(col(CaseRow.id) == case_id)
        row = (await self._session.scalars(query.with_for_update() if lock else query)).first()
        if row is None:
            raise Missing(f"case {case_id}")
        return _case(row)

    async def save(self, after: Case, *, was: int) -> Case:
        """Store *after* over revision *was* as revision was + 1; else raise `Stale`."""
        values: dict[str, Any] = {
            "state": after.state,
            "revision": was + 1,
            "closed_at": after.closed_at,
            "assess_at": after.assess_at,
            "channel": after.channel,
            "card_ts": after.card_ts,
            "finding": _finding_json(after.finding),
            "rollback_id": after.rollback_id,
        }
        same = (col(CaseRow.id) == after.id, col(CaseRow.revision) == was)
        rows = await self._session.scalars(
            update(CaseRow)
            .where(*same)
            .values(values)
            .returning(CaseRow)
            .execution_options(populate_existing=True)
        )
        row = rows.first()
        if row is None:
            raise Stale(f"case {after.id} is no longer at revision {was}")
        return _case(row)

    async def due(self, apps: Collection[AppEnv], *, limit: int = 20) -> list[Case]:
        """Open cases of *apps* whose `assess_at` has come, by database time; oldest first.

        Those of other apps are left out here, so that they cannot fill the limit for ever.
        """
        return await self._many(
            select(CaseRow)
            .where(
                col(CaseRow.state) == CaseState.OPEN,
                col(CaseRow.assess_at) <= await self._now(),
                tuple_(col(CaseRow.app), col(CaseRow.env)).in_([(a.app, a.env) for a in apps]),
            )
            .order_by(col(CaseRow.assess_at))
            .limit(limit)
        )

    async def open_cases(self) -> list[Case]:
        """Every open case, oldest first."""
        query = select(CaseRow).where(col(CaseRow.state) == CaseState.OPEN)
        return await self._many(query.order_by(col(CaseRow.id)))

    async def opened(self, *, since: datetime, after: int = 0, limit: int = 500) -> list[Case]:
        """Cases that were opened from *since* on, by id above *after*; at most *limit*."""
        query = select(CaseRow).where(col(CaseRow.id) > after, col(CaseRow.opened_at) >= since)
        return await self._many(query.order_by(col(CaseRow.id)).limit(limit))

    async def _open(self, where: AppEnv) -> Case | None:
        found = await self._many(
            select(CaseRow)
            .where(
                col(CaseRow.app) == where.app,
                col(CaseRow.env) == where.env,
                col(CaseRow.state) == CaseState.OPEN,
            )
            .with_for_update()
        )
        return found[0] if found else None

    async def _many(self, query: Any) -> list[Case]:
        rows = await self._session.scalars(query.execution_options(populate_existing=True))
        return [_case(row) for row in rows]


def _case(row: CaseRow) -> Case:
    assert row.id is not None  # noqa: S101  # it was stored
    return Case(
        id=row.id,
        where=AppEnv(row.app, row.env),
        state=CaseState(row.state),
        revision=row.revision,
        opened_at=row.opened_at,
        channel=row.channel,
        card_ts=row.card_ts,
        closed_at=row.closed_at,
        assess_at=row.assess_at,
        finding=_finding(row.finding),
        rollback_id=row.rollback_id,
    )


def _finding_json(finding: Finding | None) -> Json:
    if finding is None:
        return None
    return {
        "code": finding.code,
        "facts": dict(finding.facts),
        "onset_from": finding.onset_from.isoformat() if finding.onset_from else None,
        "onset_to": finding.onset_to.isoformat() if finding.onset_to else None,
        "suspect_id": finding.suspect_id,
        "candidate_id": finding.candidate_id,
        "newest_firing_id": finding.newest_firing_id,
    }


def _finding(stored: Json) -> Finding | None:
    if stored is None:
        return None
    return Finding(
        code=stored["code"],
        facts=stored["facts"],
        onset_from=_time(stored["onset_from"]),
        onset_to=_time(stored["onset_to"]),
        suspect_id=stored["suspect_id"],
        candidate_id=stored["candidate_id"],
        newest_firing_id=stored.get("newest_firing_id", 0),  # absent in rows of older versions
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
