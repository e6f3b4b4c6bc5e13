"""How an execution ends: the state, its entry and all that is told, in one transaction."""

from __future__ import annotations

import pytest

from bot.domain.words import DraftNote, OutcomeCode
from bot.ports.store import Store
from bot.services.settle import Ending, Settle, completed, unsettled
from store.records import Rollback, Stale, State, Step
from tests.builders import ALICE, BOB, PROD, a_rollback, a_version
from tests.unit.services.execution_scene import ExecutionScene

FAILED = Ending(State.FAILED, OutcomeCode.TARGET_DOWN, {"system": "dify.test"})


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def executing(scene: ExecutionScene, step: Step = Step.CLAIMED) -> Rollback:
    return await scene.stands_at(await scene.approved(), step)


def test_the_good_end_names_the_version_and_the_draft() -> None:
    ending = completed(a_rollback(), a_version(number=7))

    assert (ending.state, ending.code) == (State.COMPLETED, OutcomeCode.COMPLETED)
    assert ending.facts == {"candidate": 7, "draft": ""}


def test_what_cannot_be_read_is_for_a_person() -> None:
    ending = unsettled("dify.test")

    assert (ending.state, ending.code) == (State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN)
    assert ending.facts == {"system": "dify.test"}


async def test_an_end_is_stored_with_its_entry_its_card_and_its_note(scene: ExecutionScene) -> None:
    rollback = await executing(scene)

    after = await Settle(scene.store)(rollback, FAILED)

    assert after == await scene.rollback(rollback)
    assert (after.state, after.outcome, after.execution.step) == (
        State.FAILED,
        OutcomeCode.TARGET_DOWN,
        Step.DONE,
    )
    assert after.finished_at is not None
    (entry,) = await scene.entries("rollback.failed")
    assert (entry.user_id, entry.resource, entry.status, entry.ip_note) == (
        "keyturn",
        f"rollback/{rollback.id}",
        "failed",
        "Keyturn itself",
    )
    assert entry.what == {
        "app": str(PROD),
        "outcome": "target_down",
        "facts": dict(FAILED.facts),
        "expected_root": rollback.leg.expected_root,
        "digest": rollback.content_digest,
        "approved_by": [ALICE, BOB],
    }
    assert await scene.told_codes() == ["ended"]
    assert scene.messenger.drawn[-1].outcome_code == "target_down"


async def test_whoever_is_stale_ends_nothing_and_tells_nothing(scene: ExecutionScene) -> None:
    rollback = await executing(scene)
    await scene.let_lease_run_out(rollback, owner="w2")

    with pytest.raises(Stale):
        await Settle(scene.store)(rollback, FAILED)

    assert (await scene.rollback(rollback)).open
    assert await scene.entries("rollback.failed") == []
    assert await scene.told_codes() == []


async def test_an_end_that_cannot_be_told_is_no_end(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollback = await executing(scene)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("bot.services.settle.seconds_to_verified", broken)
    with pytest.raises(RuntimeError):
        await Settle(scene.store)(rollback, FAILED)

    assert await scene.rollback(rollback) == rollback
    assert await scene.entries("rollback.failed") == []


async def test_only_a_superseded_end_makes_the_case_due_again(scene: ExecutionScene) -> None:
    rollback = await executing(scene)
    assert (await scene.case(rollback)).assess_at is None

    await Settle(scene.store)(rollback, Ending(State.SUPERSEDED, OutcomeCode.LIVE_CHANGED))

    assert (await scene.case(rollback)).assess_at is not None


async def test_only_a_completed_one_condemns(scene: ExecutionScene) -> None:
    rollback = await executing(scene)

    await Settle(scene.store)(rollback, FAILED)

    assert (await scene.case(rollback)).assess_at is None
    async with scene.store.read() as tx:
        assert await tx.versions.condemned(PROD) == frozenset()


async def test_what_becomes_of_the_draft_is_said_once_with_where_it_is_kept(
    scene: ExecutionScene,
) -> None:
    rollback = await executing(scene)

    for _ in range(2):
        await Settle(scene.store).say_draft(rollback, DraftNote.THEIRS_STAYS)

    assert await scene.told_codes() == ["draft_note"]
    assert scene.messenger.replies[0].note.facts["draft"] == "theirs_stays"
