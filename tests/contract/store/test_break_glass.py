"""A broken glass and a review: append-only, and found again, on every kind of database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.ports.store import Store
from store.records import Execution, Glass, IllegalMove, Rollback, Signature, State, Step
from store.rollbacks import replay
from tests.builders import ALICE, BOB, CAROL, NOON, TEAM
from tests.contract.store.things import an_entry, an_open_rollback

GLASS = Glass(ALICE, ALICE, TEAM, "nobody else is awake", "aa", 1, "n0nce", NOON, "card", True)
BY_BOB = Signature(BOB, BOB, TEAM, NOON, "right to do")
BY_CAROL = Signature(CAROL, CAROL, TEAM, NOON)


async def saved(store: Store, before: Rollback, **changes: Any) -> Rollback:
    async with store.write() as tx:
        after = replace(before, **changes)
        return await tx.rollbacks.save(after, was=before.revision, entry=an_entry())


async def ran(store: Store) -> Rollback:
    """One that ran by break-glass and has ended."""
    rollback = await an_open_rollback(store)
    steps: list[dict[str, Any]] = [
        {"state": State.PENDING_APPROVAL},
        {"state": State.BROKEN_GLASS, "glass": (GLASS,)},
        {"state": State.EXECUTING, "execution": Execution(Step.CLAIMED, "w1", 1, NOON)},
        {"state": State.FAILED, "outcome": "target_down", "finished_at": NOON},
    ]
    for step in steps:
        rollback = await saved(store, rollback, **step)
    return rollback


async def waiting(store: Store) -> list[int]:
    async with store.read() as tx:
        return [rollback.id for rollback in await tx.rollbacks.to_review()]


async def test_what_waits_for_its_review_is_found_until_it_is_closed(store: Store) -> None:
    rollback = await ran(store)
    assert await waiting(store) == [rollback.id]

    once = await saved(store, rollback, signatures=(BY_BOB,))
    assert await waiting(store) == [rollback.id]

    both = {"signatures": (BY_BOB, BY_CAROL), "reviewed_at": NOON}
    closed = await saved(store, once, **both)
    assert await waiting(store) == []
    async with store.read() as tx:
        events = await tx.events.of("rollback", rollback.id)
        assert replay(events) == await tx.rollbacks.get(rollback.id) == closed


async def test_what_never_began_waits_for_no_review(store: Store) -> None:
    rollback = await saved(store, await an_open_rollback(store), state=State.PENDING_APPROVAL)
    broken = await saved(store, rollback, state=State.BROKEN_GLASS, glass=(GLASS,))

    await saved(store, broken, state=State.REJECTED, outcome="rejected", finished_at=NOON)

    assert await waiting(store) == []


@pytest.mark.parametrize(
    "glass",
    [(), (replace(GLASS, reason="another"),), (replace(GLASS, person=BOB),)],
    ids=["gone", "reworded", "another's"],
)
async def test_a_glass_that_was_broken_stays_broken(store: Store, glass: tuple[Glass, ...]) -> None:
    rollback = await ran(store)

    with pytest.raises(IllegalMove, match="stays broken"):
        await saved(store, rollback, glass=glass)


async def test_a_glass_can_be_void_and_stays_so(store: Store) -> None:
    rollback = await saved(store, await an_open_rollback(store), state=State.PENDING_APPROVAL)
    broken = await saved(store, rollback, state=State.BROKEN_GLASS, glass=(GLASS,))
    gone = (replace(GLASS, voided_at=NOON, voided_why="not_named"),)

    void = await saved(store, broken, state=State.PENDING_APPROVAL, glass=gone)

    assert void.broken_by is None
    with pytest.raises(IllegalMove, match="stays broken"):
        await saved(store, void, glass=(GLASS,))


@pytest.mark.parametrize("signatures", [(), (BY_CAROL,), (BY_CAROL, BY_BOB)])
async def test_a_signature_stays(store: Store, signatures: tuple[Signature, ...]) -> None:
    once = await saved(store, await ran(store), signatures=(BY_BOB,))

    with pytest.raises(IllegalMove, match="signature"):
        await saved(store, once, signatures=signatures)


async def test_a_closed_review_is_not_opened_again(store: Store) -> None:
    both = {"signatures": (BY_BOB, BY_CAROL), "reviewed_at": NOON}
    closed = await saved(store, await ran(store), **both)

    with pytest.raises(IllegalMove, match="closed"):
        await saved(store, closed, reviewed_at=None)
