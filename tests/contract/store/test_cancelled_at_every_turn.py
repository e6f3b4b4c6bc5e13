"""A writer that was cancelled takes no lock into its grave, at whatever turn of the loop."""

from __future__ import annotations

import asyncio

from store.session import SqlStore
from tests.contract.store import raw
from tests.contract.store.things import a_delivery, an_entry, an_item


async def write(store: SqlStore, digest: str) -> None:
    async with store.write() as tx:
        await tx.inbox.put(an_item(digest))
        await tx.audit.append(an_entry(digest))


async def test_the_lock_of_a_cancelled_writer_is_free_though_its_error_is_kept(
    sqlite_store: SqlStore,
) -> None:
    """The error's traceback holds the statement that was cut off, and it the connection."""

    await write(sqlite_store, "first")
    kept: list[BaseException | None] = []
    for turns in range(60):
        writer = asyncio.create_task(write(sqlite_store, f"cancelled-{turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        writer.cancel()
        kept += await asyncio.gather(writer, return_exceptions=True)
        async with asyncio.timeout(30):
            await write(sqlite_store, f"next-{turns}")

    assert any(isinstance(error, asyncio.CancelledError) for error in kept)


async def test_what_is_kept_after_a_cancelled_writer_is_no_part_of_what_it_left(
    sqlite_store: SqlStore, sqlite_url: str
) -> None:
    """It is told to be durable: another process sees it, whatever became of the writer."""
    for turns in range(60):
        writer = asyncio.create_task(write(sqlite_store, f"cancelled-{turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        async with asyncio.timeout(30):
            await sqlite_store.keep([a_delivery(digest=f"d{turns}")])
        seen = await raw.run(sqlite_url, "SELECT count(*) FROM arrival")
        assert seen == [(turns + 1,)]


async def test_who_keeps_and_is_cancelled_leaves_the_turn_to_others(
    sqlite_store: SqlStore,
) -> None:
    for turns in range(20):
        keeper = asyncio.create_task(sqlite_store.keep([a_delivery(digest=f"d{turns}")]))
        for _ in range(turns):
            await asyncio.sleep(0)
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        async with asyncio.timeout(30), sqlite_store.write() as tx:
            await tx.inbox.put(an_item(f"next-{turns}"))


async def test_who_is_cancelled_twice_leaves_nothing_that_waits_for_ever(
    sqlite_store: SqlStore,
) -> None:
    """The second time while its connection is thrown away; the end of the loop waits for all."""
    for turns in range(40):
        for more in range(8):
            writer = asyncio.create_task(write(sqlite_store, f"cancelled-{turns}-{more}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            writer.cancel()
            for _ in range(more):
                await asyncio.sleep(0)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        _, left = await asyncio.wait(left, timeout=20)
    assert left == set()
