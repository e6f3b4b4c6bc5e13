"""The mark of a paused database, and what it holds back."""

from __future__ import annotations

from datetime import timedelta

from store.records import PauseOrigin
from store.session import SqlStore
from tests.contract.store.things import an_entry, an_item, an_open_case, outgoing

LEASE = timedelta(seconds=30)


async def mark(store: SqlStore, origin: PauseOrigin, reason: str = "a test") -> bool:
    entry = None if origin.is_copy else an_entry("pause")
    async with store.write() as tx:
        return await tx.pause.mark(origin, reason, entry=entry)


async def claimed(store: SqlStore) -> list[str]:
    """What a worker gets of the outbox and of the inbox, until there is nothing."""
    got = []
    async with store.write() as tx:
        while (row := await tx.outbox.claim("one", lease=LEASE)) is not None:
            await tx.outbox.sent(row.id, owner="one")
            got.append(row.dedupe_id)
        while (item := await tx.inbox.claim("one", lease=LEASE)) is not None:
            await tx.inbox.finish(item.id, owner="one", outcome="done")
            got.append(item.action)
    return got


async def test_a_new_database_is_not_paused(store: SqlStore) -> None:
    async with store.read() as tx:
        assert await tx.pause.current() is None


async def test_a_persons_mark_stands_once_with_one_entry_until_it_is_lifted(
    store: SqlStore,
) -> None:
    assert await mark(store, PauseOrigin.PERSON, "we move house")
    assert not await mark(store, PauseOrigin.PERSON, "again")

    async with store.read() as tx:
        paused = await tx.pause.current()
        entries = [entry.action for entry in await tx.audit.entries()]
    assert paused is not None
    assert (paused.origin, paused.reason) == (PauseOrigin.PERSON, "we move house")
    assert (paused.case_until, paused.inbox_until, paused.outbox_until) == (0, 0, 0)
    assert entries == ["pause"]

    async with store.write() as tx:
        await tx.pause.lift(entry=an_entry("resume"))
    async with store.read() as tx:
        assert await tx.pause.current() is None
        assert [entry.action for entry in await tx.audit.entries()] == ["pause", "resume"]


async def test_what_waited_in_a_copy_is_not_done_and_what_comes_after_it_is(
    store: SqlStore,
) -> None:
    async with store.write() as tx:
        await tx.outbox.put(outgoing("old", "case/1"))
        await tx.inbox.put(an_item("old"))
    await mark(store, PauseOrigin.COPY)
    async with store.write() as tx:
        await tx.outbox.put(outgoing("new", "case/1"))
        await tx.inbox.put(an_item("new", action="difference"))

    assert await claimed(store) == ["new", "difference"]


async def test_resuming_ends_what_was_waiting_and_counts_it(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.outbox.put(outgoing("old"))
        await tx.outbox.put(outgoing("older"))
        await tx.inbox.put(an_item("old"))
    await mark(store, PauseOrigin.BACKUP)

    async with store.write() as tx:
        paused = await tx.pause.current()
        assert paused is not None
        left = await tx.pause.leave_behind(paused)
        await tx.pause.lift(entry=an_entry("resume"))

    assert (left.inbox, left.outbox) == (1, 2)
    assert await claimed(store) == []


async def test_a_copy_of_a_paused_database_has_a_mark_of_its_own(store: SqlStore) -> None:
    await mark(store, PauseOrigin.PERSON)
    case = await an_open_case(store)
    async with store.write() as tx:
        await tx.outbox.put(outgoing("old"))

    assert await mark(store, PauseOrigin.BACKUP)

    async with store.read() as tx:
        paused = await tx.pause.current()
        head = await tx.audit.head()
    assert paused is not None
    assert paused.origin is PauseOrigin.BACKUP
    assert paused.case_until == case.id
    assert (paused.seq, paused.head) == head


async def test_a_person_who_pauses_holds_nothing_back_that_is_to_be_told(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.outbox.put(outgoing("old"))
    await mark(store, PauseOrigin.PERSON)

    assert await claimed(store) == ["old"]
