"""Deliveries and firings in bulk: a few statements for all deliveries at once, a few for firings.

The statements are written out, one form for each database and number of rows, and made once:
SQLAlchemy would compile one anew for every size of a group. Rows go in by one order of their keys,
in every group and replica, so that two of them never wait for each other.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from store import trips
from store.driver_values import as_text, json_text, safe_text, utc_of
from store.records import Delivery, Firing, FiringStatus

_T = TypeVar("_T")
_first = itemgetter(0)
_A_STATEMENT: Final = 500  # rows; the loop is free between two of them
# Rows of a statement on SQLite, whose driver asks for the interpreter once a statement: with one
# for each row it would wait for other threads after each. Few sizes: each is compiled and kept,
# with the rows that it stored last.
_SIZES: Final = (64, 32, 16, 8, 4, 2, 1)
_TEXT, _TIME, _COUNT, _BYTES = "text", "timestamptz", "bigint", "bytea"
Row = tuple[object, ...]
Values = tuple[object, ...]  # row after row on SQLite, one array a column on PostgreSQL
Statements = list[tuple[str, Values]]
Key = tuple[str, str, datetime]
Arrived = tuple[Delivery, datetime]  # and when it arrived

_DELIVERY: Final[Mapping[str, str]] = {
    "digest": _TEXT,
    "source": _TEXT,
    "receiver": _TEXT,
    "group_key": _TEXT,
    "truncated": _COUNT,
    "count": _COUNT,
    "first_seen": _TIME,
    "last_seen": _TIME,
    "body": _BYTES,
}
# They are filed in another order than that in which they arrived: see `store.arrivals`.
_SEEN: Final = """
  first_seen = CASE WHEN excluded.first_seen < {0}.first_seen
    THEN excluded.first_seen ELSE {0}.first_seen END,
  last_seen = CASE WHEN excluded.last_seen > {0}.last_seen
    THEN excluded.last_seen ELSE {0}.last_seen END"""
_AGAIN: Final = f"""ON CONFLICT (digest) DO UPDATE SET
  count = delivery.count + excluded.count, {_SEEN.format("delivery")}"""

_LONGEST_KEY: Final = 500  # characters of a group's key, in the index of these
_TRUNCATED: Final[Mapping[str, str]] = {
    "source": _TEXT,
    "group_key": _TEXT,
    "receiver": _TEXT,
    "group_labels": _TEXT,
    "asked": _COUNT,
    "since": _TIME,
    "due_at": _TIME,
    "attempts": _COUNT,
    "last_error": _TEXT,
}
# One that waits already goes on waiting: a storm of them does not ask a lost Alertmanager more.
_ASKED: Final = """ON CONFLICT (source, group_key) DO UPDATE SET
  group_labels = excluded.group_labels, asked = truncated.asked + excluded.asked"""

_FIRING: Final[Mapping[str, str]] = {
    "source": _TEXT,
    "fingerprint": _TEXT,
    "starts_at": _TIME,
    "ends_at": _TIME,
    "status": _TEXT,
    "seen_status": _TEXT,
    "app": _TEXT,
    "env": _TEXT,
    "app_label": _TEXT,
    "env_label": _TEXT,
    "labels": _TEXT,
    "annotations": _TEXT,
    "first_seen": _TIME,
    "last_seen": _TIME,
}
# What is over stays over, and ended when it was first told: of several rows of one statement that
# say so without a time, that is when the first of them came. An app that was configured since the
# alert came is known from the next delivery on.
_KNOWN: Final = f"""ON CONFLICT (source, fingerprint, starts_at) DO UPDATE SET
  {_SEEN.format("firing")},
  app = CASE WHEN firing.app IS NULL THEN excluded.app ELSE firing.app END,
  env = CASE WHEN firing.app IS NULL THEN excluded.env ELSE firing.env END,
  ends_at = CASE WHEN firing.status = 'firing' AND excluded.status = 'resolved'
    THEN coalesce(excluded.ends_at, excluded.first_seen) ELSE firing.ends_at END,
  status = CASE WHEN excluded.status = 'resolved' THEN excluded.status ELSE firing.status END"""


class Taking:
    """What stores deliveries on one kind of database, as statements with all of their rows."""

    def __init__(self, dialect: str) -> None:
        self._on_sqlite = dialect == "sqlite"

    async def statements(self, arrived: Sequence[Arrived]) -> Statements:
        """What stores deliveries and their firings, in the order in which it has to run.

        The loop is free between two parts of a storm.
        """
        put = self._put
        made = [
            *put("truncated", _TRUNCATED, _ASKED, self._truncated(arrived)),
            *self.deliveries(arrived),
        ]
        told = ((firing, at) for delivery, at in arrived for firing in delivery.firings)
        for some in batches(_merged(told)):
            made += put("firing", _FIRING, _KNOWN, [self._firing(*one) for one in some])
            await asyncio.sleep(0)
        return made

    def deliveries(self, arrived: Iterable[Arrived]) -> Statements:
        """What stores deliveries without their firings."""
        return self._put("delivery", _DELIVERY, _AGAIN, self._deliveries(arrived))

    def _put(
        self, table: str, columns: Mapping[str, str], known: str, rows: Sequence[Row]
    ) -> Statements:
        if not rows:
            return []
        if self._on_sqlite:
            names = tuple(columns)
            return [
                (_sqlite(table, names, known, len(some)), tuple(chain.from_iterable(some)))
                for some in _in_sizes(rows)
            ]
        arrays = tuple(map(list, zip(*rows, strict=True)))
        return [(_postgresql(table, tuple(columns.items()), known), arrays)]

    def _truncated(self, arrived: Iterable[Arrived]) -> list[Row]:
        """Groups that came cut short: remembered before anything else of them is locked."""
        cut = [one for one in arrived if one[0].truncated and one[0].group_labels is not None]
        found = {(one.source, one.group_key): (one, at) for one, at in cut}
        return [
            (
                safe_text(one.source),
                safe_text(_short(one.group_key)),
                safe_text(one.receiver),
                json_text(one.group_labels or {}),
                1,
                self._time(at),
                self._time(at),
                0,
                "",
            )
            for _, (one, at) in sorted(found.items(), key=_first)
        ]

    def _deliveries(self, arrived: Iterable[Arrived]) -> list[Row]:
        """Each delivery once, with how often it came."""
        return [
            (
                digest,
                safe_text(one.source),
                safe_text(one.receiver),
                safe_text(one.group_key),
                one.truncated,
                len(times),
                self._time(min(times)),
                self._time(max(times)),
                one.body,
            )
            for digest, (one, times) in sorted(_counted(arrived).items(), key=_first)
        ]

    def _firing(self, firing: Firing, first: datetime, last: datetime) -> Row:
        where, labels = firing.where, firing.labels
        return (
            safe_text(firing.source),
            safe_text(firing.fingerprint),
            self._time(firing.starts_at),
            self._time(firing.ends_at) if firing.ends_at is not None else None,
            firing.status.value,
            FiringStatus.FIRING.value,
            where.app if where else None,
            where.env if where else None,
            safe_text(labels.get("app", "")),
            safe_text(labels.get("env", "")),
            json_text(labels),
            json_text(firing.annotations),
            self._time(first),
            self._time(last),
        )

    def _time(self, value: datetime) -> object:
        utc = utc_of(value)
        return as_text(utc) if self._on_sqlite else utc


async def run(session: AsyncSession, statements: Statements) -> None:
    """Run *statements* in the transaction of *session*; on SQLite in one trip to its thread."""
    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    if isinstance(driver, trips.Connection):
        await driver.trip(_run, statements)
    else:
        for sql, values in statements:
            await connection.exec_driver_sql(sql, values)


def _run(connection: sqlite3.Connection, statements: Statements) -> None:
    for sql, values in statements:
        connection.execute(sql, values)


@cache
def _sqlite(table: str, columns: tuple[str, ...], known: str, rows: int) -> str:
    places = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {places} {known}"  # noqa: S608


@cache
def _postgresql(table: str, types: tuple[tuple[str, str], ...], known: str) -> str:
    names = ", ".join(name for name, _ in types)
    arrays = ", ".join(f"${at}::{kind}[]" for at, (_, kind) in enumerate(types, start=1))
    return f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {known}"  # noqa: S608


def _short(group_key: str) -> str:
    """One that fits into an index of PostgreSQL, which takes 2,704 bytes at most."""
    if len(group_key) <= _LONGEST_KEY:
        return group_key
    return f"sha256:{hashlib.sha256(group_key.encode()).hexdigest()}"


def key_of(firing: Firing) -> Key:
    """What makes a firing the one that it is."""
    return firing.source, firing.fingerprint, firing.starts_at.astimezone(UTC)


def once_each(firings: Iterable[Firing]) -> list[Firing]:
    """Each firing once and in one order, so that two transactions never wait for each other.

    Of one that came twice, that it was resolved is the later word.
    """
    found: dict[Key, Firing] = {}
    for firing in firings:
        key = key_of(firing)
        known = found.get(key)
        if known is None or known.status is FiringStatus.FIRING:
            found[key] = firing
    return [found[key] for key in sorted(found)]


def _merged(told: Iterable[tuple[Firing, datetime]]) -> list[tuple[Firing, datetime, datetime]]:
    """Each firing once, when it was seen first and last, in the order of `once_each`.

    One that was told several times becomes what `_KNOWN` would make of it, one after the other.
    """
    found: dict[Key, tuple[Firing, datetime, datetime]] = {}
    for firing, at in told:
        key = key_of(firing)
        known = found.get(key)
        if known is None:
            found[key] = firing, at, at
        else:
            before, first, last = known
            found[key] = _after(before, firing, at), min(first, at), max(last, at)
    return [found[key] for key in sorted(found)]


def _after(known: Firing, later: Firing, at: datetime) -> Firing:
    """*known* once *later* was told of it *at* that time."""
    where = known.where or later.where
    if known.status is FiringStatus.FIRING and later.status is FiringStatus.RESOLVED:
        ends_at = later.ends_at or at
        return replace(known, where=where, status=FiringStatus.RESOLVED, ends_at=ends_at)
    return known if where is known.where else replace(known, where=where)


def batches(items: Sequence[_T], size: int = _A_STATEMENT) -> list[Sequence[_T]]:
    """Return *items* in parts of *size*: by default of what one statement takes."""
    return [items[at : at + size] for at in range(0, len(items), size)]


def _in_sizes(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """*rows* in parts of `_SIZES`, the largest first."""
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


def _counted(arrived: Iterable[Arrived]) -> dict[str, tuple[Delivery, list[datetime]]]:
    """Each delivery once, and when it came."""
    found: dict[str, tuple[Delivery, list[datetime]]] = {}
    for one, at in arrived:
        found.setdefault(one.digest, (one, []))[1].append(at)
    return found
