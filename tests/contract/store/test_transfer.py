"""The whole of one database into another, empty one: everything, compared, or nothing."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.approval import MOVES
from store import transfer
from store.audit import verify
from store.records import Corrupt, NotEmpty, PauseOrigin, StillUsed
from store.session import SqlStore, migrate, open_store
from tests.builders import PROD
from tests.contract.store import behind, raw
from tests.contract.store.things import (
    a_delivery,
    a_document,
    an_entry,
    an_item,
    an_open_rollback,
    new_draft,
    new_version,
    outgoing,
    recorded,
    taken,
)

LEASE = timedelta(seconds=30)
SPOILED = "UPDATE audit SET user_id = 'mallory' WHERE seq = 1"


@pytest.fixture
def empty_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of another migrated database, which is empty."""
    path = tmp_path / "empty.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


async def filled(store: SqlStore) -> None:
    """Put something into every corner."""
    rollback = await an_open_rollback(store)
    for n, prompt in enumerate(("Answer kindly.", "Answer wrongly.", "Answer wrongly!")):
        await recorded(store, new_version(f"live-{n}"), a_document(prompt))
    await recorded(store, new_draft(), a_document("Answer in rhyme."))
    await taken(store, a_delivery())
    async with store.write() as tx:
        await tx.inbox.put(an_item("clicked"))
        await tx.outbox.put(outgoing("card"))
        await tx.seals.put(rollback.id, b"sealed\x00")
        await tx.audit.append_many([an_entry(what={"n": n}) for n in range(7)])


def nobody(done: int, now: str) -> None:
    """Nobody watches."""


async def test_everything_comes_over_as_it_was_and_the_copy_is_paused(
    store: SqlStore, database_url: str, empty_url: str
) -> None:
    await filled(store)
    steps: list[tuple[int, str]] = []

    await transfer.check_unused(database_url)
    await transfer.check_empty(empty_url)
    done = await transfer.transfer(
        database_url, empty_url, advance=lambda n, table: steps.append((n, table))
    )

    assert sum(done.rows.values()) == steps[-1][0]
    assert await transfer.rows_in(database_url) == steps[-1][0]
    other = await open_store(empty_url, moves=MOVES)
    try:
        chain = await verify(other)
        async with store.read() as here, other.read() as there:
            assert await there.versions.history(PROD) == await here.versions.history(PROD)
            for version in await here.versions.stored():
                before = await here.versions.document(version.id)
                assert (await there.versions.document(version.id)).content == before.content
            heads = await there.audit.head(), await here.audit.head()
            paused = await there.pause.current()
        next_version = await recorded(other, new_version("live-9"), a_document("later"))
    finally:
        await other.close()
    assert chain.ok
    assert heads == ((chain.entries, chain.head),) * 2
    assert done.head == chain.head
    assert paused is not None
    assert paused.origin is PauseOrigin.COPY
    assert next_version.number == 4


async def test_what_holds_something_is_not_filled(
    store: SqlStore, database_url: str, empty_url: str
) -> None:
    await filled(store)
    await transfer.transfer(database_url, empty_url, advance=nobody)

    with pytest.raises(NotEmpty, match="has rows"):
        await transfer.check_empty(empty_url)
    with pytest.raises(NotEmpty, match="has rows"):
        await transfer.transfer(database_url, empty_url, advance=nobody)


async def test_a_database_with_tables_of_others_is_theirs(empty_url: str) -> None:
    await raw.run(empty_url, "CREATE TABLE invoices (id INTEGER)")

    with pytest.raises(NotEmpty, match="not Keyturn's: invoices"):
        await transfer.check_empty(empty_url)


@pytest.mark.parametrize("what", ["inbox", "outbox", "slot"])
async def test_a_database_that_a_service_holds_something_of_is_in_use(
    store: SqlStore, database_url: str, what: str
) -> None:
    await filled(store)
    await transfer.check_unused(database_url)
    async with store.write() as tx:
        if what == "inbox":
            assert await tx.inbox.claim("w1", lease=LEASE)
        elif what == "outbox":
            assert await tx.outbox.claim("w1", lease=LEASE)
        else:
            assert await tx.slots.claim("job", period=LEASE, owner="w1", lease=LEASE)

    with pytest.raises(StillUsed, match="free after"):
        await transfer.check_unused(database_url)


async def test_a_broken_chain_is_not_copied_and_nothing_is_kept(
    store: SqlStore, database_url: str, empty_url: str
) -> None:
    await filled(store)
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(SPOILED)

    with pytest.raises(Corrupt, match="broken at 1"):
        await transfer.transfer(database_url, empty_url, advance=nobody)

    await transfer.check_empty(empty_url)


async def test_a_database_that_is_not_migrated_has_nothing_in_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fresh.db'}"

    await transfer.check_empty(url)
    await asyncio.to_thread(migrate, url)
    await transfer.check_empty(url)
