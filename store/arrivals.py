"""Deliveries that were acknowledged and are not filed yet.

What a webhook brought is durable after one statement that only adds to the end of a table; alerts
and their indexes, where each key is on another page, are written later, many deliveries at a time
(https://microservices.io/patterns/data/transactional-outbox.html, turned to what comes in).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any, Final

import asyncpg
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from store import taking, trips
from store.arrival_form import FORM, Entry, delivery_of, entry
from store.driver_values import as_text
from store.records import Backlog, Delivery, SetAside, Unfiled
from store.tables import ArrivalRow

ARRIVALS: Final = "arrivals"
SET_ASIDE: Final = "set_aside"
_TABLE = SQLModel.metadata.tables[str(ArrivalRow.__tablename__)]
_ROW = _TABLE.columns
_STORED = (_ROW.id, _ROW.received_at, _ROW.content, _ROW.body)
MOST: Final = 500  # deliveries in one look
_MOST_ALERTS: Final = 1000
_MOST_BYTES: Final = 8 * 1024 * 1024
_THREAD_FROM_BYTES: Final = 128 * 1024
_READ_IN_THREAD_FROM: Final = 512 * 1024  # characters: what a storm of single alerts never has
# Rows of a statement on SQLite: as many places as that, and nothing in those that are left. Few
# sizes, since its driver keeps each statement with what it stored last.
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_PLACES: Final = 6
_NOBODY: Final = (None,) * _PLACES
_KEPT = text("set_aside = ''")  # as the indexes have it: no planner compares parameters
_ASIDE = text("set_aside <> ''")
_WAITS = and_(_KEPT, _ROW.form <= FORM)
_WATCHED = and_(text("watched"), _WAITS)
_OTHERS = and_(text("NOT watched"), _WAITS)
_COLUMNS: Final = "form, received_at, watched, alerts, size, content, body"
_ON_POSTGRESQL: Final = f"""INSERT INTO arrival ({_COLUMNS})
SELECT {FORM}, coalesce($1::timestamptz, clock_timestamp()), *
FROM unnest($2::boolean[], $3::bigint[], $4::bigint[], $5::text[], $6::bytea[])"""  # noqa: S608


async def entries(deliveries: Collection[Delivery]) -> list[Entry]:
    """What is written down of *deliveries*; large ones do not hold up the loop.

    Raises:
        Unstorable, NaiveTime: One of them could not be filed later.
    """
    if sum(len(one.body) for one in deliveries) < _THREAD_FROM_BYTES:
        return [entry(one) for one in deliveries]
    return await asyncio.to_thread(lambda: [entry(one) for one in deliveries])


def append(connection: sqlite3.Connection, now: datetime, rows: Sequence[Entry]) -> None:
    """Write *rows* down on SQLite, in its thread: one statement is one transaction.

    Its driver asks for the interpreter after each statement, and waits for whoever has it.
    """
    trips.alone(connection)
    at = as_text(now)
    if len(rows) > _SIZES[-1]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for some in taking.batches(rows, _SIZES[-1]):
                _append(connection, at, some)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    else:
        _append(connection, at, rows)


async def append_there(
    connection: asyncpg.Connection, now: datetime | None, rows: Sequence[Entry]
) -> None:
    """Write *rows* down on PostgreSQL, in one trip; *now* is in place of the database's time."""
    await connection.execute(_ON_POSTGRESQL, now, *map(list, zip(*rows, strict=True)))


