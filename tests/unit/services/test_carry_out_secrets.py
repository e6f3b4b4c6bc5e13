"""Secret values that somebody changes while a rollback runs: never live unsaid, never lost."""

from __future__ import annotations

import pytest

from bot.domain.words import OutcomeCode
from bot.ports.store import Store
from store.document import Document
from store.records import Rollback, State
from tests.unit.services.execution_scene import (
    APP,
    KEY,
    OTHER_KEY,
    ExecutionScene,
    a_secretive,
    with_features,
)

GOOD, BAD = a_secretive("Answer kindly.", KEY), a_secretive("Answer wrongly.", KEY)
WIP = a_secretive("Answer in rhyme.", KEY)
LIVE, THEIRS = {KEY: "live-key"}, {KEY: "unreviewed"}
# where the executor asks for secrets: before it writes, before it publishes, at the read-back
BEFORE_PUBLISH, READ_BACK = 1, 2


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


@pytest.fixture
async def rollback(scene: ExecutionScene) -> Rollback:
    scene.publish(GOOD, BAD, secrets=[LIVE, LIVE])
    return await scene.approved(draft=WIP)


def change_the_value(scene: ExecutionScene) -> None:
    """An editor saves another value, which neither a hash nor a root shows."""
    scene.target.save_draft(APP, scene.draft, secrets=THEIRS)


def live_values(scene: ExecutionScene) -> dict[str, str]:
    return dict(scene.target.secret_values(APP, scene.target.apps[APP].live_id))


@pytest.mark.parametrize("method", ["stage", "compare_secrets"])
async def test_a_value_that_was_saved_before_we_publish_is_not_published(
    scene: ExecutionScene, rollback: Rollback, method: str
) -> None:
    if method == "compare_secrets":
        scene.target.before(method, lambda: None)
    scene.target.before(method, lambda: change_the_value(scene))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.DRAFT_HAS_SECRETS)
    assert ended.outcome_facts == {
        "names": ["SECRET_3"],
        "out_of_reach": False,
        "system": "dify.test",
    }
    assert (scene.live, live_values(scene), scene.ours(rollback)) == (BAD, LIVE, 0)
    assert scene.draft == WIP, "the editors' draft is back"
    assert scene.target.secret_values(APP) == THEIRS, "and so is the value that they saved"


async def test_a_value_that_slips_in_while_we_publish_calls_people(
    scene: ExecutionScene, rollback: Rollback
) -> None:
    scene.target.before("publish", lambda: change_the_value(scene))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.SECRETS_DIFFER)
    assert (ended.outcome_facts["names"], ended.outcome_facts["number"]) == (["SECRET_3"], 3)
    assert live_values(scene) == THEIRS
    assert (await scene.told_codes())[-2:] == ["ended", "draft_note"]


async def test_what_was_published_is_compared_and_not_the_draft_that_somebody_goes_on_with(
    scene: ExecutionScene, rollback: Rollback
) -> None:
    scene.target.after("publish", lambda: change_the_value(scene))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert live_values(scene) == LIVE


async def test_values_that_cannot_be_compared_before_the_publish_stop_it(
    scene: ExecutionScene, rollback: Rollback
) -> None:
    app = scene.target.apps[APP]
    everything = list(app.history)
    for _ in range(BEFORE_PUBLISH):
        scene.target.before("compare_secrets", lambda: None)
    scene.target.before("compare_secrets", app.history.clear)
    scene.target.after("compare_secrets", lambda: None)
    scene.target.after("compare_secrets", lambda: app.history.extend(everything))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.DRAFT_SECRETS_UNKNOWN)
    assert (scene.live, scene.draft, scene.ours(rollback)) == (BAD, WIP, 0)


async def test_values_that_cannot_be_compared_at_the_read_back_are_no_success(
    scene: ExecutionScene, rollback: Rollback
) -> None:
    app = scene.target.apps[APP]

    def forget_the_old_live() -> None:
        app.history[:] = [pair for pair in app.history if pair[0].external_id == app.live_id]

    for _ in range(READ_BACK):
        scene.target.before("compare_secrets", lambda: None)
    scene.target.before("compare_secrets", forget_the_old_live)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.SECRETS_DIFFER)
    assert ended.outcome_facts["names"] == []


async def test_the_candidates_own_secret_is_compared_with_its_own_version(
    scene: ExecutionScene,
) -> None:
    good = a_secretive("Answer kindly.", KEY, OTHER_KEY)
    scene.publish(good, BAD, secrets=[{KEY: "old", OTHER_KEY: "own"}, LIVE])
    rollback = await scene.approved(draft=WIP)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert live_values(scene) == {KEY: "live-key", OTHER_KEY: "own"}


async def test_a_draft_that_is_the_approved_content_with_lives_values_is_published_as_it_is(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD, secrets=[LIVE, LIVE])
    rollback = await scene.approved(draft=GOOD)

    ended = await scene.run(rollback)

    assert (ended.state, live_values(scene)) == (State.COMPLETED, LIVE)
    assert "stage" not in scene.target.calls
    assert scene.target.calls.count("compare_secrets") == 1 + READ_BACK, "no more often than else"


async def test_without_secrets_nothing_is_asked_for_but_the_drafts(scene: ExecutionScene) -> None:
    rollback = await scene.approved()

    assert (await scene.run(rollback)).state is State.COMPLETED
    assert scene.target.calls.count("compare_secrets") == 1


async def test_a_save_that_no_token_shows_right_before_our_write_is_kept(
    scene: ExecutionScene, rollback: Rollback
) -> None:
    theirs = with_features(WIP, opening_statement="Hello!")
    scene.target.before("stage", lambda: scene.target.save_draft(APP, theirs))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.draft == theirs


async def test_a_save_that_no_token_shows_right_before_we_put_the_draft_back_stays(
    scene: ExecutionScene, rollback: Rollback
) -> None:
    theirs = with_features(GOOD, opening_statement="Hello!")
    scene.target.before("stage", lambda: None)
    scene.target.before("stage", lambda: scene.target.save_draft(APP, theirs))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.draft == theirs
    assert (await scene.told_codes())[-2:] == ["ended", "draft_note"]


async def test_a_secret_that_the_version_has_as_plain_text_goes_back_as_a_secret_with_its_value(
    scene: ExecutionScene,
) -> None:
    plain = {"id": KEY, "name": "SECRET_3", "value_type": "string", "value": "was-plain"}
    content = {**a_secretive("Answer kindly.").content, "environment_variables": [plain]}
    scene.publish(Document("workflow", content), BAD, secrets=[{}, LIVE])
    rollback = await scene.approved(draft=WIP)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.draft == WIP
    assert scene.target.secret_values(APP) == LIVE
