"""A publish of ours that comes after the end of its rollback calls people; others are silent."""

from __future__ import annotations

import pytest

from bot.domain import approval, marker
from bot.ports.store import Store
from store.document import Document
from store.records import AppEnv, Rollback, State
from tests.builders import DAVE
from tests.unit.services.execution_scene import APP, EDIT, ExecutionScene
from tests.unit.services.scene import ENTRY


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def completed(scene: ExecutionScene) -> Rollback:
    approved = await scene.approved()
    while await scene.executor().step():
        pass
    after = await scene.rollback(approved)
    assert after.state is State.COMPLETED
    return after


async def late_entries(scene: ExecutionScene) -> list[dict[str, object]]:
    return [dict(entry.what) for entry in await scene.entries("rollback.late_publish")]


async def test_what_nobody_approved_under_our_name_calls_people_once(
    scene: ExecutionScene,
) -> None:
    done = await completed(scene)
    scene.target.publish_document(APP, EDIT, name=marker.name_of(done), by="rollback-bot")

    await scene.snapshot.refresh(done.leg.where)
    await scene.snapshot.refresh(done.leg.where)
    await scene.tell()

    (entry,) = await late_entries(scene)
    assert (entry["approved"], entry["state"]) == (False, "COMPLETED")
    assert scene.messenger.codes.count("late_publish") == 1
    assert (await scene.rollback(done)).state is State.COMPLETED


async def test_the_approved_content_after_another_end_is_said_too(scene: ExecutionScene) -> None:
    approved = await scene.approved()
    wanted = await _wanted(scene, approved)
    async with scene.store.write() as tx:
        current = await tx.rollbacks.get(approved.id, lock=True)
        ended = approval.withdraw(current, person=DAVE, slack_id=DAVE, at=await tx.now())
        await tx.rollbacks.save(ended, was=current.revision, entry=ENTRY)
    scene.target.publish_document(APP, wanted, name=marker.name_of(approved), by="rollback-bot")

    await scene.snapshot.refresh(approved.leg.where)

    (entry,) = await late_entries(scene)
    assert entry["approved"] is True


async def test_the_version_that_was_read_back_is_no_late_one(scene: ExecutionScene) -> None:
    done = await completed(scene)

    await scene.snapshot.refresh(done.leg.where)

    assert await late_entries(scene) == []


async def test_the_approved_content_once_more_changes_nothing_of_what_was_told(
    scene: ExecutionScene,
) -> None:
    done = await completed(scene)
    wanted = await _wanted(scene, done)
    scene.target.publish_document(APP, wanted, name=marker.name_of(done), by="rollback-bot")

    await scene.snapshot.refresh(done.leg.where)

    assert await late_entries(scene) == []


async def test_a_publish_of_another_place_with_the_same_name_is_none_of_this_one(
    scene: ExecutionScene,
) -> None:
    """An app under a new name has its history imported, with the names of old rollbacks."""
    done = await completed(scene)
    elsewhere = AppEnv("renamed", "prod")
    scene.target.publish_document(APP, EDIT, name=marker.name_of(done), by="rollback-bot")
    scene.places[elsewhere] = (scene.target, APP)

    await scene.snapshot.refresh(elsewhere)

    assert await late_entries(scene) == []


async def test_a_name_that_somebody_made_up_is_a_publish_like_any_other(
    scene: ExecutionScene,
) -> None:
    done = await completed(scene)
    scene.target.publish_document(APP, EDIT, name=f"rollback-{done.id}-00", by="mallory")

    await scene.snapshot.refresh(done.leg.where)

    assert await late_entries(scene) == []


async def _wanted(scene: ExecutionScene, rollback: Rollback) -> Document:
    async with scene.store.read() as tx:
        return await tx.versions.document(rollback.leg.to_version_id)
