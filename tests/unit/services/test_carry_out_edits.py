"""Editors who save and publish while a rollback is carried out: theirs is never lost."""

from __future__ import annotations

from functools import partial

import pytest

from bot.domain.words import DraftNote, OutcomeCode
from bot.errors import Ambiguous
from bot.ports.store import Store
from bot.services.stepping import PATIENCE
from store.document import Document
from store.records import CaseState, Rollback, State, VersionSource
from tests.builders import PROD
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    HAPPY,
    KEEP_READS_LIVE,
    PUBLISH_READS_DRAFT,
    PUBLISH_READS_LIVE,
    PUBLISHES,
    READ_BACK,
    RETURN_READS_DRAFT,
    RETURN_WRITES,
    STAGE_READS_DRAFT,
    STAGE_WRITES,
    WIP,
    WRITES,
    ExecutionScene,
    with_features,
)
from tests.unit.services.scene import a_document


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def slipped_in(scene: ExecutionScene) -> list[str]:
    """The lines in the thread that tell what is live beside what was approved."""
    await scene.tell()
    notes = [r.note for r in scene.messenger.replies if r.note.code == "edits_slipped_in"]
    return [line for note in notes for line in note.facts["lines"]]


async def notes_of_drafts(scene: ExecutionScene) -> list[tuple[str, Document]]:
    """What the thread says of the draft, and what is kept in the store under that number."""
    await scene.tell()
    notes = [r.note.facts for r in scene.messenger.replies if r.note.code == "draft_note"]
    async with scene.store.read() as tx:
        return [(n["draft"], await tx.versions.document(n["version_id"])) for n in notes]


# -- a save -----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [*range(1, PUBLISHES), *range(READ_BACK, len(HAPPY) + 1)])
async def test_a_save_at_any_moment_stays_and_what_was_approved_runs(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await scene.approved()
    if call < len(HAPPY):
        scene.at(call, scene.save)
    else:
        scene.after(RETURN_WRITES, scene.save)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.COMPLETED, OutcomeCode.COMPLETED)
    assert scene.live == GOOD
    assert scene.ours(rollback) == 1
    assert scene.draft == EDIT


async def test_a_save_in_the_moment_of_publishing_is_told_and_never_called_success(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.at(PUBLISHES, scene.save)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.LIVE_DIFFERS)
    assert ended.outcome_facts["number"] == 3
    assert scene.live == scene.draft == EDIT
    lines = await slipped_in(scene)
    assert any("Answer in prose." in line for line in lines)
    assert not any("Answer in rhyme." in line for line in lines)
    assert scene.messenger.codes[-2:] == ["ended", "draft_note"]
    async with scene.store.read() as tx:
        assert await tx.versions.condemned(PROD) == frozenset()


@pytest.mark.parametrize("call", range(KEEP_READS_LIVE, len(HAPPY)))
async def test_a_save_that_the_targets_own_hash_does_not_show_is_noticed_all_the_same(
    scene: ExecutionScene, call: int
) -> None:
    """Dify's hash covers the graph alone: between a read and our write nobody can tell."""
    if HAPPY[call] in WRITES:
        return
    rollback = await scene.approved()

    def switch() -> None:
        scene.save(with_features(scene.draft, opening_statement="Hello!"))

    scene.at(call, switch)
    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.live == GOOD
    assert scene.draft.content["features"] == {"opening_statement": "Hello!"}


async def test_features_that_slip_into_the_publish_are_noticed_by_reading_back(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.at(PUBLISHES, lambda: scene.save(with_features(GOOD, opening_statement="Hello!")))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.LIVE_DIFFERS)


