"""SQLite or PostgreSQL from one URL; transactions that really lock, and wait for a limited time."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import PoolResetState, event, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from store.trips import connecting

LOCK_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5
COMMAND_TIMEOUT_S = 30
QUEUE_TIMEOUT_S = 30  # how long a writer waits for those before it, in this process
POOL_SIZE = 10

# A writer that waits for a row longer than SQLite's would wait gives up in the same way, and a
# process that was stopped inside a transaction does not hold its locks for ever.
POSTGRES_LIMITS = text(
    "SELECT set_config('lock_timeout', :lock_timeout, true), "
    "set_config('idle_in_transaction_session_timeout', '60s', true)"
)


def open_engines(
    url: URL, *, lock_timeout_s: float = LOCK_TIMEOUT_S, durable: bool = True
) -> tuple[AsyncEngine, AsyncEngine]:
    """Return an engine for writing and one for reading.

    On SQLite they wait *lock_timeout_s* for others; a commit is on the disk when it returns,
    unless it shall not be *durable* (the file is a test's). No error of either carries statement
    parameters: they hold what must not be logged.
    """
    if url.get_backend_name() == "sqlite":
        one = partial(_sqlite, url, lock_timeout_s=lock_timeout_s, durable=durable)
        return one(writing=True), one(writing=False)
    url, tls = _tls(url)
    writing = create_async_engine(
        url,
        pool_pre_ping=True,
        pool_size=POOL_SIZE + 1,  # one is held for webhooks: see `store.lanes`
        max_overflow=0,  # else a burst of clicks opens connections that are closed at once
        pool_timeout=QUEUE_TIMEOUT_S,
        hide_parameters=True,
        connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": COMMAND_TIMEOUT_S, **tls},
    )
    reading = writing.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return writing, reading


def _tls(url: URL) -> tuple[URL, dict[str, ssl.SSLContext]]:
    """Take libpq's `sslrootcert` out of *url*: asyncpg knows it in the environment alone.

    With a root certificate `require` verifies the chain
    (https://www.postgresql.org/docs/current/libpq-ssl.html).

    Raises:
        OSError: The file cannot be read or holds no certificate.
    """
    root = url.query.get("sslrootcert")
    url = url.difference_update_query(["sslrootcert"])
    if root is None or url.query.get("ssl") not in {"require", "verify-ca", "verify-full"}:
        return url, {}
    context = ssl.create_default_context(cafile=None if root == "system" else str(root))
    context.check_hostname = url.query["ssl"] == "verify-full" or root == "system"
    return url.difference_update_query(["ssl"]), {"ssl": context}


def _sqlite(url: URL, *, writing: bool, lock_timeout_s: float, durable: bool) -> AsyncEngine:
    """An engine whose writers begin with a lock, and whose readers cannot write.

    SQLite begins transactions deferred: one that reads and then writes fails at once when
    another has written meanwhile, whatever the timeout. So writers BEGIN IMMEDIATE, one at a
    time in this process (https://www.sqlite.org/lang_transaction.html).
    """
    engine = create_async_engine(
        url,
        pool_size=1 if writing else 4,
        max_overflow=0 if writing else 8,
        pool_timeout=QUEUE_TIMEOUT_S,
        hide_parameters=True,
        async_creator=connecting(url, timeout=lock_timeout_s, isolation_level=None),
        pool_reset_on_return=None,  # see `_end_transaction`
    )
    begin = "BEGIN IMMEDIATE" if writing else "BEGIN"

    def prepare(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone() != ("wal",):  # setting it takes a lock, and it stays set
            cursor.execute("PRAGMA journal_mode = WAL")
        if writing:
            # pages of 4 KiB; at SQLite's 1,000 a storm stops for it at every thirtieth commit
            cursor.execute("PRAGMA wal_autocheckpoint = 8000")
            # bytes; a long reader lets the file grow, and without it the file would stay so
            cursor.execute("PRAGMA journal_size_limit = 67108864")
            # KiB; at SQLite's 2,000 indexes of a few days are read again and again
            cursor.execute("PRAGMA cache_size = -16384")
        else:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", lambda c: c.exec_driver_sql(begin))
    event.listen(engine.sync_engine, "reset", _end_transaction)
    if writing:
        event.listen(engine.sync_engine, "invalidate", _give_the_lock_back)
    return engine


def _end_transaction(connection: Any, _: object, state: PoolResetState) -> None:
    """Roll back what was not ended when a connection comes back to its pool.

    SQLAlchemy does so unasked, also where nothing is open: a trip to the connection's thread.
    """
    if state.asyncio_safe and connection.driver_connection.in_transaction:
        connection.rollback()


_rollbacks: set[asyncio.Task[None]] = set()  # a loop holds its tasks weakly


async def settled() -> None:
    """Wait for what was begun with connections that were thrown away."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(task for task in _rollbacks if task.get_loop() is loop))


def _give_the_lock_back(connection: Any, _record: object, _error: object) -> None:
    """Roll a writer's connection back before the pool throws it away, as after a cancellation.

    Closed with a statement that is not read to its end, as a cancelled one is, a connection
    lives on with its lock until the statement is collected
    (https://www.sqlite.org/c3ref/close.html). The pool closes in a task that it makes after
    this one, so the rollback is queued first.
    """

    async def roll_back() -> None:
        with suppress(sqlite3.Error, ValueError):  # it is closed already, or was never open
            await connection.driver_connection.rollback()

    task = asyncio.get_running_loop().create_task(roll_back())
    _rollbacks.add(task)
    task.add_done_callback(_rollbacks.discard)
