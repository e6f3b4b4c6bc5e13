"""What a database driver says, in the words of `store.records`. The only place that knows both."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from store.records import (
    Corrupt,
    Missing,
    NotMigrated,
    Stale,
    StoreError,
    Unavailable,
    Unstorable,
)

_OUTSIDE = (
    SQLAlchemyError,
    OSError,  # TimeoutError and refused connections are among them
    OverflowError,  # sqlite3's word for an integer of more than 64 bits
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE: dict[str, type[StoreError]] = {
    "23505": Stale,
    "23503": Missing,
    "42P01": NotMigrated,
    "42703": NotMigrated,
    "3D000": Unavailable,
    "XX001": Corrupt,
    "XX002": Corrupt,
}
_BY_CLASS: dict[str, type[StoreError]] = {
    "22": Unstorable,
    "23": StoreError,
    "25": StoreError,
    "42": StoreError,
    "54": Unstorable,  # more than an index or a row takes
    "P0": StoreError,
}
# https://www.sqlite.org/rescode.html
_BY_SQLITE_NAME: dict[str, type[StoreError]] = {
    "SQLITE_CONSTRAINT_UNIQUE": Stale,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Stale,
    "SQLITE_CONSTRAINT_FOREIGNKEY": Missing,
    "SQLITE_CORRUPT": Corrupt,
    "SQLITE_NOTADB": Corrupt,
    "SQLITE_TOOBIG": Unstorable,
    "SQLITE_MISMATCH": Unstorable,
}


@contextmanager
def named_faults() -> Iterator[None]:
    """Let nothing but `StoreError` of what the database and its drivers raise get out."""
    try:
        yield
    except StoreError:
        raise
    except StatementError as error:
        if isinstance(error.orig, StoreError):  # a column type refused the value
            raise error.orig from None
        raise _named(error) from error
    except _OUTSIDE as error:
        raise _named(error) from error


def _named(error: BaseException) -> StoreError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    kind = _kind(cause)
    return kind(_sentence(cause))


def _kind(cause: BaseException) -> type[StoreError]:
    if isinstance(cause, OverflowError):
        return Unstorable
    if isinstance(cause, sqlite3.Error):
        return _kind_of_sqlite(cause)
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is None:
        client_side = isinstance(cause.__cause__, asyncpg.exceptions.DataError)
        return Unstorable if client_side else Unavailable
    return _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2], Unavailable)


def _kind_of_sqlite(cause: sqlite3.Error) -> type[StoreError]:
    name = getattr(cause, "sqlite_errorname", "")
    if name == "SQLITE_ERROR" and "no such" in str(cause):
        return NotMigrated
    if name in _BY_SQLITE_NAME:
        return _BY_SQLITE_NAME[name]
    return StoreError if name.startswith(("SQLITE_CONSTRAINT", "SQLITE_ERROR")) else Unavailable


def _sentence(cause: BaseException) -> str:
    """The first line alone: later ones may quote values."""
    return (str(cause).splitlines() or [""])[0][:200] or type(cause).__name__
