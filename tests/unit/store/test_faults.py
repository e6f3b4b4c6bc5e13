"""What drivers say, in our words: each code of each database has one name."""

from __future__ import annotations

import sqlite3

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from store.faults import named_faults
from store.records import (
    Corrupt,
    Missing,
    NaiveTime,
    NotMigrated,
    Stale,
    StoreError,
    Unavailable,
    Unstorable,
)

SECRET = "xoxb-a-token"  # what a driver may quote on its second line


def named(error: BaseException) -> StoreError:
    with pytest.raises(StoreError) as found, named_faults():
        raise error
    return found.value


def of_sqlite(name: str, text: str = "said") -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


def of_postgres(sqlstate: str) -> asyncpg.PostgresError:
    return asyncpg.PostgresError.new({"C": sqlstate, "M": "said", "D": SECRET})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_BUSY", Unavailable),
        ("SQLITE_BUSY_SNAPSHOT", Unavailable),
        ("SQLITE_FULL", Unavailable),
        ("SQLITE_IOERR_WRITE", Unavailable),
        ("SQLITE_CANTOPEN", Unavailable),
        ("SQLITE_READONLY", Unavailable),
        ("SQLITE_CORRUPT", Corrupt),
        ("SQLITE_NOTADB", Corrupt),
        ("SQLITE_CONSTRAINT_UNIQUE", Stale),
        ("SQLITE_CONSTRAINT_PRIMARYKEY", Stale),
        ("SQLITE_CONSTRAINT_FOREIGNKEY", Missing),
        ("SQLITE_CONSTRAINT_TRIGGER", StoreError),
        ("SQLITE_TOOBIG", Unstorable),
        ("SQLITE_ERROR", StoreError),
        ("", Unavailable),
    ],
)
def test_what_sqlite_says_has_a_name(name: str, kind: type[StoreError]) -> None:
    assert type(named(of_sqlite(name))) is kind
    assert type(named(DBAPIError("SELECT 1", {}, of_sqlite(name)))) is kind


@pytest.mark.parametrize("what", ["no such table: cases", "no such column: x"])
def test_a_missing_table_is_a_missing_migration(what: str) -> None:
    assert type(named(of_sqlite("SQLITE_ERROR", what))) is NotMigrated


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("08006", Unavailable),
        ("57P01", Unavailable),
        ("53300", Unavailable),
        ("53100", Unavailable),
        ("40P01", Unavailable),
        ("40001", Unavailable),
        ("55P03", Unavailable),
        ("28P01", Unavailable),
        ("3D000", Unavailable),
        ("23505", Stale),
        ("23503", Missing),
        ("23502", StoreError),
        ("42P01", NotMigrated),
        ("42703", NotMigrated),
        ("42601", StoreError),
        ("22021", Unstorable),
        ("XX001", Corrupt),
        ("P0001", StoreError),
    ],
)
def test_what_postgresql_says_has_a_name(sqlstate: str, kind: type[StoreError]) -> None:
    fault = named(of_postgres(sqlstate))

    assert type(fault) is kind
    assert SECRET not in str(fault)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        TimeoutError(),
        asyncpg.InterfaceError("connection is closed"),
        PoolTimeout("QueuePool limit"),
    ],
)
def test_a_database_that_does_not_answer_is_unavailable(error: BaseException) -> None:
    fault = named(error)

    assert type(fault) is Unavailable
    assert str(fault)


def test_an_integer_that_is_too_long_for_a_column_is_unstorable() -> None:
    assert type(named(OverflowError("Python int too large"))) is Unstorable


def test_what_a_column_refused_comes_out_as_it_was() -> None:
    refused = NaiveTime("no zone")

    assert named(StatementError("said", "INSERT", {}, refused)) is refused


def test_our_own_words_and_the_callers_mistakes_pass() -> None:
    own = Stale("moved on")

    assert named(own) is own
    with pytest.raises(ZeroDivisionError), named_faults():
        raise ZeroDivisionError