async def test_a_save_over_the_staged_content_is_said_with_where_the_older_draft_is_kept(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.at(PUBLISH_READS_DRAFT, scene.save)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert await notes_of_drafts(scene) == [(DraftNote.THEIRS_STAYS, WIP)]


async def test_a_save_over_what_another_editor_saved_is_none_of_our_doing(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.at(PUBLISH_READS_DRAFT, scene.save)
    scene.after(STAGE_WRITES, lambda: scene.target.before("stage", theirs))

    def theirs() -> None:
        scene.save(a_document("Answer in verse."))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.draft == a_document("Answer in verse.")
    assert await notes_of_drafts(scene) == [(DraftNote.THEIRS_STAYS, WIP)]


async def test_a_save_after_the_publish_stays_and_the_card_says_so(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.at(RETURN_READS_DRAFT, scene.save)

    ended = await scene.run(rollback)

    assert ended.outcome_facts["draft"] == DraftNote.THEIRS_STAYS
    assert "stage" not in scene.target.calls[RETURN_READS_DRAFT:]
    async with scene.store.read() as tx:
        assert ended.execution.kept_draft_id is not None
        assert await tx.versions.document(ended.execution.kept_draft_id) == WIP


async def test_a_save_in_the_moment_of_putting_back_stays(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.at(RETURN_WRITES, scene.save)

    ended = await scene.run(rollback)

    assert ended.outcome_facts["draft"] == DraftNote.THEIRS_STAYS
    assert scene.draft == EDIT


async def test_an_editor_who_saves_the_candidate_itself_is_not_overwritten(
    scene: ExecutionScene,
) -> None:
    """The content is that of our write, but its hash is not: the save is theirs."""
    rollback = await scene.approved()
    theirs = with_features(GOOD)  # the same root as GOOD
    scene.at(RETURN_READS_DRAFT, lambda: scene.target.save_draft(APP, theirs))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert ended.outcome_facts["draft"] == DraftNote.PUT_BACK  # equal in every byte: no loss


async def test_editors_who_never_pause_end_it_with_the_old_version_live(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    saves = [a_document(f"Draft {n}.") for n in range(40)]
    for document in saves:
        scene.target.before("stage", partial(scene.save, document))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.DRAFT_BUSY)
    assert scene.live == BAD
    assert scene.draft == saves[PATIENCE]
    assert scene.ours(rollback) == 0


async def test_editors_who_save_over_each_staged_content_end_it_too(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    for n in range(40):
        document = a_document(f"Draft {n}.")
        scene.target.after("stage", partial(scene.save, document))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.DRAFT_BUSY)
    assert scene.live == BAD
    assert scene.draft == a_document(f"Draft {PATIENCE}.")


# -- a publish --------------------------------------------------------------------------------


@pytest.mark.parametrize("call", range(KEEP_READS_LIVE, PUBLISHES))
async def test_a_publish_before_ours_outdates_the_rollback_and_stays(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await scene.approved()
    scene.at(call, scene.publish_by_hand)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)
    assert scene.live == scene.draft == EDIT
    assert scene.ours(rollback) == 0
    await due_again(scene, rollback)


async def due_again(scene: ExecutionScene, rollback: Rollback) -> None:
    case = await scene.case(rollback)
    assert case.state is CaseState.OPEN
    assert case.assess_at is not None


async def test_a_publish_of_our_staged_draft_by_another_hand_is_the_approved_content(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.at(PUBLISH_READS_LIVE, lambda: scene.target.publish_draft(APP, by="carol"))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.live == GOOD
    assert scene.ours(rollback) == 0
    assert "publish" not in scene.target.calls
    assert scene.draft == WIP


async def test_a_publish_just_before_ours_needs_attention(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.at(PUBLISHES, scene.publish_by_hand)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.LIVE_DIFFERS)


async def test_a_publish_just_after_ours_needs_attention_and_shows_what_it_did(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.at(READ_BACK, scene.publish_by_hand)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (
        State.NEEDS_ATTENTION,
        OutcomeCode.PUBLISHED_BY_OTHER,
    )
    assert any("Answer in prose." in line for line in await slipped_in(scene))
    assert scene.live == scene.draft == EDIT


@pytest.mark.parametrize("call", [PUBLISHES, READ_BACK])
async def test_no_version_is_missing_from_our_history_when_two_were_published_at_once(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await scene.approved()
    scene.at(call, scene.publish_by_hand)

    ended = await scene.run(rollback)
    await scene.snapshot.sweep()

    published = [version.external_id for version, _ in scene.target.apps[APP].history]
    assert [v.external_id for v in await scene.history()] == published
    assert [v.number for v in await scene.history()] == [1, 2, 3, 4]
    assert ended.outcome_facts["number"] == 4


async def test_a_publish_after_the_read_back_is_the_next_version(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.at(RETURN_READS_DRAFT, scene.publish_by_hand)

    ended = await scene.run(rollback)
    (found,) = await scene.snapshot.sweep()

    assert ended.state is State.COMPLETED
    assert (found.number, found.source) == (4, VersionSource.PUBLISHED)


async def test_a_publish_that_came_late_with_an_edit_in_it_is_never_called_superseded(
    scene: ExecutionScene,
) -> None:
    """The call was cut off, an editor saved, and only then the target did what it was told."""
    rollback = await scene.approved()
    scene.target.fail("publish", Ambiguous("dify.test", "cut off"))

    def late() -> None:
        scene.save()
        scene.target.publish_draft(APP, name=name, by="keyturn")

    name = f"rollback-{rollback.id}-{rollback.nonce}"[:20]
    again = (*HAPPY[: PUBLISHES + 1], "live", "draft")
    scene.at(PUBLISHES + 2, late, calls=again)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.LIVE_DIFFERS)
    assert scene.draft == EDIT
    assert any("Answer in prose." in line for line in await slipped_in(scene))


# -- no draft, no version ---------------------------------------------------------------------


async def test_an_app_that_lost_its_draft_fails_before_the_first_write(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.target.apps[APP].draft = None

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_REFUSED)
    assert not set(scene.target.calls) & set(WRITES)


async def test_an_app_that_was_deleted_meanwhile_fails_before_the_first_write(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.at(KEEP_READS_LIVE, lambda: setattr(scene.target.apps[APP], "live_id", ""))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_REFUSED)
    assert not set(scene.target.calls) & set(WRITES)


@pytest.mark.parametrize("call", [STAGE_READS_DRAFT, STAGE_WRITES])
async def test_two_saves_in_a_row_keep_both_and_the_latest_stands(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await scene.approved()
    first, second = a_document("First."), a_document("Second.")
    scene.at(call, lambda: scene.save(first))
    scene.after(STAGE_WRITES, lambda: scene.save(second))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.draft == second
    assert [doc for _, doc in await notes_of_drafts(scene)] == [first]
