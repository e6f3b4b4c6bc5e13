"""From a URL to an engine: what is taken, what is refused, and what a commit means."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bot.domain.approval import MOVES
from store.address import translate_url
from store.engine import open_engines
from store.records import Unavailable
from store.session import open_store


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("keyturn.db", "sqlite+aiosqlite:///keyturn.db"),
        ("/var/lib/keyturn.db", "sqlite+aiosqlite:////var/lib/keyturn.db"),
        ("sqlite:///keyturn.db", "sqlite+aiosqlite:///keyturn.db"),
        ("sqlite+aiosqlite:////tmp/k.db", "sqlite+aiosqlite:////tmp/k.db"),
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://u:p@h:5433/d", "postgresql+asyncpg://u:p@h:5433/d"),
        ("postgresql+psycopg://h/d", "postgresql+asyncpg://h/d"),
        ("postgres://h/d?sslmode=require", "postgresql+asyncpg://h/d?ssl=require"),
        ("postgres://h/d?channel_binding=require", "postgresql+asyncpg://h/d"),
        ("postgresql://u@/d?host=/run/pg", "postgresql+asyncpg://u@/d?host=%2Frun%2Fpg"),
        ("postgres://u:p%40%2Fss@h/d", "postgresql+asyncpg://u:p%40%2Fss@h/d"),
    ],
)
def test_the_ways_to_write_a_database_are_understood(given: str, meant: str) -> None:
    assert translate_url(given).render_as_string(hide_password=False) == meant


@pytest.mark.parametrize(
    "given",
    [
        "mysql://u:s3cr3t@h/d",
        "postgres://u:s3cr3t@h/d?sslmode=maybe",
        "postgres://u:s3cr3t@h/d?options=-c%20fsync=off",
        "postgres://u:s3cr3t@h:no-port/d",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
        "",
        "://",
    ],
)
def test_what_cannot_be_used_is_refused_without_a_word_of_the_password(given: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refused:
        translate_url(given)

    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(("there", "mode"), [(False, 0o600), (True, 0o660)])
async def test_a_new_file_is_its_owners_alone_and_one_that_is_there_stays_as_it_is(
    tmp_path: Path, there: bool, mode: int
) -> None:
    if there:
        (tmp_path / "k.db").touch()
        (tmp_path / "k.db").chmod(mode)
    before = os.umask(0o022)
    try:
        engines = open_engines(translate_url(str(tmp_path / "k.db")), durable=False)
        async with engines[0].begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE t (n)")
            found = modes(tmp_path)
    finally:
        os.umask(before)
        for engine in engines:
            await engine.dispose()

    assert found == dict.fromkeys(("k.db", "k.db-wal", "k.db-shm"), mode)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 0)])
async def test_a_commit_is_on_the_disk_unless_a_test_asks_otherwise(
    tmp_path: Path, durable: bool, level: int
) -> None:
    for engine in open_engines(translate_url(str(tmp_path / "k.db")), durable=durable):
        async with engine.connect() as connection:
            found = {
                name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("synchronous", "journal_mode", "foreign_keys")
            }
        await engine.dispose()
        assert found == {"synchronous": level, "journal_mode": "wal", "foreign_keys": 1}


async def test_production_waits_for_the_disk(tmp_path: Path) -> None:
    store = await open_store(str(tmp_path / "k.db"), moves=MOVES)
    try:
        async with store.write() as tx:
            connection = await tx.audit._session.connection()
            found = await connection.exec_driver_sql("PRAGMA synchronous")
            assert found.scalar_one() == 2
    finally:
        await store.close()


async def test_a_root_certificate_that_is_not_there_is_said_before_anything_is_sent() -> None:
    url = "postgresql://u@127.0.0.1:1/d?sslmode=verify-full&sslrootcert=/no/such.pem"

    with pytest.raises(Unavailable, match="No such file"):
        await open_store(url, moves=MOVES)


@pytest.mark.parametrize(
    ("given", "host", "password"),
    [
        ("postgres://u:p@ss@h/d", "h", "p@ss"),
        ("postgres://u:50%25@h/d", "h", "50%"),
        ("postgres://u:50%@h/d", "h", "50%"),
        ("postgres://u:a:b@h/d", "h", "a:b"),
        ("postgresql+psycopg2://u:p%40%3A@[::1]:5/d", "::1", "p@:"),
    ],
)
def test_a_password_may_hold_what_an_address_is_made_of(
    given: str, host: str, password: str
) -> None:
    url = translate_url(given)

    assert (url.host, url.password, url.username, url.database) == (host, password, "u", "d")


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("ssl=true", "require"),
        ("ssl=false", "disable"),
        ("ssl=verify-full", "verify-full"),
        ("sslmode=verify-ca&connect_timeout=3", "verify-ca"),
    ],
)
def test_tls_is_asked_for_in_either_word(query: str, meant: str) -> None:
    assert dict(translate_url(f"postgres://u@h/d?{query}").query) == {"ssl": meant}


@pytest.mark.parametrize("writing", [True, False])
async def test_what_was_begun_past_the_session_ends_with_the_connection(
    sqlite_url: str, writing: bool
) -> None:
    engines = open_engines(translate_url(sqlite_url), durable=False)
    engine = engines[0] if writing else engines[1]
    begin = "BEGIN IMMEDIATE" if writing else "BEGIN"

    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.execute(begin)
        await driver.execute("SELECT count(*) FROM pause")
        assert driver.in_transaction

    async with engine.connect() as connection:
        again = (await connection.get_raw_connection()).driver_connection
        assert again is driver
        assert not again.in_transaction
    for one in engines:
        await one.dispose()
