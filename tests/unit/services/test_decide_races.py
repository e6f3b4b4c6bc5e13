"""Many people and many workers at once: one quorum, nobody counted twice, nobody stuck."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.policy import Policy
from bot.ports.store import Store
from store.records import Choice, State
from tests.builders import REVIEWERS
from tests.unit.services.scene import ENTRY, Scene, a_pending

CROWD = tuple(f"U0REVIEWER{n}" for n in range(8))
ROUNDS = 4


@pytest.fixture
def scene(store: Store) -> Scene:
    scene = Scene.of(store)
    for who in CROWD:
        scene.directory.add(who)
    scene.directory.groups[REVIEWERS] = frozenset(CROWD)
    return scene


async def drain(scene: Scene, owner: str) -> None:
    worker = scene.decide(owner)
    while await worker.step():
        pass


async def test_a_crowd_that_double_clicks_makes_one_quorum(scene: Scene) -> None:
    rules = Policy(reviewers=(REVIEWERS,), named=True).snapshot(CROWD)
    for done in range(1, ROUNDS + 1):
        pending = await a_pending(scene.store, rules=rules)
        await scene.tell()
        for who in CROWD * 2:
            await scene.approve(who, pending)

        await asyncio.gather(*(drain(scene, f"w{n}") for n in range(4)))

        after = await scene.rollback(pending)
        assert after.state is State.APPROVED
        assert len({vote.person for vote in after.votes}) == len(after.votes) == 2
        assert len(scene.nudged) == done
        counted = [e for e in await scene.entries("vote.") if e.status == "ok"]
        assert len(counted) == 2 * done
        await end(scene, pending.id)


async def test_a_reject_among_approvals_ends_it_or_comes_too_late(scene: Scene) -> None:
    rules = Policy(reviewers=(REVIEWERS,), named=True).snapshot(CROWD)
    for _ in range(ROUNDS):
        pending = await a_pending(scene.store, rules=rules)
        await scene.tell()
        for n, who in enumerate(CROWD):
            await (scene.reject(who, pending) if n % 3 == 1 else scene.approve(who, pending))

        await asyncio.gather(*(drain(scene, f"w{n}") for n in range(4)))

        after = await scene.rollback(pending)
        rejects = [vote for vote in after.votes if vote.choice is Choice.REJECT]
        assert after.state is (State.REJECTED if rejects else State.APPROVED)
        assert len(after.votes) <= 2
        await end(scene, pending.id)


async def end(scene: Scene, rollback_id: int) -> None:
    """Make room for the next one of this app."""
    async with scene.store.write() as tx:
        rollback = await tx.rollbacks.get(rollback_id, lock=True)
        if rollback.open:
            gone = rollback.moved(State.SUPERSEDED, outcome="live_changed")
            await tx.rollbacks.save(gone, was=rollback.revision, entry=ENTRY)
