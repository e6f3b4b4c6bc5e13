"""Deliveries and firings in bulk: a few statements for all deliveries at once, a few for firings.

The statements are written out, one form for each database and number of rows, and made once:
SQLAlchemy would compile one anew for every size of a group. Rows go in by one order of their keys,
in every group and replica, so that two of them never wait for each other.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Final, TypeVar

import orjson

from store.records import Delivery, Firing, FiringStatus, NaiveTime, Unstorable

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
_AGAIN: Final = """ON CONFLICT (digest) DO UPDATE SET
  count = delivery.count + excluded.count, last_seen = excluded.last_seen"""

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
# What is over stays over, and ended when it was first told. An app that was configured since the
# alert came is known from the next delivery on.
_KNOWN: Final = """ON CONFLICT (source, fingerprint, starts_at) DO UPDATE SET
  last_seen = excluded.last_seen,
  app = CASE WHEN firing.app IS NULL THEN excluded.app ELSE firing.app END,
  env = CASE WHEN firing.app IS NULL THEN excluded.env ELSE firing.env END,
  ends_at = CASE WHEN firing.status = 'firing' AND excluded.status = 'resolved'
    THEN coalesce(excluded.ends_at, excluded.last_seen) ELSE firing.ends_at END,
  status = CASE WHEN excluded.status = 'resolved' THEN excluded.status ELSE firing.status END"""


class Taking:
    """What stores deliveries on one kind of database, as statements with all of their rows."""

    def __init__(self, dialect: str) -> None:
        self._on_sqlite = dialect == "sqlite"

    async def statements(self, deliveries: Collection[Delivery], now: datetime) -> Statements:
        """What stores *deliveries* and their firings, in the order in which it has to run.

        The loop is free between two parts of a storm.
        """
        put = self._put
        at = self._time(now)
        made = [
            *put("truncated", _TRUNCATED, _ASKED, self._truncated(deliveries, at)),
            *put("delivery", _DELIVERY, _AGAIN, self._deliveries(deliveries, at)),
        ]
        for some in batches(once_each(f for one in deliveries for f in one.firings)):
            made += put("firing", _FIRING, _KNOWN, [self._firing(one, at) for one in some])
            await asyncio.sleep(0)
        return made

    def deliveries(self, deliveries: Collection[Delivery], now: datetime) -> Statements:
        """What stores *deliveries* without their firings."""
        rows = self._deliveries(deliveries, self._time(now))
        return self._put("delivery", _DELIVERY, _AGAIN, rows)

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

    def _truncated(self, deliveries: Iterable[Delivery], at: object) -> list[Row]:
        """Groups that came cut short: remembered before anything else of them is locked."""
        cut = [one for one in deliveries if one.truncated and one.group_labels is not None]
        found = {(one.source, one.group_key): one for one in cut}
        return [
            (
                _text(one.source),
                _text(_short(one.group_key)),
                _text(one.receiver),
                _json(one.group_labels or {}),
                1,
                at,
                at,
                0,
                "",
            )
            for _, one in sorted(found.items(), key=_first)
        ]

    def _deliveries(self, deliveries: Iterable[Delivery], at: object) -> list[Row]:
        """Each delivery once, with how often it came."""
        return [
            (
                digest,
                _text(one.source),
                _text(one.receiver),
                _text(one.group_key),
                one.truncated,
                count,
                at,
                at,
                one.body,
            )
            for digest, (one, count) in sorted(_counted(deliveries).items(), key=_first)
        ]

    def _firing(self, firing: Firing, at: object) -> Row:
        where, labels = firing.where, firing.labels
        return (
            _text(firing.source),
            _text(firing.fingerprint),
            self._time(firing.starts_at),
            self._time(firing.ends_at) if firing.ends_at is not None else None,
            firing.status.value,
            FiringStatus.FIRING.value,
            where.app if where else None,
            where.env if where else None,
            _text(labels.get("app", "")),
            _text(labels.get("env", "")),
            _json(labels),
            _json(firing.annotations),
            at,
            at,
        )

    def _time(self, value: datetime) -> object:
        """As `store.types.UtcDateTime` stores it."""
        if value.tzinfo is None:
            raise NaiveTime(f"{value.isoformat()} has no time zone")
        try:
            utc = value if value.tzinfo is UTC else value.astimezone(UTC)
        except OverflowError:
            raise Unstorable(f"{value.isoformat()} is no time in UTC") from None
        return utc.replace(tzinfo=None).isoformat(" ", "microseconds") if self._on_sqlite else utc


def run(connection: sqlite3.Connection, statements: Iterable[tuple[str, Values]]) -> None:
    """Run *statements* in one transaction, in the thread of an SQLite connection."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for sql, values in statements:
            connection.execute(sql, values)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


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


def batches(items: Sequence[_T]) -> list[Sequence[_T]]:
    """Return *items* in parts of what one statement takes."""
    return [items[at : at + _A_STATEMENT] for at in range(0, len(items), _A_STATEMENT)]


def _in_sizes(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """*rows* in parts of `_SIZES`, the largest first."""
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


def _counted(deliveries: Iterable[Delivery]) -> dict[str, tuple[Delivery, int]]:
    """Each delivery once, with how often it came."""
    found: dict[str, tuple[Delivery, int]] = {}
    for one in deliveries:
        known, count = found.get(one.digest, (one, 0))
        found[one.digest] = known, count + 1
    return found


def _text(value: str) -> str:
    """As `store.types.SafeText` refuses it."""
    if "\0" in value:
        raise Unstorable("text with a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Unstorable("text with half a character (a lone surrogate)") from error
    return value


def _json(value: Mapping[str, str]) -> str:
    """As `store.types.JsonText` writes it, for texts alone: in a third of the time."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError as error:
        raise Unstorable(f"not JSON: {error}") from error
