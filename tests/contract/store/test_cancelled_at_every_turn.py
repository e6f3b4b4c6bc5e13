"""A writer that was cancelled takes no lock into its grave, at whatever turn of the loop."""

from __future__ import annotations

import asyncio

from store.session import SqlStore
from tests.contract.store.things import an_entry, an_item


async def test_the_lock_of_a_cancelled_writer_is_free_though_its_error_is_kept(
    sqlite_store: SqlStore,
) -> None:
    """The error's traceback holds the statement that was cut off, and it the connection."""

    async def write(digest: str) -> None:
        async with sqlite_store.write() as tx:
            await tx.inbox.put(an_item(digest))
            await tx.audit.append(an_entry(digest))

    await write("first")
    kept: list[BaseException | None] = []
    for turns in range(60):
        writer = asyncio.create_task(write(f"cancelled-{turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        writer.cancel()
        kept += await asyncio.gather(writer, return_exceptions=True)
        async with asyncio.timeout(4):  # less than a writer waits for a lock
            await write(f"next-{turns}")

    assert any(isinstance(error, asyncio.CancelledError) for error in kept)
