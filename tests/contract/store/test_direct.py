"""Direct messages: a person is called once for a thing, and told by one worker at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from store.records import Addressee, Stale
from store.session import SqlStore
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
        (found,) = await tx.direct.of_message("D1", "1.1")
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
