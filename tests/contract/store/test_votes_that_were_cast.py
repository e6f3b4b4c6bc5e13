"""What votes bind to never changes, and a vote, once cast, can only be voided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.ports.store import Store
from store.records import Execution, IllegalMove, Missing, Rollback, Stale, State, Step
from store.rollbacks import replay
from tests.builders import ALICE, BOB, NOON, a_leg, a_policy, a_vote
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE, an_entry, an_executing_rollback, an_open_rollback


async def saved(store: Store, before: Rollback, **changes: Any) -> Rollback:
    async with store.write() as tx:
        after = replace(before, **changes)
        return await tx.rollbacks.save(after, was=before.revision, entry=an_entry())


@pytest.mark.parametrize(
    "change",
    [
        {"case_id": 2},
        {"legs": (a_leg(expected_root="dd" * 32),)},
        {"content_digest": "00" * 32},
        {"policy": a_policy(votes=1)},
    ],
    ids=["case", "legs", "digest", "policy"],
)
async def test_what_votes_bind_to_cannot_change(store: Store, change: dict[str, Any]) -> None:
    rollback = await an_open_rollback(store)

    with pytest.raises(IllegalMove, match="content cannot change"):
        await saved(store, rollback, **change)

    async with store.read() as tx:
        assert await tx.rollbacks.get(rollback.id) == rollback


@pytest.mark.parametrize(
    "votes",
    [(), (a_vote(ALICE, reason="other"),), (a_vote(BOB),), (a_vote(BOB), a_vote(ALICE))],
    ids=["gone", "reworded", "replaced", "pushed back"],
)
async def test_a_vote_that_was_cast_cannot_change(store: Store, votes: tuple[Any, ...]) -> None:
    rollback = await saved(store, await an_open_rollback(store), votes=(a_vote(ALICE),))

    with pytest.raises(IllegalMove, match="a vote that was cast"):
        await saved(store, rollback, votes=votes)


async def test_who_voted_on_what_is_void_by_now_may_vote_again(store: Store) -> None:
    vote = a_vote(ALICE)
    rollback = await saved(store, await an_open_rollback(store), votes=(vote,))
    void = replace(vote, voided_at=NOON, voided_why="the app moved on")

    after = await saved(store, rollback, votes=(void, vote))

    assert after.votes == (void, vote)


async def test_a_void_vote_stays_as_it_was_voided(store: Store) -> None:
    void = a_vote(ALICE, voided_at=NOON, voided_why="the app moved on")
    rollback = await saved(store, await an_open_rollback(store), votes=(void,))

    for other in (replace(void, voided_why="other"), a_vote(ALICE)):
        with pytest.raises(IllegalMove, match="a vote that was cast"):
            await saved(store, rollback, votes=(other,))


async def test_one_person_has_one_vote_that_counts_whatever_the_account(store: Store) -> None:
    rollback = await saved(store, await an_open_rollback(store), votes=(a_vote(ALICE),))

    with pytest.raises(Stale):
        await saved(store, rollback, votes=(a_vote(ALICE), a_vote(ALICE, slack_id="U0OTHER")))


async def test_the_events_lead_to_the_row_after_every_step(store: Store) -> None:
    rollback = await an_open_rollback(store)
    steps: list[dict[str, Any]] = [
        {"state": State.PENDING_APPROVAL},
        {"votes": (a_vote(ALICE),)},
        {"state": State.APPROVED, "votes": (a_vote(ALICE), a_vote(BOB))},
        {"state": State.EXECUTING, "execution": Execution(Step.CLAIMED, "w1", 1, NOON)},
        {"state": State.VERIFYING},
        {"state": State.COMPLETED, "outcome": "completed", "finished_at": NOON},
    ]

    for number, step in enumerate(steps, start=2):
        rollback = await saved(store, rollback, **step)
        async with store.read() as tx:
            events = await tx.events.of("rollback", rollback.id)
            assert replay(events) == await tx.rollbacks.get(rollback.id) == rollback
        assert [event.sequence for event in events] == list(range(1, number + 1))


def test_without_events_there_is_nothing_to_replay() -> None:
    with pytest.raises(Missing):
        replay([])


async def test_a_new_owner_brings_a_lease_of_its_own_even_a_shorter_one(
    timed_store: Store, hand: Hand
) -> None:
    rollback = await an_executing_rollback(timed_store)
    short = Execution(Step.CLAIMED, "two", 2, hand() + LEASE / 10)

    assert (await saved(timed_store, rollback, execution=short)).execution == short
