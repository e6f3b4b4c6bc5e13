"""What a paused database is compared with, and how what is open in a copy ends."""

from __future__ import annotations

import pytest

from bot.domain.marker import name_of
from bot.domain.resumption import Anchor
from bot.errors import UpstreamDown
from bot.services.resume import Comparison, Resume, pause_entry, told
from store.records import Paused, PauseOrigin, Rollback, State, Step
from store.session import SqlStore
from tests.unit.services.execution_scene import APP, GOOD, ExecutionScene


@pytest.fixture
def scene(sqlite_store: SqlStore) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def paused(scene: ExecutionScene, origin: PauseOrigin = PauseOrigin.BACKUP) -> Paused:
    entry = None if origin.is_copy else pause_entry("we move", restored=False)
    async with scene.store.write() as tx:
        await tx.pause.mark(origin, "a test", entry=entry)
    async with scene.store.read() as tx:
        found = await tx.pause.current()
    assert found is not None
    return found


def resuming(scene: ExecutionScene) -> Resume:
    return Resume(scene.store, scene._there, lambda _: scene.snapshot)


async def compared(scene: ExecutionScene, anchor: Anchor | None = None) -> Comparison:
    return await resuming(scene).compare(await paused(scene), anchor)


def said(found: Comparison) -> str:
    return " / ".join(f"{line.what}: {line.said}" for line in found.lines)


async def resumed(scene: ExecutionScene, found: Comparison, rollback: Rollback) -> Rollback:
    await resuming(scene).carry_out(found, accepted=True)
    async with scene.store.read() as tx:
        assert await tx.pause.current() is None
    return await scene.rollback(rollback)


async def test_the_chain_is_compared_with_what_was_kept_of_it(scene: ExecutionScene) -> None:
    await scene.approved()
    mark = await paused(scene)
    comparing = resuming(scene)

    same = await comparing.compare(mark, Anchor(mark.head))
    none = await comparing.compare(mark, None)
    other = await comparing.compare(mark, Anchor("f" * 64))

    assert "ends where it was written down" in said(same)
    assert "no anchor was given" in said(none)
    assert not same.needs_a_person
    assert other.needs_a_person


async def test_what_was_not_started_is_asked_for_anew(scene: ExecutionScene) -> None:
    rollback = await scene.approved()

    found = await compared(scene)
    ended = await resumed(scene, found, rollback)

    assert "its votes are of before the copy" in said(found)
    assert (ended.state, ended.outcome) == (State.SUPERSEDED, "copied")
    (entry,) = await scene.entries("resume")
    assert entry.what["accepted"] is True
    assert entry.what["compared"] == [
        [line["what"], line["said"], line["person"]] for line in told(found.lines)
    ]


async def test_what_the_original_carried_out_is_not_done_again(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.target.publish_document(APP, GOOD, name=name_of(rollback))

    found = await compared(scene)
    ended = await resumed(scene, found, rollback)

    assert "1 newer than the database were imported" in said(found)
    assert "was carried out as version 3 after the copy was made" in said(found)
    assert (ended.state, ended.outcome) == (State.SUPERSEDED, "carried_out")


@pytest.mark.parametrize(
    ("step", "published", "state"),
    [
        (Step.STAGING, False, State.NEEDS_ATTENTION),
        (Step.PUBLISHING, True, State.SUPERSEDED),
        (Step.VERIFYING, True, State.COMPLETED),
    ],
)
async def test_what_was_running_ends_by_what_is_live(
    scene: ExecutionScene, step: Step, published: bool, state: State
) -> None:
    approved = await scene.approved()
    kept = approved.leg.to_version_id  # whose row does not matter here
    rollback = await scene.stands_at(approved, step, kept_draft_id=kept)
    if published:
        scene.target.publish_document(APP, GOOD, name=name_of(rollback))

    found = await compared(scene)
    ended = await resumed(scene, found, rollback)

    assert ended.state is state
    assert found.needs_a_person is (state is State.NEEDS_ATTENTION)


async def test_another_s_rollback_in_the_history_is_told(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.publish_by_hand()
    scene.target.publish_document(APP, GOOD, name="rollback-999-0123abc")

    found = await compared(scene)

    assert name_of(rollback) not in said(found)
    assert "a rollback that this database knows nothing of" in said(found)


async def test_a_target_that_cannot_be_read_needs_a_person(scene: ExecutionScene) -> None:
    await scene.approved()
    scene.always("history", UpstreamDown("dify.local", "it is down"))
    scene.always("live", UpstreamDown("dify.local", "it is down"))

    found = await compared(scene)
    await resuming(scene).refuse(found)

    assert "cannot be read" in said(found)
    assert found.needs_a_person
    (entry,) = await scene.entries("resume")
    assert entry.status == "refused"
    async with scene.store.read() as tx:
        assert await tx.pause.current() is not None


async def test_a_person_s_pause_leaves_open_rollbacks_as_they_are(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    mark = await paused(scene, PauseOrigin.PERSON)

    found = await resuming(scene).compare(mark, None)
    after = await resumed(scene, found, rollback)

    assert found.fates == []
    assert after.state is State.APPROVED
