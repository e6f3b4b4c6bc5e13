"""What whoever comes after a dead executor asks before going on: is it still approved?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain import marker
from bot.domain.words import OutcomeCode
from bot.errors import UpstreamDown
from bot.ports.store import Store
from store.records import NewVersion, Rollback, State, Step, VersionKind, VersionSource
from tests.builders import ALICE, BOB, DAVE, NOON, PROD
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    WIP,
    WRITES,
    ExecutionScene,
)

NOT_PUBLISHED = [Step.CLAIMED, Step.STAGING, Step.PUBLISHING]


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def left_at(scene: ExecutionScene, step: Step) -> Rollback:
    """An execution whose process died there, with the draft as it was then."""
    rollback = await scene.approved()
    if step is Step.CLAIMED:
        return await scene.stands_at(rollback, step)
    draft = scene.target.apps[APP].draft
    assert draft is not None
    kept = NewVersion(
        where=PROD,
        kind=VersionKind.DRAFT,
        source=VersionSource.IMPORTED,
        external_id="draft",
        external_hash=draft.token,
        published_at=NOON,
        author="alice",
    )
    async with scene.store.write() as tx:
        version = await tx.versions.record(kept, draft.document)
    staged = scene.save(GOOD) if step is Step.PUBLISHING else ""
    return await scene.stands_at(
        rollback, step, kept_draft_id=version.id, kept_token=draft.token, staged_token=staged
    )


def both_leave(scene: ExecutionScene) -> None:
    scene.directory.leave(ALICE)
    scene.directory.leave(BOB)


def one_is_deactivated(scene: ExecutionScene) -> None:
    scene.directory.change(BOB, deleted=True)


@pytest.mark.parametrize("step", NOT_PUBLISHED)
@pytest.mark.parametrize("lose", [both_leave, one_is_deactivated])
async def test_what_is_no_longer_approved_is_not_published_by_whoever_takes_over(
    scene: ExecutionScene, step: Step, lose: Callable[[ExecutionScene], None]
) -> None:
    rollback = await left_at(scene, step)
    lose(scene)

    ended = await scene.run(rollback, "w2")

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.APPROVAL_LAPSED)
    lost = {ALICE: "not_reviewer", BOB: "not_reviewer"} if lose is both_leave else {BOB: "deleted"}
    system = {} if step is Step.CLAIMED else {"system": "dify.test"}
    assert ended.outcome_facts == {"expired": False, "not_eligible": lost, **system}
    assert (scene.live, scene.draft, scene.ours(rollback)) == (BAD, WIP, 0)


@pytest.mark.parametrize("step", NOT_PUBLISHED)
async def test_what_has_expired_is_not_published_by_whoever_takes_over(
    scene: ExecutionScene, step: Step
) -> None:
    rollback = await left_at(scene, step)
    async with scene.store.write() as tx:
        due = replace(rollback, revision=rollback.revision + 1, expires_at=await tx.now())
        await tx.rollbacks.save(due, was=rollback.revision, entry=None)

    ended = await scene.run(rollback, "w2")

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.APPROVAL_LAPSED)
    system = {} if step is Step.CLAIMED else {"system": "dify.test"}
    assert ended.outcome_facts == {"expired": True, "not_eligible": {}, **system}
    assert (scene.live, scene.draft) == (BAD, WIP)


@pytest.mark.parametrize("step", NOT_PUBLISHED)
async def test_without_slack_nobody_takes_over_what_is_not_published(
    scene: ExecutionScene, step: Step
) -> None:
    rollback = await left_at(scene, step)
    scene.directory.down = True

    with pytest.raises(UpstreamDown):
        await scene.executor("w2").step()

    assert not set(scene.target.calls) & set(WRITES)
    scene.directory.down = False
    assert (await scene.run(rollback, "w2")).state is State.COMPLETED


async def test_what_was_published_is_verified_though_everybody_left(scene: ExecutionScene) -> None:
    rollback = await left_at(scene, Step.PUBLISHING)
    scene.target.publish_draft(APP, name=marker.name_of(rollback))
    both_leave(scene)

    ended = await scene.run(rollback, "w2")

    assert ended.state is State.COMPLETED
    assert (scene.live, scene.draft, scene.ours(rollback)) == (GOOD, WIP, 1)


@pytest.mark.parametrize("step", NOT_PUBLISHED)
async def test_what_two_have_approved_goes_on_though_who_asked_for_it_left(
    scene: ExecutionScene, step: Step
) -> None:
    rollback = await left_at(scene, step)
    scene.directory.change(DAVE, deleted=True)

    assert (await scene.run(rollback, "w2")).state is State.COMPLETED


async def test_what_is_turned_around_after_somebody_saved_leaves_their_draft_and_says_so(
    scene: ExecutionScene,
) -> None:
    """A second beginning: the draft that was kept first is in our store alone."""
    rollback = await left_at(scene, Step.STAGING)
    execution = replace(rollback.execution, step=Step.CLAIMED)
    async with scene.store.write() as tx:
        again = replace(rollback, revision=rollback.revision + 1, execution=execution)
        await tx.rollbacks.save(again, was=rollback.revision, entry=None)
    scene.save(EDIT)
    both_leave(scene)

    ended = await scene.run(rollback, "w2")

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.APPROVAL_LAPSED)
    assert (scene.live, scene.draft, scene.ours(rollback)) == (BAD, EDIT, 0)
    assert "draft_note" in await scene.told_codes()
