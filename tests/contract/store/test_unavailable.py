"""A database that is locked, lost, full or damaged is named in our own words, and got over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.approval import MOVES
from store.records import Corrupt, Missing, NotMigrated, StoreError, Unavailable
from store.session import SqlStore, Transaction, migrate, open_store
from tests.contract.store import behind
from tests.contract.store.things import (
    a_delivery,
    a_document,
    an_entry,
    an_item,
    an_open_case,
    new_version,
    recorded,
    taken,
)

SHORT_S = 0.2


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[SqlStore]:
    store = await open_store(url, moves=MOVES, lock_timeout_s=SHORT_S, durable=False)
    try:
        yield store
    finally:
        await store.close()


async def test_a_database_that_stays_locked_is_unavailable_until_it_is_free(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        async with behind.locking(database_url):
            with pytest.raises(Unavailable):
                await an_open_case(store)

        await an_open_case(store)


async def test_a_lock_that_is_given_back_in_time_is_waited_for(
    store: SqlStore, database_url: str
) -> None:
    async with behind.locking(database_url):
        waiting = asyncio.create_task(an_open_case(store))
        await asyncio.wait({waiting}, timeout=0.2)
        assert not waiting.done()

    assert (await asyncio.wait_for(waiting, timeout=20)).id > 0


async def test_a_connection_that_is_cut_inside_a_transaction_is_unavailable(
    postgres_url: str,
) -> None:
    async with opened(postgres_url) as store:

        async def attempt() -> None:
            async with store.write() as tx:
                await tx.inbox.put(an_item("lost"))
                await behind.cut_connections(postgres_url)
                await tx.inbox.put(an_item("lost too"))

        with pytest.raises(Unavailable):
            await attempt()

        async with store.write() as tx:
            assert await tx.inbox.put(an_item("lost"))


async def test_a_connection_that_is_cut_before_the_commit_is_unavailable(
    postgres_url: str,
) -> None:
    async with opened(postgres_url) as store:

        async def attempt() -> None:
            async with store.write() as tx:
                await tx.inbox.put(an_item("lost"))
                await behind.cut_connections(postgres_url)

        with pytest.raises(Unavailable):
            await attempt()

        async with store.write() as tx:
            assert await tx.inbox.put(an_item("lost"))


async def test_connections_that_were_cut_while_idle_are_replaced_unnoticed(
    postgres_url: str,
) -> None:
    async with opened(postgres_url) as store:
        await an_open_case(store)
        await behind.cut_connections(postgres_url)

        async with store.read() as tx:
            assert len(await tx.cases.open_cases()) == 1
        await an_open_case(store)


async def test_a_reader_whose_connection_is_cut_is_told_so(postgres_url: str) -> None:
    async with opened(postgres_url) as store:

        async def attempt() -> None:
            async with store.read() as tx:
                await tx.outbox.waiting()
                await behind.cut_connections(postgres_url)
                await tx.outbox.waiting()

        with pytest.raises(Unavailable):
            await attempt()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@127.0.0.1:1/keyturn",
        "postgresql://postgres@/keyturn?host=/nowhere/at/all",
    ],
)
async def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    with pytest.raises(Unavailable):
        await open_store(url, moves=MOVES)


async def test_a_database_that_is_not_there_is_unavailable(postgres_url: str) -> None:
    with pytest.raises(Unavailable):
        await open_store(behind.renamed(postgres_url, "nobody_made_it"), moves=MOVES)


async def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await open_store(f"sqlite:///{tmp_path}/nowhere/keyturn.db", moves=MOVES)


async def test_a_full_disk_is_unavailable_and_leaves_nothing_half(sqlite_url: str) -> None:
    async with opened(sqlite_url) as store:
        await recorded(store, new_version("live-1"), a_document())
        await behind.fill_up(store)
        large = a_document("word " * 200_000)

        with pytest.raises(Unavailable):
            async with store.write() as tx:
                await tx.audit.append(an_entry(what={"text": large.root * 50_000}))

        async with store.read() as tx:
            assert await tx.audit.entries() == []
        await behind.make_room(store)
        async with store.write() as tx:
            await tx.audit.append(an_entry(what={"text": large.root * 50_000}))


async def test_a_damaged_file_is_not_opened(sqlite_url: str) -> None:
    async with opened(sqlite_url) as store:
        for n in range(30):
            await recorded(store, new_version(f"v{n}"), a_document(f"prompt {n}" * 50))
    behind.scratch(sqlite_url)

    with pytest.raises(Corrupt):
        await open_store(sqlite_url, moves=MOVES)


async def test_a_file_that_is_no_database_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "keyturn.db"
    path.write_text("These are the minutes of last week's meeting. " * 200)

    with pytest.raises(Corrupt):
        await open_store(f"sqlite:///{path}", moves=MOVES)

    assert path.read_text().startswith("These are the minutes")


async def test_a_file_that_is_damaged_while_it_is_open_is_corrupt(sqlite_url: str) -> None:
    async with opened(sqlite_url) as store:
        for n in range(30):
            await recorded(store, new_version(f"v{n}"), a_document(f"prompt {n}" * 50))
    async with opened(sqlite_url) as store:
        behind.overwrite(sqlite_url)

        with pytest.raises(Corrupt):
            async with store.read() as tx:
                await tx.audit.entries()


async def test_a_database_without_a_schema_is_not_migrated(
    tmp_path: Path, postgres_url: str
) -> None:
    async with opened(f"sqlite:///{tmp_path}/new.db") as store:
        with pytest.raises(NotMigrated):
            await store.check()
        with pytest.raises(NotMigrated):
            await an_open_case(store)
    async with behind.connected(postgres_url) as sql:
        await sql("DROP SCHEMA public CASCADE")
        await sql("CREATE SCHEMA public")
    async with opened(postgres_url) as store:
        with pytest.raises(NotMigrated):
            await store.check()
        with pytest.raises(NotMigrated):
            await an_open_case(store)


@pytest.mark.parametrize("revision", ["0001", "zzzz", "99999"])
async def test_a_schema_of_before_or_of_nobody_is_not_migrated(
    database_url: str, revision: str
) -> None:
    async with behind.connected(database_url) as sql:
        await sql(f"UPDATE alembic_version SET version_num = '{revision}'")

    async with opened(database_url) as store:
        with pytest.raises(NotMigrated):
            await store.check()


async def test_what_a_later_release_has_migrated_is_fine_and_stays_so(database_url: str) -> None:
    """Replicas are replaced one after the other, and may be put back."""
    async with behind.connected(database_url) as sql:
        await sql("UPDATE alembic_version SET version_num = '9999'")

    await asyncio.to_thread(migrate, database_url)

    async with opened(database_url) as store:
        await store.check()
    async with behind.connected(database_url) as sql:
        assert await sql("SELECT version_num FROM alembic_version") == [("9999",)]


async def test_a_migrated_database_is_fine(store: SqlStore) -> None:
    await store.check()


async def test_the_words_for_a_fault_quote_no_value(store: SqlStore) -> None:
    """They go to logs; what was to be written may be anybody's secret."""

    async def attempt() -> None:
        async with store.write() as tx:
            await recorded_twice(tx)

    async def recorded_twice(tx: Transaction) -> None:
        for secret in ("s3cr3t-1", "s3cr3t-2"):
            await tx.versions.record(new_version(secret, number=1), a_document(secret))

    with pytest.raises(StoreError) as refused:
        await attempt()

    assert "s3cr3t" not in str(refused.value)


async def test_what_belongs_to_nothing_is_missing(store: SqlStore) -> None:
    (firing,) = await taken(store, a_delivery())

    async def attempt() -> None:
        async with store.write() as tx:
            await tx.alerts.assign([firing.id], 404)

    with pytest.raises(Missing):
        await attempt()
