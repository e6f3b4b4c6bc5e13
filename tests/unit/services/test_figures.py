"""What the database knows is counted from its first row on, and what goes on again each time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.phases import Phase
from bot.ports.store import Store
from bot.services.figures import Figures
from store.records import PauseOrigin, State
from tests.builders import ALICE, BOB, PROD, a_firing
from tests.contract.store.things import LEASE
from tests.unit.services.execution_scene import BAD, GOOD, ExecutionScene
from tests.unit.services.scene import ENTRY, a_pending
from tests.unit.services.test_recover import done, resolved, took, watch


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def test_nothing_is_counted_in_an_empty_database(scene: ExecutionScene) -> None:
    reading = await Figures(scene.store)()

    assert (reading.live, reading.rollbacks, reading.open_cases) == ([], (), 0)
    assert not reading.paused


async def test_a_rollback_is_counted_on_as_it_moves(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    pending = await scene.asked(1)
    count = Figures(scene.store)
    before = (await count()).rollbacks[0]
    for who in (ALICE, BOB):
        pending = await scene.vote(who, pending)
    await scene.run(pending)

    reading = await count()
    after = reading.rollbacks[0]

    assert (before.where, before.state, before.by_alert) == (PROD, State.PENDING_APPROVAL, False)
    assert (after.state, after.approvals, after.rejections) == (State.COMPLETED, 2, 0)
    assert set(after.phases) == {Phase.APPROVE, Phase.EXECUTE}
    assert [version.number for version in reading.live] == [3]


async def test_a_replica_that_starts_later_counts_the_same(scene: ExecutionScene) -> None:
    await a_pending(scene.store)
    early = Figures(scene.store)
    await early()
    async with scene.store.write() as tx:
        await tx.audit.append(ENTRY)

    one, other = await early(), await Figures(scene.store)()

    assert one.audited == other.audited
    assert sum(one.audited.values()) == one.audit_seq
    assert one.rollbacks == other.rollbacks


async def test_how_long_a_suggestion_took_counts_from_the_alert(scene: ExecutionScene) -> None:
    pending = await a_pending(scene.store)
    fired = a_firing(starts_at=pending.opened_at - timedelta(seconds=20))
    await took(scene, pending.case_id, fired)

    reading = await Figures(scene.store)()

    assert reading.rollbacks[0].by_alert
    assert reading.rollbacks[0].phases == {Phase.SUGGEST: 20}


async def test_a_recovery_is_counted_once_it_was_seen(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    count = Figures(scene.store)
    before = (await count()).rollbacks[0]
    await resolved(scene, rollback, timedelta(seconds=130))
    await watch(scene)()

    after = (await count()).rollbacks[0]

    assert before.recovery == "watched"
    assert after.recovery == "recovered"
    assert after.phases[Phase.RECOVER] == 130


async def test_a_paused_database_says_so(scene: ExecutionScene) -> None:
    async with scene.store.write() as tx:
        await tx.pause.mark(PauseOrigin.PERSON, "a test", entry=ENTRY)

    assert (await Figures(scene.store)()).paused


async def test_what_people_type_names_no_job(scene: ExecutionScene) -> None:
    async with scene.store.write() as tx:
        for job in ("snapshot", "refusal:0ec6f2"):
            slot = await tx.slots.claim(job, period=timedelta(minutes=1), owner="w", lease=LEASE)
            assert slot is not None
            await tx.slots.finish(slot)

    assert set((await Figures(scene.store)()).ticked) == {"snapshot"}
