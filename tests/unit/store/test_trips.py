"""A statement makes one trip to SQLite's thread, and brings what sqlite3 itself would bring."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from store.engine import open_engines
from store.trips import AT_ONCE, connecting

MANY = 2 * AT_ONCE + 7
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) SELECT i FROM n"


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[aiosqlite.Connection]:
    url = make_url(f"sqlite+aiosqlite:///{tmp_path / 'some.db'}")
    opened = await connecting(url, isolation_level=None)()
    yield opened
    await opened.close()


def counted(connection: aiosqlite.Connection, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is called in the connection's thread from now on."""
    trips: list[Any] = []
    real = connection._execute

    async def noted(call: Any, *told: Any, **more: Any) -> Any:
        trips.append(call)
        return await real(call, *told, **more)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(connection, "_execute", noted)
    return trips


@pytest.mark.parametrize("there", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, MANY])
@pytest.mark.parametrize("size", [1, 64, AT_ONCE, MANY + 1])
async def test_rows_come_in_parts_of_any_size_each_once(
    connection: aiosqlite.Connection, there: int, size: int
) -> None:
    cursor = await connection.cursor()
    await cursor.execute("SELECT 1" + " WHERE 0" * (not there))
    if there:
        await cursor.execute(NUMBERS.format(there))

    parts = []
    while part := list(await cursor.fetchmany(size)):
        parts.append(part)

    assert [row for part in parts for row in part] == [(n,) for n in range(1, there + 1)]
    assert all(len(part) == size for part in parts[:-1])
    assert await cursor.fetchone() is None
    assert list(await cursor.fetchall()) == []


@pytest.mark.parametrize("there", [1, AT_ONCE, MANY])
async def test_what_was_not_fetched_comes_in_the_end(
    connection: aiosqlite.Connection, there: int
) -> None:
    cursor = await connection.cursor()
    await cursor.execute(NUMBERS.format(there))

    assert await cursor.fetchone() == (1,)
    assert len(list(await cursor.fetchall())) == there - 1


async def test_a_statement_of_few_rows_makes_one_trip(
    connection: aiosqlite.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = counted(connection, monkeypatch)

    async with connection.cursor() as cursor:
        await cursor.execute("SELECT 1 AS a, 2 AS b")
        assert [name for name, *_ in cursor.description] == ["a", "b"]
        assert list(await cursor.fetchall()) == [(1, 2)]

    assert len(trips) == 1


async def test_a_cursor_says_what_was_changed(connection: aiosqlite.Connection) -> None:
    cursor = await connection.cursor()
    await cursor.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    await cursor.executemany("INSERT INTO t (x) VALUES (?)", [("a",), ("b",), ("c",)])
    assert cursor.rowcount == 3

    await cursor.execute("INSERT INTO t (x) VALUES (?) RETURNING id", ("d",))
    assert await cursor.fetchone() == (4,)
    assert cursor.lastrowid == 4

    await cursor.executescript("DELETE FROM t WHERE id = 1; DELETE FROM t WHERE id = 2;")
    await cursor.execute("SELECT x FROM t ORDER BY x")
    assert [row async for row in cursor] == [("c",), ("d",)]


async def test_a_wrong_statement_is_sqlites_own_error(connection: aiosqlite.Connection) -> None:
    cursor = await connection.cursor()

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await cursor.execute("SELECT * FROM nowhere")

    await cursor.execute("SELECT 1")
    assert await cursor.fetchone() == (1,)


async def test_a_result_that_is_left_in_the_middle_holds_no_lock(
    connection: aiosqlite.Connection,
) -> None:
    cursor = await connection.cursor()
    await cursor.execute("CREATE TABLE t (x)")
    await cursor.execute(f"INSERT INTO t {NUMBERS.format(MANY)}")
    await cursor.execute("SELECT x FROM t")
    await cursor.close()

    await connection.execute("DROP TABLE t")  # refused while a statement still reads it


async def test_sqlalchemy_streams_a_long_result(tmp_path: Path) -> None:
    engines = open_engines(make_url(f"sqlite+aiosqlite:///{tmp_path / 'some.db'}"), durable=False)
    try:
        async with engines[0].connect() as connection:
            result = await connection.stream(
                text(NUMBERS.format(MANY)), execution_options={"yield_per": 100}
            )
            sizes = [len(part) async for part in result.partitions(100)]
    finally:
        for engine in engines:
            await engine.dispose()

    assert sizes == [100] * (MANY // 100) + [MANY % 100]
