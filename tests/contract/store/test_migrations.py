"""The schema: made in one transaction, whoever else migrates; and it is the declared one."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import store.tables  # noqa: F401  # so that the metadata is complete
from bot.domain.approval import MOVES
from store.address import translate_url
from store.records import NewVersion, StoreError, Unavailable, VersionKind, VersionSource
from store.schema import HEAD
from store.session import MIGRATIONS, migrate, open_store
from tests.builders import NOON, PROD
from tests.contract.store import behind
from tests.contract.store.processes import at_once
from tests.contract.store.things import an_open_case
from tests.plugins.databases import DATABASES
from tests.unit.services.scene import a_document


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path / 'fresh.db'}"


@pytest.fixture
async def empty_postgres_url(postgres_url: str) -> str:
    """A database without any table."""
    async with behind.connected(postgres_url) as sql:
        await sql("DROP SCHEMA public CASCADE")
        await sql("CREATE SCHEMA public")
    return postgres_url


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


async def migrated(url: str) -> None:
    await asyncio.to_thread(migrate, url)


async def tables(url: str) -> list[str]:
    async with behind.connected(url) as sql:
        return await behind.tables(sql)


async def test_a_new_database_can_be_used_after_migrating(empty_url: str) -> None:
    await migrated(empty_url)

    opened = await open_store(empty_url, moves=MOVES)
    try:
        await opened.check()
        assert (await an_open_case(opened)).id > 0
    finally:
        await opened.close()


async def test_migrating_what_is_migrated_changes_nothing(database_url: str) -> None:
    opened = await open_store(database_url, moves=MOVES)
    try:
        case = await an_open_case(opened)
        await migrated(database_url)
        async with opened.read() as tx:
            assert await tx.cases.get(case.id) == case
    finally:
        await opened.close()


async def test_processes_that_migrate_at_once_all_succeed(empty_url: str) -> None:
    await at_once("migrate", empty_url, "a", "b", "c")

    opened = await open_store(empty_url, moves=MOVES)
    try:
        await opened.check()
    finally:
        await opened.close()


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    async with behind.connected(empty_url) as sql:
        await sql("CREATE TABLE slot (somebody_elses TEXT)")

    with pytest.raises(StoreError):
        await migrated(empty_url)

    assert set(await tables(empty_url)) <= {"slot", "alembic_version"}
    async with behind.connected(empty_url) as sql:
        await sql("DROP TABLE slot")
    await migrated(empty_url)


async def test_nobody_waits_behind_a_migration_that_waits_for_a_dump(
    empty_postgres_url: str,
) -> None:
    await asyncio.to_thread(at, empty_postgres_url, "0013")
    config = _config(empty_postgres_url)
    config.attributes.update(table_wait_s=0.1, pause_s=0.05)
    tried = threading.Event()
    listening = _Telling(tried)
    logging.getLogger("env_py").addHandler(listening)
    try:
        async with behind.connected(empty_postgres_url) as dump:
            await dump("BEGIN")
            await dump("SELECT count(*) FROM firing")
            migrating = asyncio.create_task(asyncio.to_thread(command.upgrade, config, "head"))
            assert await asyncio.to_thread(tried.wait, 30)
            async with asyncio.timeout(30), behind.connected(empty_postgres_url) as intake:
                await intake("UPDATE firing SET status = status")
            assert not migrating.done()
            await dump("COMMIT")
        await migrating
    finally:
        logging.getLogger("env_py").removeHandler(listening)

    await migrated(empty_postgres_url)  # it is as this program wants it


class _Telling(logging.Handler):
    """Sets an event with the first warning."""

    def __init__(self, told: threading.Event) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.set()


async def test_migrating_waits_for_no_server_that_is_not_there() -> None:
    with pytest.raises(Unavailable):
        await migrated("postgresql://postgres@127.0.0.1:1/keyturn")


async def test_migrating_a_locked_file_is_unavailable(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.engine.LOCK_TIMEOUT_S", 0.2)
    async with behind.locking(sqlite_url):
        with pytest.raises(Unavailable):
            await migrated(sqlite_url)


async def test_the_schema_in_the_database_is_the_one_that_is_declared(database_url: str) -> None:
    """A column or an index that was added to the tables alone would be missed here."""

    def compared(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection)
        return list(compare_metadata(context, SQLModel.metadata))

    engine = create_async_engine(translate_url(database_url))
    try:
        async with engine.connect() as connection:
            differences = await connection.run_sync(compared)
    finally:
        await engine.dispose()

    assert differences == []


async def test_going_down_takes_everything_away_and_up_brings_it_back(database_url: str) -> None:
    config = _config(database_url)

    await asyncio.to_thread(command.downgrade, config, "base")
    left = await tables(database_url)
    await asyncio.to_thread(command.upgrade, config, "head")

    assert set(left) - {"sqlite_sequence"} == {"alembic_version"}  # SQLite keeps that one
    opened = await open_store(database_url, moves=MOVES)
    try:
        await opened.check()
    finally:
        await opened.close()


def test_the_program_wants_the_newest_revision() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))

    assert scripts.get_heads() == [HEAD]


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = translate_url(url)
    return config


def at(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = translate_url(url)
    command.upgrade(config, revision)


async def test_manifests_of_the_first_form_are_read_after_they_were_packed(empty_url: str) -> None:
    document = a_document()
    await asyncio.to_thread(at, empty_url, "0004")
    async with behind.connected(empty_url) as sql:
        ids = {part.hash: n for n, part in enumerate(document.parts, start=1)}
        parts = [[part.path, ids[part.hash]] for part in document.parts]
        for part in {part.hash: part for part in document.parts}.values():
            data = zstandard.ZstdCompressor().compress(part.data)
            columns = "id, hash, encoding, data"
            await sql(
                f"INSERT INTO part ({columns}) VALUES (?, ?, ?, ?)",
                *(ids[part.hash], part.hash, "zstd", data),
            )
        await sql(
            "INSERT INTO manifest (root, meaning, mode, parts) VALUES (?, ?, ?, ?)",
            *(document.root, document.meaning, document.mode, json.dumps(parts)),
        )
    await migrated(empty_url)

    store = await open_store(empty_url, moves=MOVES)
    try:
        new = NewVersion(
            PROD, VersionKind.PUBLISHED, VersionSource.PUBLISHED, "v1", "h", published_at=NOON
        )
        async with store.write() as tx:
            version = await tx.versions.record(new, document)
        async with store.read() as tx:
            assert (await tx.versions.document(version.id)).content == document.content
    finally:
        await store.close()
