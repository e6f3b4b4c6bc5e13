"""Deliveries and firings: stored before anybody is told that they arrived."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Row, bindparam, func, select, tuple_, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from store.clock import DatabaseClock
from store.records import AppEnv, Delivery, Firing, FiringStatus
from store.tables import DeliveryRow, FiringRow
from store.upsert import insert

_T = TypeVar("_T")
_A_STATEMENT = 500  # firings; SQLite takes 32,766 parameters, PostgreSQL 32,767
_TABLE = SQLModel.metadata.tables["firing"]
_ROW = _TABLE.columns
_KEY = (_ROW.source, _ROW.fingerprint, _ROW.starts_at)


class Alerts:
    """Known by natural keys, so that whatever is sent again changes nothing."""

    def __init__(self, session: AsyncSession, now: DatabaseClock) -> None:
        self._session = session
        self._now = now

    async def take(self, delivery: Delivery) -> tuple[Firing, ...]:
        """Store a delivery and its firings; a repeat only touches `last_seen` and the count.

        Returns the firings that are new or whose status changed, as stored. A resolved firing
        never becomes firing again for the same `starts_at`.
        """
        now = await self._now()
        await self._deliver(delivery, now)
        told: list[Firing] = []
        for some in _batches(_once_each(delivery.firings)):
            told += await self._fire(some, now)
        return tuple(told)

    async def unassigned(self, apps: Collection[AppEnv], *, limit: int = 200) -> list[Firing]:
        """Alerts of *apps* that fire and that no case has taken in yet, oldest first.

        Those of other apps are left out here, so that they cannot fill the limit for ever.
        """
        rows = await self._session.scalars(
            select(FiringRow)
            .where(
                col(FiringRow.case_id).is_(None),
                col(FiringRow.status) == FiringStatus.FIRING,
                tuple_(col(FiringRow.app), col(FiringRow.env)).in_([(a.app, a.env) for a in apps]),
            )
            .order_by(col(FiringRow.starts_at), col(FiringRow.id))
            .limit(limit)
        )
        return [_firing(row) for row in rows]

    async def unnamed(self, *, after: int = 0, limit: int = 500) -> list[Firing]:
        """Firing alerts without a known app, by id, above id *after*."""
        rows = await self._session.scalars(
            select(FiringRow)
            .where(
                col(FiringRow.id) > after,
                col(FiringRow.app).is_(None),
                col(FiringRow.status) == FiringStatus.FIRING,
            )
            .order_by(col(FiringRow.id))
            .limit(limit)
        )
        return [_firing(row) for row in rows]

    async def name(self, firing_ids: Sequence[int], where: AppEnv) -> None:
        """Say which app these firings are about, unless a case has them."""
        named = {"app": where.app, "env": where.env}
        for some in _batches(firing_ids):
            free = _ROW.id.in_(some) & _ROW.case_id.is_(None)
            await self._session.execute(update(_TABLE).where(free).values(named))

    async def assign(self, firing_ids: Sequence[int], case_id: int) -> None:
        """Give firings to a case that does not have them yet."""
        free = col(FiringRow.id).in_(firing_ids) & col(FiringRow.case_id).is_(None)
        await self._session.execute(update(FiringRow).where(free).values(case_id=case_id))

    async def of_case(self, case_id: int) -> list[Firing]:
        """The case's firings by `starts_at`."""
        rows = await self._session.scalars(
            select(FiringRow)
            .where(col(FiringRow.case_id) == case_id)
            .order_by(col(FiringRow.starts_at), col(FiringRow.id))
        )
        return [_firing(row) for row in rows]

    async def around(
        self, env: str, *, since: datetime, until: datetime, limit: int = 500
    ) -> list[Firing]:
        """Alerts of known apps of *env* that began from *since* to *until*, the newest *limit*.

        Oldest first.
        """
        rows = await self._session.scalars(
            select(FiringRow)
            .where(
                col(FiringRow.env) == env,
                col(FiringRow.starts_at) >= since,
                col(FiringRow.starts_at) <= until,
            )
            .order_by(col(FiringRow.starts_at).desc(), col(FiringRow.id).desc())
            .limit(limit)
        )
        return [_firing(row) for row in reversed(rows.all())]

    async def unknown_apps(self) -> list[tuple[str, str, int]]:
        """(app label, env label, firings) of alerts that no configured app answers to."""
        rows = await self._session.execute(
            select(col(FiringRow.app_label), col(FiringRow.env_label), func.count())
            .where(col(FiringRow.app).is_(None))
            .group_by(col(FiringRow.app_label), col(FiringRow.env_label))
            .order_by(func.count().desc(), col(FiringRow.app_label), col(FiringRow.env_label))
        )
        return [(app, env, number) for app, env, number in rows]

    async def changed(self, *, limit: int = 200) -> list[Firing]:
        """Assigned firings whose status changed since `seen` was called on them."""
        rows = await self._session.scalars(
            select(FiringRow)
            .where(
                col(FiringRow.case_id).is_not(None),
                col(FiringRow.status) != col(FiringRow.seen_status),
            )
            .order_by(col(FiringRow.id))
            .limit(limit)
        )
        return [_firing(row) for row in rows]

    async def seen(self, firing_ids: Sequence[int]) -> None:
        """Remember that the present status of these firings has been told."""
        await self._session.execute(
            update(FiringRow)
            .where(col(FiringRow.id).in_(firing_ids))
            .values(seen_status=FiringRow.status)
        )

    async def outlived(self, *, after: int = 0) -> tuple[dict[int, datetime], int]:
        """Firings whose alert has begun again since, and when; and the newest id that there is.

        What came at or before id *after* was compared before.
        """
        newer, older = _TABLE.alias("newer"), _TABLE.alias("older")
        same = (
            (newer.c.source == older.c.source)
            & (newer.c.fingerprint == older.c.fingerprint)
            & (newer.c.starts_at > older.c.starts_at)
        )
        begun = select(older.c.id, newer.c.starts_at).join_from(newer, older, same)
        begun = begun.where(older.c.status == FiringStatus.FIRING)
        came = (begun.where(newer.c.id > after), begun.where(older.c.id > after))
        found: dict[int, datetime] = {}
        for row_id, starts_at in await self._session.execute(union_all(*came)):
            found[row_id] = min(starts_at, found.get(row_id, starts_at))
        return found, await self._session.scalar(select(func.max(_ROW.id))) or 0

    async def end(self, ended_at: Mapping[int, datetime]) -> None:
        """End the firings of these ids, unless they have ended."""
        at = update(_TABLE).where(
            _ROW.id == bindparam("row_id"), _ROW.status == FiringStatus.FIRING
        )
        await self._session.execute(
            at.values(status=FiringStatus.RESOLVED, ends_at=bindparam("ended_at")),
            [{"row_id": row_id, "ended_at": ended_at[row_id]} for row_id in sorted(ended_at)],
        )

    # -- how ------------------------------------------------------------------------------------

    async def _deliver(self, delivery: Delivery, now: datetime) -> None:
        row = {
            "digest": delivery.digest,
            "source": delivery.source,
            "receiver": delivery.receiver,
            "group_key": delivery.group_key,
            "truncated": delivery.truncated,
            "count": 1,
            "first_seen": now,
            "last_seen": now,
            "body": delivery.body,
        }
        await self._session.execute(
            insert(self._session, DeliveryRow)
            .values(row)
            .on_conflict_do_update(
                index_elements=["digest"], set_={"count": DeliveryRow.count + 1, "last_seen": now}
            )
        )

    async def _fire(self, firings: Sequence[Firing], now: datetime) -> list[Firing]:
        """Store new firings in one statement, then update those that were known; see `take`.

        Statements name the table, not its class: a storm has thousands of rows, and making an
        object of each would take seconds.
        """
        stored = await self._session.execute(
            insert(self._session, _TABLE)
            .on_conflict_do_nothing(index_elements=["source", "fingerprint", "starts_at"])
            .returning(_ROW.id, *_KEY),
            [_values(firing, now) for firing in firings],
        )
        ids = {(source, name, at): row_id for row_id, source, name, at in stored}
        new = [replace(f, id=ids[_key(f)], case_id=None) for f in firings if _key(f) in ids]
        known = [firing for firing in firings if _key(firing) not in ids]
        return new + (await self._again(known, now) if known else [])

    async def _again(self, firings: Sequence[Firing], now: datetime) -> list[Firing]:
        given = {_key(firing): firing for firing in firings}
        rows = (
            await self._session.execute(
                select(_ROW.id, _ROW.status, _ROW.app, *_KEY)
                .where(tuple_(*_KEY).in_(list(given)))
                .order_by(_ROW.id)
                .with_for_update()
            )
        ).all()
        await self._session.execute(
            update(_TABLE).where(_ROW.id.in_([row.id for row in rows])).values(last_seen=now)
        )
        of = {row.id: given[(row.source, row.fingerprint, row.starts_at)] for row in rows}
        for row in rows:
            where = of[row.id].where
            if row.app is None and where is not None:  # it was configured meanwhile
                at = update(_TABLE).where(_ROW.id == row.id)
                await self._session.execute(at.values(app=where.app, env=where.env))
        over = {row.id: of[row.id] for row in rows if _ends(row.status, of[row.id])}
        return await self._end(over, now) if over else []

    async def _end(self, over: Mapping[int, Firing], now: datetime) -> list[Firing]:
        await self._session.execute(
            update(_TABLE)
            .where(_ROW.id == bindparam("row_id"))
            .values(status=FiringStatus.RESOLVED, ends_at=bindparam("ended_at")),
            [{"row_id": row_id, "ended_at": f.ends_at or now} for row_id, f in over.items()],
        )
        ended: list[Firing] = []
        for some in _batches(list(over)):
            rows = await self._session.execute(
                select(*_TABLE.columns).where(_ROW.id.in_(some)).order_by(_ROW.id)
            )
            ended += [_firing(row) for row in rows]
        return ended


