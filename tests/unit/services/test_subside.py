"""A suggestion whose trouble is over by itself is withdrawn, where the policy says so."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.domain import quorum
from bot.ports.store import Store
from bot.services.subside import Subside
from bot.services.take_in import TakeIn
from store.records import Delivery, Firing, FiringStatus, PauseOrigin, Rollback, State
from tests.arriving import delivered
from tests.builders import ALICE, PROD, a_firing
from tests.unit.services.execution_scene import APP, BAD, GOOD, ExecutionScene
from tests.unit.services.scene import ENTRY
from tests.unit.services.test_recover import FakeLookBack

LATELY, HOUR = timedelta(minutes=20), timedelta(hours=1)


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


def looking(
    scene: ExecutionScene, look_back: FakeLookBack | None, *, withdraws: bool = True
) -> Subside:
    waited = timedelta(minutes=5)
    return Subside(scene.store, look_back, withdraws=lambda _: withdraws, waited=waited)


async def hear(scene: ExecutionScene, *firings: Firing) -> None:
    digest = f"{firings[0].status}{len(firings)}{firings[0].starts_at}"
    delivery = Delivery("alertmanager", "keyturn", "group", digest, 0, firings)
    await delivered(scene.store, delivery)
    while await TakeIn(
        scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None
    ).step():
        pass


async def suggested(scene: ExecutionScene) -> tuple[Rollback, Firing]:
    """What an alert of an hour ago led to; it waits for votes."""
    async with scene.store.read() as tx:
        began = await tx.now() - HOUR
    scene.publish(GOOD)
    scene.target.publish_document(APP, BAD, at=began - timedelta(minutes=10))
    firing = a_firing(starts_at=began)
    await hear(scene, firing)
    await scene.propose.step()
    async with scene.store.read() as tx:
        rollback = await tx.rollbacks.open_of(PROD)
    assert rollback is not None
    return rollback, firing


async def over(scene: ExecutionScene, firing: Firing) -> datetime:
    """The alert has ended; return when."""
    async with scene.store.read() as tx:
        ended = await tx.now() - LATELY
    await hear(scene, _ended(firing, ended))
    return ended


def _ended(firing: Firing, at: datetime) -> Firing:
    return a_firing(starts_at=firing.starts_at, status=FiringStatus.RESOLVED, ends_at=at)


async def test_it_goes_when_the_alert_has_ended_and_the_metric_is_back(
    scene: ExecutionScene,
) -> None:
    rollback, firing = await suggested(scene)
    ended = await over(scene, firing)
    good = FakeLookBack(good_from=ended - timedelta(minutes=2))

    assert await looking(scene, good)() == 1

    after = await scene.rollback(rollback)
    assert (after.state, after.outcome) == (State.WITHDRAWN, "trouble_over")
    (entry,) = await scene.entries("rollback.subsided")
    assert (entry.user_id, entry.what["votes"]) == ("keyturn", 0)
    await scene.tell()
    assert scene.messenger.replies[-1].note.facts["outcome"] == "trouble_over"
    assert scene.messenger.drawn[-1].state is State.WITHDRAWN
    assert await looking(scene, good)() == 0, "it has gone already"


@pytest.mark.parametrize("why", ["no policy", "no metrics", "fires", "bad", "down", "paused"])
async def test_it_stays_otherwise(scene: ExecutionScene, why: str) -> None:
    rollback, firing = await suggested(scene)
    look_back = FakeLookBack(down=why == "down")
    if why != "fires":
        ended = await over(scene, firing)
        look_back.good_from = None if why == "bad" else ended
    if why == "paused":
        async with scene.store.write() as tx:
            await tx.pause.mark(PauseOrigin.PERSON, "looking", entry=ENTRY)

    measured = None if why == "no metrics" else look_back
    assert await looking(scene, measured, withdraws=why != "no policy")() == 0

    assert (await scene.rollback(rollback)).state is State.PENDING_APPROVAL


async def test_what_a_person_asked_for_stays(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    asked = await scene.asked(1)
    case_id = (await scene.rollback(asked)).case_id
    async with scene.store.write() as tx:
        now = await tx.now()
        firing = _ended(a_firing(starts_at=now - HOUR), now - LATELY)
        delivery = Delivery("alertmanager", "keyturn", "group", "d", 0, (firing,))
        stored = await tx.alerts.take(delivery)
        await tx.alerts.assign([one.id for one in stored], case_id)

    assert await looking(scene, FakeLookBack(good_from=now - LATELY))() == 0

    assert (await scene.rollback(asked)).state is State.PENDING_APPROVAL


async def test_a_vote_that_was_given_does_not_hold_it(scene: ExecutionScene) -> None:
    rollback, firing = await suggested(scene)
    await scene.tell()
    await scene.approve(ALICE, rollback)
    await scene.judge()
    ended = await over(scene, firing)

    assert await looking(scene, FakeLookBack(good_from=ended))() == 1

    after = await scene.rollback(rollback)
    assert (after.state, len(quorum.approvals(after))) == (State.WITHDRAWN, 1)
    (entry,) = await scene.entries("rollback.subsided")
    assert entry.what["votes"] == 1
