"""Transactions: all or nothing, snapshots that stand still, and nothing leaked when cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from bot.domain.approval import MOVES
from bot.ports import store as ports
from store.records import StoreError
from store.session import SqlStore, Transaction, open_store
from tests.builders import CHANNEL, PROD
from tests.contract.store import behind
from tests.contract.store.things import an_entry, an_item, an_open_case, outgoing


def as_the_port(store: SqlStore) -> ports.Store:
    """The type checker holds the store to what the use cases need of it."""
    return store


def as_the_transaction(tx: Transaction) -> ports.Transaction:
    return tx


async def test_the_store_is_the_port_of_the_use_cases(store: SqlStore) -> None:
    async with as_the_port(store).read() as tx:
        assert await tx.cases.open_cases() == []


async def test_what_was_written_before_an_error_is_taken_back(store: SqlStore) -> None:
    async def attempt() -> None:
        async with store.write() as tx:
            await tx.cases.open_for(PROD, channel=CHANNEL, entry=an_entry())
            await tx.inbox.put(an_item())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()

    async with store.read() as tx:
        assert await tx.cases.open_cases() == []
        assert await tx.audit.entries() == []


async def test_nothing_can_be_written_in_a_transaction_for_reading(store: SqlStore) -> None:
    with pytest.raises(StoreError):
        async with store.read() as tx:
            await tx.inbox.put(an_item())

    async with store.write() as tx:
        assert await tx.inbox.put(an_item())


async def test_a_reader_sees_one_moment(timed_store: SqlStore, replica: SqlStore) -> None:
    case = await an_open_case(timed_store)
    async with timed_store.read() as tx:
        before = await tx.cases.get(case.id)
        async with replica.write() as other:
            await other.cases.save(replace(case, card_ts="17.1"), was=case.revision)
            await other.outbox.put(outgoing("r1"))
        after = await tx.cases.get(case.id)
        waiting = await tx.outbox.waiting()

    assert after == before
    assert waiting == 0
    async with timed_store.read() as tx:
        assert (await tx.cases.get(case.id)).card_ts == "17.1"


async def test_readers_do_not_wait_for_a_writer(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.cases.open_for(PROD, channel=CHANNEL, entry=an_entry())
        async with asyncio.timeout(30), store.read() as other:
            assert await other.cases.open_cases() == []


async def test_transactions_that_read_and_then_write_all_succeed(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    """With a lock that is taken at the first write only, one of two fails at once on SQLite."""
    case = await an_open_case(timed_store)

    async def bump(store: SqlStore) -> None:
        async with store.write() as tx:
            locked = await tx.cases.get(case.id, lock=True)
            await tx.cases.save(replace(locked, card_ts=f"{locked.card_ts}+"), was=locked.revision)

    await asyncio.gather(*(bump(store) for store in (timed_store, replica) for _ in range(10)))

    async with timed_store.read() as tx:
        assert (await tx.cases.get(case.id)).card_ts == "+" * 20


async def test_the_time_is_the_databases_aware_and_in_utc(store: SqlStore) -> None:
    async with store.read() as tx:
        first, second = await tx.now(), await tx.now()

    assert first.tzinfo is UTC
    assert first <= second
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)


async def test_time_passes_within_a_transaction(store: SqlStore) -> None:
    """A lease that is taken late in a transaction must not begin at its start."""
    async with store.write() as tx:
        first = await tx.now()
        async with asyncio.timeout(30):
            while await tx.now() == first:
                pass


async def test_a_transaction_asks_the_database_for_the_time_once(store: SqlStore) -> None:
    asked: list[str] = []

    def listen(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.extend(name for name in ("strftime", "clock_timestamp") if name in statement)

    event.listen(store._writing.sync_engine, "before_cursor_execute", listen)
    async with store.write() as tx:
        times = [await tx.now() for _ in range(3)]
    async with store.write() as tx:
        later = await tx.now()

    assert len(asked) == 2
    assert times == sorted(times)
    assert later >= times[0]


@pytest.mark.parametrize("point", ["before the first statement", "after a write", "twice"])
async def test_a_cancelled_writer_leaves_neither_its_rows_nor_its_lock(
    store: SqlStore, point: str
) -> None:
    inside = asyncio.Event()

    async def write() -> None:
        async with store.write() as tx:
            if point != "before the first statement":
                await tx.inbox.put(an_item("lost"))
            inside.set()
            await asyncio.Event().wait()

    for _ in range(3):
        inside.clear()
        writer = asyncio.create_task(write())
        await asyncio.wait_for(inside.wait(), timeout=10)
        writer.cancel()
        if point == "twice":
            await asyncio.sleep(0)
            writer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writer

    async with asyncio.timeout(30), store.write() as tx:
        assert await tx.inbox.put(an_item("lost"))


@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_a_writer_that_is_cancelled_anywhere_leaves_all_or_nothing(
    store: SqlStore, turns: int
) -> None:
    """Cancelled after so many turns of the loop: while connecting, beginning, writing, ending."""

    async def write(digest: str) -> None:
        async with store.write() as tx:
            await tx.inbox.put(an_item(digest))
            await tx.audit.append(an_entry(digest))

    await write("before")
    for attempt in range(6):
        writer = asyncio.create_task(write(f"cancelled-{attempt}"))
        for _ in range(turns + attempt):
            await asyncio.sleep(0)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)

    async with asyncio.timeout(30):
        await write("after")
    async with store.read() as tx:
        entries = await tx.audit.entries()
    items = []
    async with store.write() as tx:
        while (item := await tx.inbox.claim("one", lease=timedelta(hours=1))) is not None:
            items.append(item)
    assert len(items) == len(entries)
    assert entries[-1].action == "after"


@pytest.mark.parametrize("turns", range(0, 16, 3))
async def test_the_very_first_writer_may_be_cancelled_and_holds_up_no_other(
    database_url: str, turns: int
) -> None:
    store = await open_store(database_url, moves=MOVES, durable=False)

    async def write(digest: str) -> None:
        async with store.write() as tx:
            await tx.inbox.put(an_item(digest))

    first, *others = [asyncio.create_task(write(f"writer-{n}")) for n in range(4)]
    for _ in range(turns):
        await asyncio.sleep(0)
    first.cancel()
    done, late = await asyncio.wait(others, timeout=5)

    await asyncio.gather(first, return_exceptions=True)
    await store.close()
    assert not late
    assert all(task.exception() is None for task in done)


async def test_a_cancelled_reader_gives_its_connection_back(store: SqlStore) -> None:
    """More of them than there are connections, so that a leak would be felt."""
    for turns in range(40):
        inside = asyncio.Event()

        async def read(inside: asyncio.Event = inside) -> None:
            async with store.read() as tx:
                await tx.outbox.waiting()
                inside.set()
                await asyncio.Event().wait()

        reader = asyncio.create_task(read())
        if turns % 2:
            await asyncio.wait_for(inside.wait(), timeout=10)
        else:
            for _ in range(turns):
                await asyncio.sleep(0)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)

    async with asyncio.timeout(30), store.read() as tx:
        assert await tx.outbox.waiting() == 0


async def test_a_writer_that_is_cancelled_while_it_waits_for_the_lock_takes_none(
    store: SqlStore, database_url: str
) -> None:
    async with behind.locking(database_url):
        writer = asyncio.create_task(an_open_case(store))
        done, _ = await asyncio.wait({writer}, timeout=0.2)
        assert not done
        writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)

    async with asyncio.timeout(30):
        assert (await an_open_case(store)).where == PROD