def _ends(status: str, firing: Firing) -> bool:
    return status == FiringStatus.FIRING and firing.status is FiringStatus.RESOLVED


def _key(firing: Firing) -> tuple[str, str, datetime]:
    return firing.source, firing.fingerprint, firing.starts_at.astimezone(UTC)


def _once_each(firings: Sequence[Firing]) -> list[Firing]:
    """Each firing once and in one order, so that two deliveries never wait for each other.

    A body may hold the same firing twice; that it was resolved is the later word.
    """
    found: dict[tuple[str, str, datetime], Firing] = {}
    for firing in firings:
        known = found.get(_key(firing))
        if known is None or known.status is FiringStatus.FIRING:
            found[_key(firing)] = firing
    return [found[key] for key in sorted(found)]


def _batches(items: Sequence[_T]) -> list[Sequence[_T]]:
    return [items[at : at + _A_STATEMENT] for at in range(0, len(items), _A_STATEMENT)]


def _values(firing: Firing, now: datetime) -> dict[str, object]:
    where = firing.where
    return {
        "source": firing.source,
        "fingerprint": firing.fingerprint,
        "starts_at": firing.starts_at,
        "ends_at": firing.ends_at,
        "status": firing.status,
        "seen_status": FiringStatus.FIRING,
        "app": where.app if where else None,
        "env": where.env if where else None,
        "app_label": firing.labels.get("app", ""),
        "env_label": firing.labels.get("env", ""),
        "labels": dict(firing.labels),
        "annotations": dict(firing.annotations),
        "first_seen": now,
        "last_seen": now,
    }


def _firing(row: FiringRow | Row[Any]) -> Firing:
    assert row.id is not None  # noqa: S101  # it was flushed
    known = row.app is not None and row.env is not None
    return Firing(
        source=row.source,
        fingerprint=row.fingerprint,
        starts_at=row.starts_at,
        status=FiringStatus(row.status),
        labels=row.labels,
        annotations=row.annotations,
        ends_at=row.ends_at,
        where=AppEnv(row.app or "", row.env or "") if known else None,
        id=row.id,
        case_id=row.case_id,
    )
