"""Straight ways to the database for what a storm waits for: by the driver itself.

SQLAlchemy takes as long to lend a connection as SQLite needs for a group of webhooks, and it asks
PostgreSQL first whether the connection still stands.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

import asyncpg
import orjson
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store import trips
from store.arrival_form import Entry
from store.arrivals import append, append_there
from store.clock import of_sqlite
from store.engine import QUEUE_TIMEOUT_S
from store.records import Unavailable
from store.taking import Statements

_T = TypeVar("_T")
Clock = Callable[[], datetime]
_CUT = (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, ConnectionError)
# POSTGRES_LIMITS, as the driver writes it
_LIMITS = (
    "SELECT set_config('lock_timeout', $1, true), "
    "set_config('idle_in_transaction_session_timeout', '60s', true)"
)
_HOLD = "SELECT id FROM arrival WHERE id = ANY($1) ORDER BY id FOR UPDATE NOWAIT"


class Lane(Protocol):
    """What writes deliveries down, and what files them."""

    async def append(self, rows: Sequence[Entry]) -> None:
        """Write *rows* down, all of them or none."""
        ...

    async def file(self, ids: Sequence[int], statements: Statements) -> bool:
        """Run *statements* in place of the arrivals *ids*; False when any of those is gone."""
        ...

    def turn(self) -> AbstractAsyncContextManager[None]:
        """The turn of a writer that uses SQLAlchemy."""
        ...

    async def close(self) -> None:
        """Give up what is held, whatever state it is in."""
        ...


class SqliteLane:
    """Shares the one connection for writing, whose pages it has in memory: one turn at a time.

    A connection of its own would throw away what the other remembers of the file at each commit.
    """

    def __init__(self, writing: AsyncEngine, clock: Clock | None) -> None:
        self._writing = writing
        self._clock = clock or of_sqlite
        self._turn = asyncio.Lock()
        self._driver: trips.Connection | None = None
        for gone in ("close", "close_detached", "invalidate"):
            event.listen(writing.sync_engine, gone, self._gone)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for those before, for a limited time."""
        try:
            async with asyncio.timeout(QUEUE_TIMEOUT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable("those before took too long to write") from None
        try:
            yield
        finally:
            self._turn.release()

    async def append(self, rows: Sequence[Entry]) -> None:
        """Write *rows* down in one trip."""
        await self._trip(append, self._clock(), rows)

    async def file(self, ids: Sequence[int], statements: Statements) -> bool:
        """File in one trip."""
        return await self._trip(_file, ids, statements)

    async def close(self) -> None:
        """Nothing is held that the engine does not close."""

    async def _trip(self, call: Callable[..., _T], *told: object) -> _T:
        async with self.turn():
            driver = self._driver
            if driver is None:
                async with self._writing.connect() as connection:
                    raw = await connection.get_raw_connection()
                    driver = self._driver = cast("trips.Connection", raw.driver_connection)
            try:
                return await driver.trip(call, *told)
            except trips.Spoilt:  # the next one begins with a new one
                async with self._writing.connect() as connection:
                    await connection.invalidate()
                raise

    def _gone(self, connection: Any, *_: object) -> None:
        if connection.driver_connection is self._driver:
            self._driver = None


class PostgresLane:
    """A connection of its own for writing down; it does not ask first whether it stands."""

    def __init__(self, writing: AsyncEngine, clock: Clock | None, lock_timeout: str) -> None:
        self._writing = writing
        self._clock = clock
        self._lock_timeout = lock_timeout
        self._turn = asyncio.Lock()
        self._held: AsyncConnection | None = None
        self._closed = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Writers do not wait for each other."""
        yield

    async def append(self, rows: Sequence[Entry]) -> None:
        """Write *rows* down in one round trip.

        Once more where the connection was cut since it was used last: perhaps they stand then
        already, and a delivery that came twice is only counted.
        """
        async with self._turn:
            used = await self._standing()
            try:
                await self._append(rows)
            except _CUT:
                if not used:
                    raise
                await self._standing()
                await self._append(rows)

    async def file(self, ids: Sequence[int], statements: Statements) -> bool:
        """File in one transaction, on a connection of the pool."""
        async with self._writing.connect() as connection:
            driver = await _driver_of(connection)
            try:
                transaction = driver.transaction()
                await transaction.start()
                filed = await self._file(driver, ids, statements)
                await (transaction.commit() if filed else transaction.rollback())
            except BaseException:  # SQLAlchemy knows nothing of what is open there
                await _give_up(connection)
                raise
            return filed

    async def close(self) -> None:
        """Give the connection up; nothing is written down afterwards."""
        self._closed = True
        await self._leave()

    async def _leave(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            try:
                await _give_up(held)
            finally:
                await held.close()

    async def _append(self, rows: Sequence[Entry]) -> None:
        assert self._held is not None  # noqa: S101
        now = self._clock() if self._clock else None
        try:
            await append_there(await _driver_of(self._held), now, rows)
        except BaseException:  # whatever it was: the next one begins with a new one
            await self._leave()
            raise

    async def _standing(self) -> bool:
        """Have a connection; whether it was used before."""
        if self._closed:
            raise Unavailable("the store is closed")
        if self._held is not None:
            if not (await _driver_of(self._held)).is_closed():
                return True
            await self._leave()
        self._held = await self._writing.connect()
        return False

    async def _file(
        self, driver: asyncpg.Connection, ids: Sequence[int], statements: Statements
    ) -> bool:
        await driver.execute(_LIMITS, self._lock_timeout)
        try:
            held = await driver.fetch(_HOLD, ids)
        except asyncpg.LockNotAvailableError:  # whoever has the first of them has them all
            return False
        if len(held) != len(ids):
            return False
        await driver.execute("DELETE FROM arrival WHERE id = ANY($1)", ids)
        for sql, arrays in statements:
            await driver.execute(sql, *arrays)
        return True


async def _driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    return cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)


async def _give_up(connection: AsyncConnection) -> None:
    """Let nobody use it again, without waiting for an answer from the other end."""
    with suppress(SQLAlchemyError, asyncpg.InterfaceError, OSError):
        (await _driver_of(connection)).terminate()
        await connection.invalidate()


def _file(connection: sqlite3.Connection, ids: Sequence[int], statements: Statements) -> bool:
    """In the thread of an SQLite connection."""
    trips.alone(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        these = orjson.dumps(ids).decode()
        gone = connection.execute(
            "DELETE FROM arrival WHERE id IN (SELECT value FROM json_each(?))", (these,)
        )
        filed = gone.rowcount == len(ids)
        if filed:
            for sql, values in statements:
                connection.execute(sql, values)
        connection.execute("COMMIT" if filed else "ROLLBACK")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return filed
