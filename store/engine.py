"""SQLite or PostgreSQL from one URL; transactions that really lock; database errors by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from store.records import StoreError, Unavailable

BUSY_TIMEOUT_S = 5.0
POOL_SIZE = 10
_SCHEMES = {"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"}


def translate_url(url: str) -> URL:
    """Return *url* as SQLAlchemy's async URL.

    Takes `postgres://`, `postgresql://` (with libpq's `sslmode`), `sqlite:///path`,
    `sqlite+aiosqlite:///path` and a plain file path.

    Raises:
        ValueError: It is none of these.
    """
    scheme, colon, rest = url.partition("://")
    if not colon:
        return URL.create("sqlite+aiosqlite", database=url)
    if scheme in {"sqlite", "sqlite+aiosqlite"}:
        return make_url(f"sqlite+aiosqlite://{rest}")
    if scheme not in _SCHEMES:
        raise ValueError(f"cannot use a database of the kind {scheme!r}")
    base, _, query = rest.partition("?")
    pairs = [("ssl" if k == "sslmode" else k, v) for k, v in parse_qsl(query)]
    return make_url(f"postgresql+asyncpg://{base}" + (f"?{urlencode(pairs)}" if pairs else ""))


def open_engine(url: URL, *, writing: bool = True) -> AsyncEngine:
    """Return an engine; on SQLite one for writing begins its transactions with a lock.

    SQLite begins transactions deferred: one that reads and then writes fails at once when
    another has written meanwhile, whatever the timeout. So writers BEGIN IMMEDIATE
    (https://www.sqlite.org/lang_transaction.html), and readers have an engine of their own.
    """
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True, pool_size=POOL_SIZE, max_overflow=5)
    engine = create_async_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_S}, pool_size=1 if writing else 4
    )
    begin = "BEGIN IMMEDIATE" if writing else "BEGIN"

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def naming_errors() -> Iterator[None]:
    """Turn what the database says into our words; nothing of SQLAlchemy's gets out.

    Lost connections, locks, full disks and unknown commits are `Unavailable`: the caller may
    do the same again, since every write is known by a natural key.
    """
    try:
        yield
    except StoreError:
        raise
    except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
        raise Unavailable(_short(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated or _passing(error):
            raise Unavailable(_short(error)) from error
        if isinstance(error.orig, StoreError):  # a column type refused the value
            raise error.orig from error
        raise
    except SQLAlchemyError as error:
        if isinstance(error.__cause__, StoreError):
            raise error.__cause__ from error
        raise


def _passing(error: DBAPIError) -> bool:
    """PostgreSQL: connection (08), deadlock (40), resources (53), shutdown (57), lock (55P03)."""
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""
    return str(code)[:2] in {"08", "40", "53", "57"} or str(code) == "55P03"


def _short(error: BaseException) -> str:
    """The driver's own words, without the statement and its values."""
    return str(getattr(error, "orig", error) or error).splitlines()[0][:200]
