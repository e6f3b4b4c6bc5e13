"""Direct messages: a person is called once for a thing, and told by one worker at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.approval import MOVES
from store.records import Addressee, Stale
from store.session import SqlStore, open_store
from tests.contract.store import behind
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE, an_entry, an_open_rollback

ALICE, BOB = "U0ALICE1", "U0BOB001"


async def call(store: SqlStore, rollback_id: int, *people: str, code: str = "asked") -> None:
    async with store.write() as tx:
        await tx.direct.call(people, rollback_id, code)


async def claim(store: SqlStore, owner: str = "w1") -> Addressee | None:
    async with store.write() as tx:
        return await tx.direct.claim(owner, lease=LEASE)


async def release(
    store: SqlStore, who: str, *, owner: str = "w1", due_in: timedelta | None = None
) -> None:
    async with store.write() as tx:
        await tx.direct.release(who, owner=owner, due_in=due_in, told=due_in is None)


async def test_a_person_is_called_once_for_the_same_thing(timed_store: SqlStore) -> None:
    opened = await an_open_rollback(timed_store)
    await call(timed_store, opened.id, ALICE, BOB, ALICE)
    await call(timed_store, opened.id, ALICE)
    await call(timed_store, opened.id, ALICE, code="reminder")

    async with timed_store.read() as tx:
        calls = await tx.direct.calls(ALICE)
        assert [c.code for c in await tx.direct.calls(BOB)] == ["asked"]
    assert [(c.rollback_id, c.code, c.ts, c.over) for c in calls] == [
        (opened.id, "asked", "", False),
        (opened.id, "reminder", "", False),
    ]


async def test_of_twenty_racers_one_tells_a_person(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    opened = await an_open_rollback(timed_store)
    await call(timed_store, opened.id, ALICE)

    racers = [claim(s, f"racer-{n}") for n in range(10) for s in (timed_store, replica)]
    won = [one for one in await asyncio.gather(*racers) if one is not None]

    assert [(one.slack_id, one.off, one.told_at) for one in won] == [(ALICE, False, None)]


async def test_who_was_told_is_due_when_something_changes(
    timed_store: SqlStore, hand: Hand
) -> None:
    opened = await an_open_rollback(timed_store)
    await call(timed_store, opened.id, ALICE)
    await claim(timed_store)
    async with timed_store.write() as tx:
        (told,) = await tx.direct.calls(ALICE)
        await tx.direct.save([replace(told, channel="D1", ts="1.1", said="waits")])
    await release(timed_store, ALICE)
    assert await claim(timed_store) is None
    hand.passes(seconds=60)
    assert await claim(timed_store) is None

    async with timed_store.write() as tx:
        await tx.direct.look_again(opened.id)
    due = await claim(timed_store)
    assert due is not None
    assert due.told_at is not None
    async with timed_store.write() as tx:
        (found,) = await tx.direct.of_message(ALICE, "D1", "1.1")
        assert (found.said, found.over) == ("waits", False)
        await tx.direct.save([replace(found, said="ended", over=True)])
    await release(timed_store, ALICE)
    async with timed_store.write() as tx:
        await tx.direct.look_again(opened.id)
        assert await tx.direct.calls(ALICE) == []
    assert await claim(timed_store) is None


async def test_what_changes_while_a_person_is_being_told_makes_them_due_again(
    timed_store: SqlStore,
) -> None:
    opened = await an_open_rollback(timed_store)
    await call(timed_store, opened.id, ALICE)
    await claim(timed_store)
    await call(timed_store, opened.id, ALICE, code="reminder")
    await release(timed_store, ALICE)

    assert await claim(timed_store) is not None


async def test_who_has_to_wait_is_due_later(timed_store: SqlStore, hand: Hand) -> None:
    opened = await an_open_rollback(timed_store)
    await call(timed_store, opened.id, ALICE)
    await claim(timed_store)
    await release(timed_store, ALICE, due_in=timedelta(minutes=10))
    hand.passes(seconds=599)
    assert await claim(timed_store) is None
    hand.passes(seconds=1)

    assert await claim(timed_store) is not None


async def test_of_a_worker_that_died_a_person_is_taken_over(
    timed_store: SqlStore, hand: Hand
) -> None:
    opened = await an_open_rollback(timed_store)
    await call(timed_store, opened.id, ALICE)
    await claim(timed_store, "dead")
    hand.passes(seconds=31)
    assert await claim(timed_store, "heir") is not None

    with pytest.raises(Stale):
        await release(timed_store, ALICE, owner="dead")
    await release(timed_store, ALICE, owner="heir")


async def test_messages_are_turned_off_and_on_with_an_entry(timed_store: SqlStore) -> None:
    switched = []
    for off in (True, True, False):
        async with timed_store.write() as tx:
            entry = an_entry(f"direct.{off}")
            switched.append(await tx.direct.switch(ALICE, off=off, entry=entry))
            assert await tx.direct.is_off(ALICE) is off

    assert switched == [True, False, True]
    assert await claim(timed_store) is None
    async with timed_store.read() as tx:
        found = [entry.action for entry in await tx.audit.entries()]
    assert found == ["direct.True", "direct.False"]


async def test_what_comes_due_while_a_person_is_given_back_is_not_lost(
    postgres_url: str, hand: Hand
) -> None:
    """On PostgreSQL alone two write at once; whoever gives back waits until the other is done."""
    one = await open_store(postgres_url, moves=MOVES, clock=hand, durable=False)
    other = await open_store(postgres_url, moves=MOVES, clock=hand, durable=False)
    opened = await an_open_rollback(one)
    await call(one, opened.id, ALICE)
    assert await claim(one) is not None
    hand.passes(seconds=5)
    async with behind.connected(postgres_url) as sql:
        async with other.write() as tx:
            await tx.direct.look_again(opened.id)
            giving = asyncio.create_task(release(one, ALICE))
            while not await sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not giving.done()
        await giving
    hand.passes(seconds=600)

    due = await claim(one)

    assert due is not None
    await one.close()
    await other.close()


async def test_calling_and_looking_again_at_once_is_no_deadlock(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    opened = await an_open_rollback(timed_store)
    people = [f"U0P{n:04d}" for n in range(30)]
    for who in reversed(people):  # as they lie in the table
        await call(timed_store, opened.id, who)

    async def looking(store: SqlStore) -> None:
        for _ in range(10):
            async with store.write() as tx:
                await tx.direct.look_again(opened.id)

    async def calling() -> None:
        for n in range(5):
            await call(timed_store, opened.id, *people, code=f"code {n}")

    await asyncio.gather(calling(), looking(replica), looking(timed_store))


async def test_while_slack_asks_to_wait_nobody_is_due(timed_store: SqlStore, hand: Hand) -> None:
    opened = await an_open_rollback(timed_store)
    await call(timed_store, opened.id, ALICE, BOB)
    held = await claim(timed_store)
    assert held is not None
    async with timed_store.write() as tx:
        await tx.direct.release(held.slack_id, owner="w1", due_in=timedelta(seconds=30))
        await tx.direct.rest(timedelta(seconds=30))

    meanwhile = await claim(timed_store)
    hand.passes(seconds=30)

    assert meanwhile is None
    assert await claim(timed_store) is not None
    assert await claim(timed_store) is not None
