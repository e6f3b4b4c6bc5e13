"""Alerts and the deliveries that brought them, once they are filed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    bindparam,
    func,
    select,
    text,
    tuple_,
    type_coerce,
    union,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from store.clock import DatabaseClock
from store.records import AppEnv, Delivery, Firing, FiringStatus, Missing
from store.settling import Settling
from store.tables import DeliveryRow, FiringRow
from store.taking import Taking, batches, key_of, once_each, run
from store.upsert import insert

_TABLE = SQLModel.metadata.tables["firing"]
_ROW = _TABLE.columns
_FIRES = text("firing.status = 'firing'")  # as the index has it: no planner compares parameters
STORM = 500
_KEY = (_ROW.source, _ROW.fingerprint, _ROW.starts_at)
_NEWEST = 500  # deliveries among which the one is looked for that brought an alert


class Alerts:
    """Known by natural keys, so that whatever is sent again changes nothing."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, settling: Settling) -> None:
        self._session = session
        self._now = now
        self._settling = settling
        self._taking = Taking(session.get_bind().dialect.name)

    async def take_all(self, deliveries: Collection[Delivery]) -> None:
        """Store several deliveries and their firings, as `take` would one after the other.

        Few statements for however many, and nothing is read back.
        """
        now = await self._now()
        await run(self._session, await self._taking.statements([(one, now) for one in deliveries]))

    async def take(self, delivery: Delivery) -> tuple[Firing, ...]:
        """Store a delivery and its firings; a repeat only touches `last_seen` and the count.

        Returns the firings that are new or whose status changed, as stored. A resolved firing
        never becomes firing again for the same `starts_at`.
        """
        now = await self._now()
        await run(self._session, self._taking.deliveries([(delivery, now)]))
        told: list[Firing] = []
        for some in batches(once_each(delivery.firings)):
            told += await self._fire(some, now)
        return tuple(told)

    async def unassigned(self, apps: Collection[AppEnv], *, limit: int = 200) -> list[Firing]:
        """Alerts of *apps* that fire and that no case has taken in yet, oldest first.

        Those of other apps are left out here, so that they cannot fill the limit for ever.
        """
        # as expressions, or SQLite would rather read all that ever came in these environments
        named = tuple_(_ROW.app + "", _ROW.env + "").in_([(a.app, a.env) for a in apps])
        waits = (_ROW.case_id.is_(None), _ROW.app.is_not(None), _FIRES)
        rows = await self._session.execute(
            select(*_TABLE.columns)
            .where(*waits, named)
            .order_by(_ROW.starts_at, _ROW.id)
            .limit(limit)
        )
        return [_firing(row) for row in rows]

    async def free(self, firing_ids: Collection[int]) -> set[int]:
        """Those of *firing_ids* that no case has."""
        query = select(_ROW.id).where(_ROW.id.in_(firing_ids), _ROW.case_id.is_(None))
        return set((await self._session.scalars(query)).all())

    async def unnamed(
        self, *, after: int = 0, limit: int = 500
    ) -> list[tuple[int, Mapping[str, str]]]:
        """Ids and labels of firing alerts without a known app, by id, above id *after*."""
        rows = await self._session.execute(
            select(_ROW.id, type_coerce(_ROW.labels, Text))  # without long integers: see JsonText
            .where(_ROW.id > after, _ROW.app.is_(None), _ROW.status == FiringStatus.FIRING)
            .order_by(_ROW.id)
            .limit(limit)
        )
        return [(row_id, orjson.loads(labels)) for row_id, labels in rows]

    async def name(self, firing_ids: Sequence[int], where: AppEnv) -> None:
        """Say which app these firings are about, unless a case has them."""
        named = {"app": where.app, "env": where.env}
        for some in batches(firing_ids):
            await self._hold(some)
            free = _ROW.id.in_(some) & _ROW.case_id.is_(None)
            await self._session.execute(update(_TABLE).where(free).values(named))

    async def assign(self, firing_ids: Sequence[int], case_id: int) -> None:
        """Give firings to a case that does not have them yet."""
        await self._hold(firing_ids)
        free = col(FiringRow.id).in_(firing_ids) & col(FiringRow.case_id).is_(None)
        await self._session.execute(update(FiringRow).where(free).values(case_id=case_id))

    async def of_case(self, case_id: int) -> list[Firing]:
        """The case's firings by `starts_at`.

        Of a storm these are the first `STORM` that still fire, and of those that are over the
        first and the last of half as many: nobody reads more, and each look would take seconds.
        """
        ours, over = _ROW.case_id == case_id, _ROW.status == FiringStatus.RESOLVED
        parts = (
            _some(ours, _ROW.status == FiringStatus.FIRING, limit=STORM),
            _some(ours, over, limit=STORM // 2),
            _some(ours, over, limit=STORM // 2, last=True),
        )
        rows = await self._session.execute(union(*parts))
        return sorted(map(_firing, rows), key=lambda one: (one.starts_at, one.id))

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
            .order_by(col(FiringRow.case_id), col(FiringRow.id))
            .limit(limit)
        )
        return [_firing(row) for row in rows]

    async def arrived(self, firing_ids: Sequence[int]) -> tuple[datetime, str]:
        """When the first of these firings came, and the digest of the delivery that brought it.

        The digest is "" where it is not among the newest deliveries any more, or where several
        arrived at the same moment, so that it cannot be told which one it was.
        """
        came = await self._session.scalar(
            select(func.min(FiringRow.first_seen)).where(col(FiringRow.id).in_(firing_ids))
        )
        if came is None:
            raise Missing(f"firings {list(firing_ids)[:3]}")
        newest = (
            select(col(DeliveryRow.digest), col(DeliveryRow.first_seen))
            .order_by(col(DeliveryRow.id).desc())
            .limit(_NEWEST)
            .subquery()
        )
        found = await self._session.scalars(
            select(newest.c.digest).where(newest.c.first_seen == came).limit(2)
        )
        digests = found.all()
        return came, digests[0] if len(digests) == 1 else ""

    async def seen(self, firing_ids: Sequence[int]) -> None:
        """Remember that the present status of these firings has been told."""
        await self._hold(firing_ids)
        await self._session.execute(
            update(FiringRow)
            .where(col(FiringRow.id).in_(firing_ids))
            .values(seen_status=FiringRow.status)
        )

    async def outlived(self, *, after: int = 0) -> tuple[dict[int, datetime], int]:
        """Firings whose alert has begun again since, and when; and up to which id none is missed.

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
        newest = await self._session.scalar(select(func.max(_ROW.id)))
        return found, self._settling.through(newest or 0, await self._now())

    async def end(self, ended_at: Mapping[int, datetime]) -> None:
        """End the firings of these ids, unless they have ended."""
        await self._hold(list(ended_at))
        at = update(_TABLE).where(
            _ROW.id == bindparam("row_id"), _ROW.status == FiringStatus.FIRING
        )
        await self._session.execute(
            at.values(status=FiringStatus.RESOLVED, ends_at=bindparam("ended_at")),
            [{"row_id": row_id, "ended_at": ended_at[row_id]} for row_id in sorted(ended_at)],
        )

    # -- how ------------------------------------------------------------------------------------

    async def _hold(self, firing_ids: Sequence[int]) -> None:
        """Lock rows in the order in which deliveries do: otherwise each might wait for the other.

        SQLite has one writer at a time.
        """
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(_in_order(_ROW.id.in_(firing_ids)))

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
        new = [replace(f, id=ids[key_of(f)], case_id=None) for f in firings if key_of(f) in ids]
        known = [firing for firing in firings if key_of(firing) not in ids]
        return new + (await self._again(known, now) if known else [])

    async def _again(self, firings: Sequence[Firing], now: datetime) -> list[Firing]:
        given = {key_of(firing): firing for firing in firings}
        these = tuple_(*_KEY).in_(list(given))
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(_in_order(these))
        rows = (
            await self._session.execute(
                select(_ROW.id, _ROW.status, _ROW.app, *_KEY).where(these).order_by(_ROW.id)
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
        for some in batches(list(over)):
            rows = await self._session.execute(
                select(*_TABLE.columns).where(_ROW.id.in_(some)).order_by(_ROW.id)
            )
            ended += [_firing(row) for row in rows]
        return ended


def _in_order(these: ColumnElement[bool]) -> Select[Any]:
    """Lock *these* by their keys, in the order of code points, as Python sorts them."""
    key = (_ROW.source.collate("C"), _ROW.fingerprint.collate("C"), _ROW.starts_at)
    return select(_ROW.id).where(these).order_by(*key).with_for_update()


def _some(*where: ColumnElement[bool], limit: int, last: bool = False) -> Select[Any]:
    """The first firings of these by their start, or the last."""
    by = (_ROW.starts_at, _ROW.id)
    order = [column.desc() for column in by] if last else by
    some = select(*_TABLE.columns).where(*where).order_by(*order).limit(limit).subquery()
    return select(*some.columns)


def _ends(status: str, firing: Firing) -> bool:
    return status == FiringStatus.FIRING and firing.status is FiringStatus.RESOLVED


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
