"""Many people and many workers at once: one quorum, nobody counted twice, nobody stuck."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.policy import Policy
from bot.ports.store import Store
from store.records import Choice, State
from tests.builders import CAROL, REVIEWERS
from tests.unit.services.execution_scene import CLAIM_READS_LIVE, ExecutionScene
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
        approvals = [vote for vote in after.votes if vote.choice is Choice.APPROVE]
        assert len(approvals) <= 2
        assert len(rejects) <= 1
        await end(scene, pending.id)


async def test_between_a_reject_and_the_claim_the_row_lock_decides(store: Store) -> None:
    scene = ExecutionScene.of(store)
    approved = await scene.approved()
    await scene.tell()
    await scene.reject(CAROL, approved, reason="stop")

    await asyncio.gather(scene.executor().step(), drain(scene, "w1"))

    after = await scene.rollback(approved)
    (judged,) = [e.status for e in await scene.entries("vote.reject")]
    ended = (after.state, scene.ours(approved), judged)
    assert ended in {(State.COMPLETED, 1, "refused"), (State.REJECTED, 0, "ok")}


async def test_a_reject_while_the_claim_asks_around_stops_it(store: Store) -> None:
    scene = ExecutionScene.of(store)
    approved = await scene.approved()
    await scene.tell()

    async def stop() -> None:
        await scene.reject(CAROL, approved, reason="stop")
        await drain(scene, "w1")

    scene.at(CLAIM_READS_LIVE, stop)

    assert not await scene.executor().step()
    assert (await scene.rollback(approved)).state is State.REJECTED
    assert scene.ours(approved) == 0


async def test_one_persons_approve_and_reject_end_as_a_reject_in_either_order(
    scene: Scene,
) -> None:
    who = CROWD[0]
    rules = Policy(reviewers=(REVIEWERS,), named=True).snapshot(CROWD)
    for first, second in ((scene.approve, scene.reject), (scene.reject, scene.approve)):
        pending = await a_pending(scene.store, rules=rules)
        await scene.tell()
        await first(who, pending)
        await second(who, pending)
        await drain(scene, "w1")

        assert (await scene.rollback(pending)).state is State.REJECTED


async def end(scene: Scene, rollback_id: int) -> None:
    """Make room for the next one of this app."""
    async with scene.store.write() as tx:
        rollback = await tx.rollbacks.get(rollback_id, lock=True)
        if rollback.open:
            gone = rollback.moved(State.SUPERSEDED, outcome="live_changed")
            await tx.rollbacks.save(gone, was=rollback.revision, entry=ENTRY)
