"""App Homes: drawn when asked for, and when something changed before somebody's eyes; by one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from store.records import Home, Stale
from store.session import SqlStore
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE, a_document, an_entry, new_version, recorded

ALICE, BOB, TEAM = "U0ALICE1", "U0BOB001", "T0TEAM01"
HOUR, REST = timedelta(hours=1), timedelta(seconds=5)


async def opened(store: SqlStore, *people: str) -> None:
    for who in people:
        async with store.write() as tx:
            await tx.homes.opened(who, TEAM)


async def claim(store: SqlStore, owner: str = "w1") -> Home | None:
    async with store.write() as tx:
        return await tx.homes.claim(owner, lease=LEASE, seen_within=HOUR)


async def draw(store: SqlStore, home: Home, owner: str = "w1") -> None:
    async with store.write() as tx:
        await tx.homes.drawn(home, owner=owner, stands="hash1", substance="s1", rest=REST)


async def drawn(store: SqlStore, *people: str) -> None:
    """Let *people* look, and draw all that is to be drawn."""
    await opened(store, *people)
    while home := await claim(store):
        await draw(store, home)


async def something_happens(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.audit.append(an_entry())


async def test_what_is_opened_is_drawn_once(timed_store: SqlStore) -> None:
    assert await claim(timed_store) is None
    await opened(timed_store, ALICE, ALICE)

    home = await claim(timed_store)
    assert home is not None
    assert (home.slack_id, home.team_id, home.page, home.asked) == (ALICE, TEAM, 1, True)
    assert (home.hash, home.said, home.attempts) == ("", None, 1)
    assert await claim(timed_store, "w2") is None
    await draw(timed_store, home)

    assert await claim(timed_store) is None


async def test_of_twenty_racers_one_draws(timed_store: SqlStore, replica: SqlStore) -> None:
    await opened(timed_store, ALICE)

    racers = [claim(s, f"racer-{n}") for n in range(10) for s in (timed_store, replica)]
    won = [home for home in await asyncio.gather(*racers) if home is not None]

    assert len(won) == 1


async def test_a_wish_while_it_is_being_drawn_is_drawn_afterwards(timed_store: SqlStore) -> None:
    await opened(timed_store, ALICE)
    home = await claim(timed_store)
    assert home is not None
    async with timed_store.write() as tx:
        await tx.homes.change(ALICE, TEAM, page=3, said={"code": "c", "facts": {"n": 1}})
    await draw(timed_store, home)

    again = await claim(timed_store)
    assert again is not None
    assert (again.page, again.said) == (3, {"code": "c", "facts": {"n": 1}})
    assert (again.hash, again.substance) == ("hash1", "s1")
    await draw(timed_store, again)
    await opened(timed_store, ALICE)
    anew = await claim(timed_store)
    assert anew is not None
    assert (anew.page, anew.said) == (1, None)


async def test_a_change_elsewhere_is_shown_to_who_looked_lately(
    timed_store: SqlStore, hand: Hand
) -> None:
    await drawn(timed_store, BOB)
    hand.passes(seconds=3000)
    await drawn(timed_store, ALICE)
    hand.passes(seconds=700)
    await something_happens(timed_store)

    home = await claim(timed_store)
    assert home is not None
    assert (home.slack_id, home.asked) == (ALICE, False)
    await draw(timed_store, home)
    assert await claim(timed_store) is None  # nor bob's, who looked an hour ago


async def test_a_new_version_is_a_change(timed_store: SqlStore, hand: Hand) -> None:
    await drawn(timed_store, ALICE)
    hand.passes(seconds=10)
    await recorded(timed_store, new_version(), a_document())

    assert await claim(timed_store) is not None


async def test_many_changes_are_one_drawing_after_a_rest(timed_store: SqlStore, hand: Hand) -> None:
    await drawn(timed_store, ALICE)
    await something_happens(timed_store)
    await something_happens(timed_store)
    assert await claim(timed_store) is None
    hand.passes(seconds=5)

    home = await claim(timed_store)
    assert home is not None
    await draw(timed_store, home)
    hand.passes(seconds=5)
    assert await claim(timed_store) is None


async def test_who_asks_comes_before_whom_something_changed_for(
    timed_store: SqlStore, hand: Hand
) -> None:
    await drawn(timed_store, BOB)
    hand.passes(seconds=10)
    await something_happens(timed_store)
    await opened(timed_store, ALICE)

    home = await claim(timed_store)
    assert home is not None
    assert home.slack_id == ALICE


async def test_what_could_not_be_drawn_waits_and_is_tried_again(
    timed_store: SqlStore, hand: Hand
) -> None:
    await opened(timed_store, ALICE)
    home = await claim(timed_store)
    assert home is not None
    async with timed_store.write() as tx:
        await tx.homes.defer(home, owner="w1", delay=timedelta(seconds=9))
    assert await claim(timed_store) is None
    hand.passes(seconds=9)

    again = await claim(timed_store)
    assert again is not None
    assert (again.attempts, again.asked) == (2, True)


async def test_of_a_worker_that_died_it_is_taken_over(timed_store: SqlStore, hand: Hand) -> None:
    await opened(timed_store, ALICE)
    lost = await claim(timed_store, "dead")
    hand.passes(seconds=31)
    assert await claim(timed_store, "heir") is not None

    assert lost is not None
    with pytest.raises(Stale):
        await draw(timed_store, lost, "dead")
