"""Back and forth: what was rolled back before needs a reason, is noticed, and is not repeated."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import CondemnedHere
from bot.ports.store import Store
from bot.services.take_in import TakeIn
from store.records import Delivery, Rollback, State
from tests.arriving import delivered
from tests.builders import ALICE, BOB, PROD, a_firing
from tests.unit.services.execution_scene import APP, BAD, GOOD, ExecutionScene
from tests.unit.services.scene import POLICY, a_document
from tests.unit.services.test_propose import case_of, opened


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    made = ExecutionScene.of(sqlite_store)
    made.publish(GOOD, BAD)
    return made


async def carried_out(scene: ExecutionScene, number: int, reason: str = "") -> Rollback:
    """What dave asked for, alice and bob approved, was read back, and helped."""
    pending = await scene.asked(number, reason=reason)
    for who in (ALICE, BOB):
        pending = await scene.vote(who, pending)
    while await scene.executor().step():
        pass
    after = await scene.rollback(pending)
    assert after.state is State.COMPLETED, after.outcome
    return await scene.it_helped(after)


async def condemned(scene: ExecutionScene) -> frozenset[str]:
    async with scene.store.read() as tx:
        return await tx.versions.condemned(PROD)


# -- a reason --------------------------------------------------------------------------------------


async def test_to_what_was_rolled_back_nobody_goes_without_a_reason(scene: ExecutionScene) -> None:
    await carried_out(scene, 1)

    with pytest.raises(CondemnedHere) as refused:
        await scene.asked(2)

    assert refused.value.to_person().endswith(f"`/rollback to {PROD} 2 REASON`.")
    assert await opened(scene) is None


async def test_with_a_reason_it_is_asked_and_the_card_and_the_record_say_it(
    scene: ExecutionScene,
) -> None:
    await carried_out(scene, 1)

    asked = await scene.asked(2, reason="the provider was down, not we")
    await scene.tell()

    assert asked.state is State.PENDING_APPROVAL
    assert scene.messenger.drawn[-1].reason == "the provider was down, not we"
    entry = (await scene.entries("rollback.open"))[-1]
    assert entry.what["reason"] == "the provider was down, not we"


async def test_going_forward_again_lifts_the_judgement_and_condemns_nothing(
    scene: ExecutionScene,
) -> None:
    await carried_out(scene, 1)
    assert await condemned(scene) == {BAD.meaning}

    await carried_out(scene, 2, reason="it was right")

    assert await condemned(scene) == frozenset()
    assert scene.live == BAD
    (entry,) = await scene.entries("version.lift")
    assert (entry.what["meaning"], entry.what["reason"]) == (BAD.meaning, "it was right")


async def test_to_what_was_judged_wrongly_and_away_from_what_is_bad(scene: ExecutionScene) -> None:
    await carried_out(scene, 1)
    scene.target.publish_document(APP, a_document("Worse still."), by="carol")

    await carried_out(scene, 2, reason="it was right, and this is worse")

    worse = a_document("Worse still.")
    assert await condemned(scene) == {worse.meaning, GOOD.meaning}, "all that came after version 2"


# -- published again -------------------------------------------------------------------------------


async def test_what_was_rolled_back_and_is_published_again_is_said_once(
    scene: ExecutionScene,
) -> None:
    await carried_out(scene, 1)
    scene.target.publish_document(APP, BAD, by="mallory")

    await scene.snapshot.refresh(PROD)
    await scene.snapshot.refresh(PROD)
    await scene.tell()

    said = [r.note for r in scene.messenger.replies if r.note.code == "condemned_again"]
    assert [dict(note.facts) for note in said] == [
        {"where": str(PROD), "number": 4, "before": 2, "author": "mallory"}
    ]
    (entry,) = await scene.entries("version.condemned_again")
    assert entry.what["number"] == 4


async def test_our_own_way_back_to_it_is_not_said_to_be_a_relapse(scene: ExecutionScene) -> None:
    await carried_out(scene, 1)
    await carried_out(scene, 2, reason="it was right")
    await scene.snapshot.refresh(PROD)

    assert await scene.entries("version.condemned_again") == []


async def test_without_a_channel_it_is_recorded(scene: ExecutionScene) -> None:
    await carried_out(scene, 1)
    scene.channels = {}
    scene.target.publish_document(APP, BAD, by="mallory")

    await scene.snapshot.refresh(PROD)

    assert len(await scene.entries("version.condemned_again")) == 1


# -- again and again -------------------------------------------------------------------------------


async def test_after_some_rollbacks_none_is_suggested_for_a_while(scene: ExecutionScene) -> None:
    scene.policies["prod"] = replace(POLICY, most_suggested=1, cool_down=timedelta(hours=6))
    done = await carried_out(scene, 1)
    scene.target.publish_document(APP, a_document("Answer in riddles."), by="carol")
    await fires_now(scene)

    assert await scene.propose.step()

    case = await case_of(scene)
    assert case.finding is not None
    assert (case.finding.code, case.finding.facts.get("count")) == ("cooling_down", 1)
    assert done.finished_at is not None
    assert case.assess_at is not None
    assert abs(case.assess_at - done.finished_at - timedelta(hours=6)) < timedelta(minutes=1)
    assert await opened(scene) is None


async def fires_now(scene: ExecutionScene) -> None:
    """An alert begins a minute after what was published last."""
    await scene.snapshot.refresh(PROD)
    async with scene.store.read() as tx:
        newest = await tx.versions.newest(PROD)
    assert newest is not None
    firing = a_firing(starts_at=newest.published_at + timedelta(minutes=1), where=PROD)
    delivery = Delivery("alertmanager", "keyturn", "group", "now", 0, (firing,))
    await delivered(scene.store, delivery)
    await TakeIn(scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None).step()


async def test_people_may_ask_meanwhile(scene: ExecutionScene) -> None:
    scene.policies["prod"] = replace(POLICY, most_suggested=1)
    await carried_out(scene, 1)
    scene.target.publish_document(APP, a_document("Answer in riddles."), by="carol")
    await scene.snapshot.refresh(PROD)

    assert (await scene.asked(1)).state is State.PENDING_APPROVAL
