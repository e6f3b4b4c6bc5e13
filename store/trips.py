"""aiosqlite with one trip to its thread for each statement, where it makes four.

A trip costs 50 to 150 µs, a statement of ours in SQLite itself 10 to 20 µs; so what SQLAlchemy
asks of a cursor one by one (make it, execute, fetch, close) is done in one go. Rows beyond the
first `AT_ONCE` are fetched as they are wanted, so that a long result still comes in parts.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import aiosqlite
from aiosqlite.context import contextmanager
from sqlalchemy.engine import URL

from store.records import Unavailable

_T = TypeVar("_T")
AT_ONCE = 500  # rows
_CHUNK = 64  # rows that `async for` fetches, as aiosqlite does
_PRIVATE = 0o600


def connecting(url: URL, **options: Any) -> Callable[[], Awaitable[aiosqlite.Connection]]:
    """Return what opens a connection to the SQLite file at *url*, for `async_creator`.

    Args:
        url: As SQLAlchemy's pysqlite and aiosqlite dialects take it.
        options: As `sqlite3.connect` takes them, on top of those in *url*.
    """
    (place,), told = url.get_dialect()().create_connect_args(url)
    opened = partial(_opened, place, **{**told, **options})

    async def connect() -> aiosqlite.Connection:
        return await Connection(opened, _CHUNK)

    return connect


def alone(connection: sqlite3.Connection) -> None:
    """Return if no transaction is open, of which whatever is done now would be a part.

    Raises:
        Spoilt: One is, of somebody who is gone.
    """
    if connection.in_transaction:
        raise Spoilt("a transaction is open that is not ours")


def _opened(place: str, **options: Any) -> sqlite3.Connection:
    """A connection to the file *place*; one that is not there yet is made for its owner alone.

    It holds prompts and votes. SQLite gives what it keeps beside the file the same rights.
    """
    with suppress(OSError):  # it is there already; or it cannot be made, and SQLite says why
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))
    connection: sqlite3.Connection = sqlite3.connect(place, **options)
    return connection


class Spoilt(Unavailable):
    """A connection that nobody should use any more: closed, or in the midst of something."""


class Connection(aiosqlite.Connection):
    """Gives out cursors that make one trip; the rest is aiosqlite's."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], iter_chunk_size: int) -> None:
        super().__init__(connector, iter_chunk_size)
        self._thread.daemon = True  # as SQLAlchemy has it: a process ends with one left open

    async def trip(self, call: Callable[..., _T], *told: object) -> _T:
        """Call it with sqlite3's connection, in the thread of this one.

        It is done to its end, also when nobody waits for it any more.

        Raises:
            Spoilt: The connection is closed.
        """
        if self._connection is None or not self._running:
            raise Spoilt("the connection is closed")
        done: _T = await self._execute(call, self._conn, *told)  # type: ignore[no-untyped-call]
        return done

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread once it has done what waits for it; None when it was told before.

        A second word would have no thread to answer it: a close that is cut off while another one
        has told, as SQLAlchemy's is, would wait for ever, and the end of the loop with it.
        """
        return super().stop() if self._running else None

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        return _Cursor(self)


class _Cursor(aiosqlite.Cursor):
    """Makes sqlite3's cursor in the trip that executes, and fetches the first rows there."""

    def __init__(self, connection: Connection) -> None:
        self.iter_chunk_size = _CHUNK
        self._conn = connection
        self._rows: deque[Any] = deque()
        self._more = False  # the statement is not read to its end

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> aiosqlite.Cursor:
        return await self._in_one_trip(sqlite3.Cursor.execute, sql, parameters or ())

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> aiosqlite.Cursor:
        return await self._in_one_trip(sqlite3.Cursor.executemany, sql, parameters)

    async def executescript(self, sql_script: str) -> aiosqlite.Cursor:
        return await self._in_one_trip(sqlite3.Cursor.executescript, sql_script)

    async def _in_one_trip(self, call: Callable[..., object], *told: object) -> aiosqlite.Cursor:
        def trip() -> tuple[sqlite3.Cursor, list[Any]]:
            cursor = self._conn._conn.cursor()
            call(cursor, *told)
            return cursor, cursor.fetchmany(AT_ONCE) if cursor.description else []

        self._cursor, rows = await self._trip(trip)
        self._rows, self._more = deque(rows), len(rows) == AT_ONCE
        return self

    async def _trip(self, call: Callable[..., _T], *told: object) -> _T:
        """Call it in the connection's thread."""
        done: _T = await self._conn._execute(call, *told)  # type: ignore[no-untyped-call]
        return done

    async def fetchone(self) -> Any:
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = size or self._cursor.arraysize
        if self._more and wanted > len(self._rows):
            rows = await self._trip(self._cursor.fetchmany, wanted)
            self._rows.extend(rows)
            self._more = len(rows) == wanted
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> list[Any]:
        if self._more:
            self._rows.extend(await self._trip(self._cursor.fetchall))
            self._more = False
        rows = list(self._rows)
        self._rows.clear()
        return rows

    async def close(self) -> None:
        """End a statement that is not read to its end; one that is holds nothing."""
        self._rows.clear()
        if self._more:
            self._more = False
            await self._trip(self._cursor.close)