class Arrivals:
    """What was written down and waits to be filed."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def waiting(self, *, most: int = MOST) -> Unfiled:
        """Which deliveries are to be filed next, and how many there may be.

        At most *most*, and no more alerts and bytes than one transaction should hold, though at
        least one delivery. Those of watched apps come before others, each kind in its order.
        """
        found = list(await self._session.execute(_next(_WATCHED), {"most": most}))
        watched = bool(found)
        if len(found) < most:
            rest = {"most": most - len(found)}
            found += await self._session.execute(_next(_OTHERS), rest)
        if not found:
            return Unfiled((), watched=False, left=0, oldest=None, newest=None)
        return Unfiled(_within(found), watched, *await self._ends())

    async def of(self, ids: Collection[int]) -> list[taking.Arrived]:
        """Those of *ids* that wait, in the order of arrival.

        Raises:
            Unreadable: One of them cannot be read.
        """
        mine = select(*_STORED).where(_ROW.id.in_(ids), _WAITS).order_by(_ROW.id)
        rows = (await self._session.execute(mine)).all()
        if sum(len(row.content) for row in rows) < _READ_IN_THREAD_FROM:
            return _arrived(rows)
        return await asyncio.to_thread(_arrived, rows)

    async def set_aside(self, arrival_id: int, why: str) -> bool:
        """Let it wait no more: it cannot be filed, for the reason *why*; False if it is gone."""
        aside = update(_TABLE).where(_ROW.id == arrival_id, _WAITS).values(set_aside=why[:500])
        return (await self._session.execute(aside.returning(_ROW.id))).first() is not None

    async def aside(self, *, limit: int = 100) -> list[SetAside]:
        """Those that could not be filed, oldest first."""
        query = select(_ROW.id, _ROW.received_at, _ROW.set_aside, _ROW.alerts).where(_ASIDE)
        rows = await self._session.execute(query.order_by(_ROW.id).limit(limit))
        return [SetAside(*row) for row in rows]

    async def put_back(self, *, at_most: int = 100) -> int:
        """Let the first *at_most* of those wait again; how many did."""
        some = select(_ROW.id).where(_ASIDE).order_by(_ROW.id).limit(at_most)
        back = update(_TABLE).where(_ROW.id.in_(some)).values(set_aside="").returning(_ROW.id)
        return len((await self._session.execute(back)).all())

    async def backlogs(self) -> list[Backlog]:
        """At most how many wait, by their ids, and how many were set aside; since when."""
        left, oldest, _ = await self._ends()
        aside = select(func.count(), func.min(_ROW.received_at)).where(_ASIDE)
        found = (await self._session.execute(aside)).one()
        return [Backlog(ARRIVALS, left, oldest), Backlog(SET_ASIDE, *found)]

    async def _ends(self) -> tuple[int, datetime | None, datetime | None]:
        first = (await self._session.execute(_end(last=False))).one_or_none()
        last = (await self._session.execute(_end(last=True))).one_or_none()
        if first is None or last is None:
            return 0, None, None
        return last.id - first.id + 1, first.received_at, last.received_at


def _arrived(rows: Sequence[Any]) -> list[taking.Arrived]:
    return [(delivery_of(row), row.received_at) for row in rows]


def _append(connection: sqlite3.Connection, at: str, rows: Sequence[Entry]) -> None:
    size = next(size for size in _SIZES if size >= len(rows))
    given = chain.from_iterable((at, *row) for row in rows)
    empty = chain.from_iterable([_NOBODY] * (size - len(rows)))
    connection.execute(_on_sqlite(size), (*given, *empty))


@cache
def _on_sqlite(rows: int) -> str:
    places = ", ".join([f"({', '.join('?' * _PLACES)})"] * rows)
    return (
        f"INSERT INTO arrival ({_COLUMNS}) "  # noqa: S608
        f"SELECT {FORM}, * FROM (VALUES {places}) WHERE column1 IS NOT NULL"
    )


@cache
def _next(which: ColumnElement[bool]) -> Select[Any]:
    some = select(_ROW.id, _ROW.alerts, _ROW.size).where(which).order_by(_ROW.id)
    return some.limit(bindparam("most"))


def _within(found: Sequence[Row[Any]]) -> tuple[int, ...]:
    """The first of *found*, by what one transaction should hold."""
    ids: list[int] = []
    alerts = size = 0
    for row in found:
        alerts += row.alerts
        size += row.size
        if ids and (alerts > _MOST_ALERTS or size > _MOST_BYTES):
            break
        ids.append(row.id)
    return tuple(ids)


@cache
def _end(*, last: bool) -> Select[Any]:
    by = _ROW.id.desc() if last else _ROW.id
    return select(_ROW.id, _ROW.received_at).where(_WAITS).order_by(by).limit(1)
