"""The head of the chain is queued to be published, with the entry that is the reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.domain.approval import MOVES
from store.audit import verify
from store.records import TO_PEOPLE, AuditAnchor, OutboxKind, Outgoing
from store.session import SqlStore, open_store
from tests.contract.store import behind
from tests.contract.store.things import an_entry
from tests.unit.store.test_walk import a_chain

LEASE = timedelta(seconds=30)
ANCHOR = (OutboxKind.ANCHOR,)


@pytest.fixture
async def anchored(database_url: str) -> AsyncIterator[SqlStore]:
    """A store that is to publish its head when somebody votes."""
    opened = await open_store(
        database_url,
        moves=MOVES,
        durable=False,
        anchored=lambda entry: entry.action == "vote",
    )
    yield opened
    await opened.close()


async def say(store: SqlStore, *actions: str) -> None:
    async with store.write() as tx:
        for action in actions:
            await tx.audit.append(an_entry(action))


async def taken(store: SqlStore, kinds: tuple[OutboxKind, ...] = ANCHOR) -> Outgoing | None:
    async with store.write() as tx:
        return await tx.outbox.claim("one", lease=LEASE, kinds=kinds)


async def test_an_event_queues_the_head_that_its_transaction_leaves(anchored: SqlStore) -> None:
    await say(anchored, "look")
    await say(anchored, "vote", "look")

    row = await taken(anchored)

    async with anchored.read() as tx:
        (*_, newest) = await tx.audit.entries()
    assert row is not None
    assert AuditAnchor(**row.body) == AuditAnchor(3, newest.hash, newest.timestamp)


async def test_what_is_no_event_queues_nothing(anchored: SqlStore) -> None:
    await say(anchored, "look", "look")

    assert await taken(anchored) is None


async def test_nothing_is_anchored_that_was_not_committed(anchored: SqlStore) -> None:
    async def give_up() -> None:
        async with anchored.write() as tx:
            await tx.audit.append(an_entry("vote"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await give_up()

    assert await taken(anchored) is None


async def test_who_tells_people_is_not_given_anchors(anchored: SqlStore) -> None:
    await say(anchored, "vote")

    async with anchored.write() as tx:
        assert await tx.outbox.claim("one", lease=LEASE, kinds=TO_PEOPLE) is None
    assert await taken(anchored) is not None


async def test_anchors_leave_in_the_order_of_the_chain(anchored: SqlStore) -> None:
    await say(anchored, "vote")
    await say(anchored, "vote")

    first = await taken(anchored)
    behind_it = await taken(anchored)

    assert first is not None
    assert first.body["sequence"] == 1
    assert behind_it is None, "the first one has not left yet"


async def test_published_are_those_that_left(anchored: SqlStore) -> None:
    await say(anchored, "vote")
    await say(anchored, "vote")
    row = await taken(anchored)
    assert row is not None

    async with anchored.write() as tx:
        await tx.outbox.sent(row.id, owner="one")

    async with anchored.read() as tx:
        assert [anchor.sequence for anchor in await tx.outbox.published()] == [1]


async def test_a_database_that_was_rewritten_with_its_head_is_found_by_an_anchor(
    store: SqlStore, database_url: str
) -> None:
    await say(store, *"abcdefghi")
    async with store.read() as tx:
        anchors = [AuditAnchor(e.seq, e.hash, e.timestamp) for e in await tx.audit.entries()]
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(f"DELETE FROM {behind.AUDIT}")
        anew = a_chain()
        for entry in anew:
            await behind.insert_audit(sql, entry)
        await sql(f"UPDATE {behind.HEAD} SET hash = ?", anew[-1].hash)

    assert (await verify(store)).ok
    found = await verify(store, anchors[4:])

    assert (found.ok, found.broken_at) == (False, 5)
    assert "entry 5 is not what was anchored" in found.why
