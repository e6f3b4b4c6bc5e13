"""Inbox and outbox alike: committed once, held by one worker at a time, never lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from store.records import InboxItem, InboxKind, OutboxKind, Outgoing, Stale
from store.session import SqlStore
from tests.builders import CHANNEL, NOON
from tests.contract.store import behind
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE, a_card, an_item, outgoing


async def received(store: SqlStore, *digests: str) -> list[bool]:
    async with store.write() as tx:
        return [await tx.inbox.put(an_item(digest)) for digest in digests]


async def judged(store: SqlStore, owner: str = "one") -> InboxItem | None:
    async with store.write() as tx:
        return await tx.inbox.claim(owner, lease=LEASE)


async def queued(
    store: SqlStore, *dedupe_ids: str, order_key: str = "case/1", **changes: Any
) -> None:
    async with store.write() as tx:
        for dedupe_id in dedupe_ids:
            await tx.outbox.put(replace(outgoing(dedupe_id, order_key), **changes))


async def sending(store: SqlStore, owner: str = "one") -> Outgoing | None:
    async with store.write() as tx:
        return await tx.outbox.claim(owner, lease=LEASE)


async def sent(store: SqlStore, row: Outgoing | None, owner: str = "one") -> None:
    assert row is not None
    async with store.write() as tx:
        await tx.outbox.sent(row.id, owner=owner, reference="17.1")


async def waiting(store: SqlStore) -> int:
    async with store.read() as tx:
        return await tx.outbox.waiting()


def digest_of(row: Outgoing | None) -> str | None:
    return None if row is None else row.dedupe_id


# -- the inbox ----------------------------------------------------------------------------------


async def test_a_worker_takes_only_the_kinds_it_asks_for(store: SqlStore) -> None:
    command = replace(an_item("typed"), kind=InboxKind.COMMAND)
    async with store.write() as tx:
        await tx.inbox.put(command)
        await tx.inbox.put(an_item("pressed"))

    async with store.write() as tx:
        kinds = (InboxKind.CLICK, InboxKind.SUBMISSION)
        pressed = await tx.inbox.claim("one", lease=LEASE, kinds=kinds)
        assert await tx.inbox.claim("one", lease=LEASE, kinds=kinds) is None
        typed = await tx.inbox.claim("one", lease=LEASE, kinds=(InboxKind.COMMAND,))

    assert (pressed and pressed.kind, typed and typed.kind) == (InboxKind.CLICK, InboxKind.COMMAND)


async def test_the_same_bytes_are_stored_once(store: SqlStore) -> None:
    assert await received(store, "a", "b", "a") == [True, True, False]
    assert await received(store, "a") == [False]


async def test_a_click_is_handed_out_as_it_was_stored(timed_store: SqlStore) -> None:
    await received(timed_store, "a")

    item = await judged(timed_store)

    assert item is not None
    assert (item.action, item.slack_id, item.payload) == (
        "rollback.approve",
        "U0ALICE",
        {"value": "a claim"},
    )
    assert (item.received_at, item.attempts) == (NOON, 1)


async def test_items_are_judged_in_the_order_in_which_they_came(store: SqlStore) -> None:
    await received(store, "a", "b", "c")

    items = [await judged(store) for _ in range(4)]

    ids = [item.id for item in items if item is not None]
    assert ids == sorted(ids)
    assert len(ids) == 3
    assert items[3] is None


async def test_an_item_that_is_judged_is_done(timed_store: SqlStore, hand: Hand) -> None:
    await received(timed_store, "a")
    item = await judged(timed_store)
    assert item is not None
    async with timed_store.write() as tx:
        await tx.inbox.finish(item.id, owner="one", outcome="counted")

    hand.passes(hours=1)
    assert await judged(timed_store) is None
    assert await received(timed_store, "a") == [False]


async def test_the_item_of_a_worker_that_died_is_judged_again_after_its_lease(
    timed_store: SqlStore, hand: Hand
) -> None:
    await received(timed_store, "a")
    await judged(timed_store, "one")

    hand.passes(seconds=29)
    assert await judged(timed_store, "two") is None
    hand.passes(seconds=2)
    again = await judged(timed_store, "two")

    assert again is not None
    assert again.attempts == 2


async def test_the_effect_of_an_item_that_was_taken_over_is_taken_back(
    timed_store: SqlStore, hand: Hand
) -> None:
    """Otherwise a click would count twice."""
    await received(timed_store, "a")
    item = await judged(timed_store, "one")
    hand.passes(seconds=31)
    await judged(timed_store, "two")

    assert item is not None

    async def attempt() -> None:
        async with timed_store.write() as tx:
            await tx.outbox.put(outgoing("the effect"))
            await tx.inbox.finish(item.id, owner="one", outcome="counted")

    with pytest.raises(Stale):
        await attempt()

    assert await waiting(timed_store) == 0
    with pytest.raises(Stale):
        async with timed_store.write() as tx:
            await tx.inbox.defer(item.id, owner="one", delay=LEASE, error="too late")


async def test_an_item_is_finished_once(store: SqlStore) -> None:
    await received(store, "a")
    item = await judged(store)
    assert item is not None
    async with store.write() as tx:
        await tx.inbox.finish(item.id, owner="one", outcome="counted")

    with pytest.raises(Stale):
        async with store.write() as tx:
            await tx.inbox.finish(item.id, owner="one", outcome="counted")


async def test_a_deferred_item_waits_and_lets_the_others_go_before(
    timed_store: SqlStore, hand: Hand
) -> None:
    await received(timed_store, "a", "b")
    first = await judged(timed_store)
    assert first is not None
    async with timed_store.write() as tx:
        delay = timedelta(seconds=5)
        await tx.inbox.defer(first.id, owner="one", delay=delay, error="x" * 10_000)

    second = await judged(timed_store)
    nothing = await judged(timed_store)
    hand.passes(seconds=6)
    again = await judged(timed_store, "two")

    assert second is not None
    assert second.id != first.id
    assert nothing is None
    assert again is not None
    assert (again.id, again.attempts) == (first.id, 2)


async def test_every_item_is_claimed_by_one_of_many_workers(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    await received(timed_store, *(f"d{n}" for n in range(10)))
    workers = [judged(s, f"w{n}") for n in range(10) for s in (timed_store, replica)]

    claimed = [item.id for item in await asyncio.gather(*workers) if item is not None]

    assert len(claimed) == len(set(claimed))
    left = 0
    while await judged(timed_store, "last") is not None:
        left += 1
    assert len(claimed) + left == 10


async def test_the_same_bytes_at_two_replicas_at_once_are_stored_once(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    stored = await asyncio.gather(
        *(received(s, "a", "b") for s in (timed_store, replica) for _ in range(5))
    )

    assert [sum(column) for column in zip(*stored, strict=True)] == [1, 1]


# -- the outbox ---------------------------------------------------------------------------------


async def test_a_row_is_handed_out_as_it_was_queued(timed_store: SqlStore) -> None:
    async with timed_store.write() as tx:
        await tx.outbox.put(a_card("r1", body={"case": 1}))

    row = await sending(timed_store)

    assert row is not None
    assert (row.kind, row.destination, row.order_key) == (OutboxKind.CARD, CHANNEL, "case/1")
    assert (row.dedupe_id, row.body, row.coalesce_key) == ("r1", {"case": 1}, "card/case/1")
    assert (row.attempts, row.created_at) == (1, NOON)


async def test_a_second_row_with_the_same_dedupe_id_is_not_stored(store: SqlStore) -> None:
    await queued(store, "r1", "r1")
    await queued(store, "r1")

    assert await waiting(store) == 1


async def test_rows_of_one_order_key_leave_one_after_the_other(store: SqlStore) -> None:
    await queued(store, "r1", "r2")

    first = await sending(store, "one")
    assert await sending(store, "two") is None
    await sent(store, first)
    second = await sending(store, "two")

    assert [digest_of(first), digest_of(second)] == ["r1", "r2"]


async def test_different_order_keys_do_not_wait_for_each_other(store: SqlStore) -> None:
    await queued(store, "r1", "r2", order_key="case/1")
    await queued(store, "s1", order_key="case/2")

    taken = [await sending(store, "one"), await sending(store, "two"), await sending(store)]

    assert [digest_of(row) for row in taken] == ["r1", "s1", None]


async def test_a_sent_row_is_done(timed_store: SqlStore, hand: Hand) -> None:
    await queued(timed_store, "r1")
    await sent(timed_store, await sending(timed_store))

    hand.passes(hours=1)
    assert await sending(timed_store) is None
    assert await waiting(timed_store) == 0


async def test_of_unsent_cards_only_the_newest_is_sent(store: SqlStore) -> None:
    async with store.write() as tx:
        for n in range(5):
            await tx.outbox.put(a_card(f"card-{n}", body={"n": n}))

    row = await sending(store)
    await sent(store, row)

    assert row is not None
    assert row.body == {"n": 4}
    assert await sending(store) is None
    assert await waiting(store) == 0


async def test_a_card_that_is_being_sent_is_followed_by_the_newest(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.outbox.put(a_card("card-1"))
    first = await sending(store)
    async with store.write() as tx:
        await tx.outbox.put(a_card("card-2"))
        await tx.outbox.put(a_card("card-3"))

    assert await sending(store, "two") is None
    await sent(store, first)
    second = await sending(store)
    await sent(store, second)

    assert [digest_of(first), digest_of(second)] == ["card-1", "card-3"]
    assert await waiting(store) == 0


async def test_cards_of_different_cases_do_not_supersede_each_other(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.outbox.put(a_card("one", "case/1"))
        await tx.outbox.put(a_card("two", "case/2"))

    assert await waiting(store) == 2


async def throttle(store: SqlStore, seconds: int = 30) -> None:
    """The oldest row was turned away for so long."""
    row = await sending(store)
    assert row is not None
    async with store.write() as tx:
        await tx.outbox.throttled(row.id, owner="one", delay=timedelta(seconds=seconds))


async def test_a_channel_that_asks_to_wait_gets_nothing_from_any_process(
    timed_store: SqlStore, replica: SqlStore, hand: Hand
) -> None:
    await queued(timed_store, "r1", order_key="case/1")
    await queued(timed_store, "s1", order_key="case/2")
    await throttle(timed_store)
    await queued(timed_store, "t1", order_key="case/3")

    meanwhile = await sending(timed_store), await sending(replica)
    hand.passes(seconds=30)
    again = [await sending(replica), await sending(timed_store), await sending(replica)]

    assert meanwhile == (None, None)
    assert [digest_of(row) for row in again] == ["r1", "s1", "t1"]


async def test_what_goes_elsewhere_or_to_one_person_does_not_wait_with_it(
    timed_store: SqlStore,
) -> None:
    await queued(timed_store, "r1", order_key="case/1")
    await throttle(timed_store)
    await queued(timed_store, "s1", order_key="case/2", destination="C0ELSEWHERE")
    await queued(timed_store, "t1", order_key="person/1", kind=OutboxKind.ANSWER)

    found = [await sending(timed_store) for _ in range(3)]

    assert [digest_of(row) for row in found] == ["s1", "t1", None]


async def test_a_newer_row_in_place_of_one_that_was_turned_away_keeps_the_way_quiet(
    timed_store: SqlStore, hand: Hand
) -> None:
    await queued(timed_store, "r1", order_key="case/1", coalesce_key="card:1")
    await queued(timed_store, "s1", order_key="case/2")
    await throttle(timed_store)
    await queued(timed_store, "r2", order_key="case/1", coalesce_key="card:1")

    meanwhile = await sending(timed_store)
    hand.passes(seconds=30)
    again = [await sending(timed_store), await sending(timed_store)]

    assert meanwhile is None
    assert [digest_of(row) for row in again] == ["s1", "r2"]


async def test_a_row_that_asks_to_wait_holds_up_its_order_key_alone(
    timed_store: SqlStore, hand: Hand
) -> None:
    await queued(timed_store, "r1", "r2", order_key="case/1")
    await queued(timed_store, "s1", order_key="case/2")
    first = await sending(timed_store)
    assert first is not None
    async with timed_store.write() as tx:
        delay = timedelta(seconds=30)
        await tx.outbox.defer(first.id, owner="one", delay=delay, error="not now")

    other = await sending(timed_store)
    nothing = await sending(timed_store)
    hand.passes(seconds=31)
    again = await sending(timed_store, "two")

    assert [digest_of(row) for row in (other, nothing, again)] == ["s1", None, "r1"]
    assert again is not None
    assert again.attempts == 2


async def test_a_card_that_supersedes_one_that_was_told_to_wait_waits_too(
    timed_store: SqlStore, hand: Hand
) -> None:
    async with timed_store.write() as tx:
        await tx.outbox.put(a_card("card-1"))
    first = await sending(timed_store)
    assert first is not None
    async with timed_store.write() as tx:
        await tx.outbox.defer(first.id, owner="one", delay=timedelta(seconds=30), error="not now")
    async with timed_store.write() as tx:
        await tx.outbox.put(a_card("card-2"))

    assert await sending(timed_store) is None
    hand.passes(seconds=31)
    assert digest_of(await sending(timed_store)) == "card-2"


async def test_a_row_may_be_queued_for_later(timed_store: SqlStore, hand: Hand) -> None:
    async with timed_store.write() as tx:
        await tx.outbox.put(outgoing("later", not_before=NOON + timedelta(minutes=1)))

    assert await sending(timed_store) is None
    assert await waiting(timed_store) == 1
    hand.passes(seconds=61)
    assert digest_of(await sending(timed_store)) == "later"


async def test_a_dropped_row_lets_its_order_go_on(store: SqlStore) -> None:
    await queued(store, "r1", "r2")
    first = await sending(store)
    assert first is not None
    async with store.write() as tx:
        await tx.outbox.drop(first.id, owner="one", error="channel_not_found")

    assert digest_of(await sending(store)) == "r2"
    assert await waiting(store) == 1


async def test_the_row_of_a_sender_that_died_is_sent_again_after_its_lease(
    timed_store: SqlStore, hand: Hand
) -> None:
    await queued(timed_store, "r1")
    first = await sending(timed_store, "one")
    hand.passes(seconds=29)
    assert await sending(timed_store, "two") is None
    hand.passes(seconds=2)

    again = await sending(timed_store, "two")

    assert again is not None
    assert (again.dedupe_id, again.attempts) == ("r1", 2)
    with pytest.raises(Stale):
        await sent(timed_store, first, "one")
    await sent(timed_store, again, "two")


async def test_a_row_that_was_taken_over_is_neither_deferred_nor_dropped_by_its_former_sender(
    timed_store: SqlStore, hand: Hand
) -> None:
    await queued(timed_store, "r1")
    first = await sending(timed_store, "one")
    hand.passes(seconds=31)
    await sending(timed_store, "two")

    assert first is not None
    with pytest.raises(Stale):
        async with timed_store.write() as tx:
            await tx.outbox.defer(first.id, owner="one", delay=LEASE, error="late")
    with pytest.raises(Stale):
        async with timed_store.write() as tx:
            await tx.outbox.drop(first.id, owner="one", error="late")


async def test_what_is_told_is_queued_with_the_fact_or_not_at_all(store: SqlStore) -> None:
    async def attempt() -> None:
        async with store.write() as tx:
            await tx.outbox.put(outgoing("r1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()

    assert await waiting(store) == 0


async def test_every_row_is_claimed_by_one_of_many_senders(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    for n in range(10):
        await queued(timed_store, f"r{n}", order_key=f"case/{n}")
    senders = [sending(s, f"w{n}") for n in range(10) for s in (timed_store, replica)]

    claimed = [row.id for row in await asyncio.gather(*senders) if row is not None]

    assert len(claimed) == len(set(claimed))
    left = 0
    while await sending(timed_store, "last") is not None:
        left += 1
    assert len(claimed) + left == 10


async def test_a_kind_of_a_later_release_waits_for_it_and_holds_up_no_other(
    timed_store: SqlStore, database_url: str
) -> None:
    await queued(timed_store, "r1", order_key="call/1")
    await queued(timed_store, "s1", order_key="case/2")
    async with behind.connected(database_url) as sql:
        await sql("UPDATE outbox SET kind = 'hologram' WHERE dedupe_id = 'r1'")

    found = [await sending(timed_store), await sending(timed_store)]

    assert [digest_of(row) for row in found] == ["s1", None]
    assert await waiting(timed_store) == 2
