"""A target that gives out no published version's secrets: only the draft's can be kept."""

from __future__ import annotations

import pytest

from bot.domain.words import OutcomeCode
from bot.errors import SecretsOutOfReach
from bot.ports.store import Store
from store.document import Document
from store.records import Rollback, State
from tests.unit.services.execution_scene import (
    APP,
    KEY,
    OTHER_KEY,
    WRITES,
    ExecutionScene,
    a_secretive,
)

S1 = {KEY: "sk-12345678"}
ENDS_ALIKE = {KEY: "sk-123…5678"}  # shows the same six first and two last characters
KIND, WRONG, RHYME = (a_secretive(text, KEY) for text in ("Kindly.", "Wrongly.", "In rhyme."))


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    scene = ExecutionScene.of(sqlite_store)
    scene.target.hides_old_secrets = True
    return scene


def publish(scene: ExecutionScene, good: Document = KIND, bad: Document = WRONG) -> None:
    values = [{s.id: S1.get(s.id, "other") for s in d.secrets} for d in (good, bad)]
    scene.publish(good, bad, secrets=values)


def assert_untouched(scene: ExecutionScene, ended: Rollback, code: OutcomeCode) -> None:
    assert (ended.state, ended.outcome) == (State.FAILED, code)
    assert not set(scene.target.calls) & set(WRITES)


async def test_the_card_says_before_anybody_votes_that_the_secrets_will_be_the_draft_s(
    scene: ExecutionScene,
) -> None:
    publish(scene)

    rollback = await scene.asked(1)
    await scene.tell()

    assert rollback.votes == ()
    assert rollback.leg.secrets == {"kept": ["SECRET_3"], "from_version": [], "of_draft": True}
    assert scene.messenger.drawn[-1].secrets_of_draft


async def test_votes_bind_to_whose_secrets_will_be_in_force(scene: ExecutionScene) -> None:
    publish(scene)
    told = await scene.asked(1)
    scene.target.hides_old_secrets = False

    other = await scene.asked(1)

    assert "of_draft" not in other.leg.secrets
    assert other.content_digest != told.content_digest


async def test_without_secrets_there_is_nothing_to_say(scene: ExecutionScene) -> None:
    rollback = await scene.approved()

    assert "of_draft" not in rollback.leg.secrets
    assert (await scene.run(rollback)).state is State.COMPLETED


async def test_a_rollback_keeps_the_draft_s_secret_through_its_whole_way(
    scene: ExecutionScene,
) -> None:
    publish(scene)
    rollback = await scene.approved(draft=RHYME)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert (scene.live, scene.draft) == (KIND, RHYME)
    assert scene.target.secret_values(APP, scene.target.apps[APP].live_id) == S1
    assert scene.target.secret_values(APP) == S1


async def test_a_rollback_can_be_rolled_back(scene: ExecutionScene) -> None:
    publish(scene)
    await scene.run(await scene.approved(draft=None))

    ended = await scene.run(await scene.approved(draft=None, back_to=2, reason="it was right"))

    assert ended.state is State.COMPLETED
    assert scene.live == WRONG
    assert scene.target.secret_values(APP, scene.target.apps[APP].live_id) == S1


async def test_a_value_that_looks_the_same_is_what_the_card_warned_of(
    scene: ExecutionScene,
) -> None:
    publish(scene)
    rollback = await scene.approved(draft=RHYME, values=ENDS_ALIKE)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.target.secret_values(APP, scene.target.apps[APP].live_id) == ENDS_ALIKE


async def test_a_value_that_looks_different_is_the_draft_s_own(scene: ExecutionScene) -> None:
    publish(scene)
    rollback = await scene.approved(draft=WRONG, values={KEY: "sk-another-one"})

    ended = await scene.run(rollback)

    assert_untouched(scene, ended, OutcomeCode.DRAFT_HAS_SECRETS)
    assert ended.outcome_facts["names"] == ["SECRET_3"]


async def test_a_new_secret_of_the_draft_would_be_lost(scene: ExecutionScene) -> None:
    publish(scene)
    draft = a_secretive("In rhyme.", KEY, OTHER_KEY)
    rollback = await scene.approved(draft=draft, values={OTHER_KEY: "sk-new"})

    ended = await scene.run(rollback)

    assert_untouched(scene, ended, OutcomeCode.DRAFT_HAS_SECRETS)
    assert ended.outcome_facts["names"] == ["SECRET_8"]


async def test_a_secret_that_the_draft_lacks_has_no_value_to_take(scene: ExecutionScene) -> None:
    publish(scene)
    rollback = await scene.approved(draft=a_secretive("In rhyme."))

    ended = await scene.run(rollback)

    assert_untouched(scene, ended, OutcomeCode.DRAFT_LACKS_SECRETS)
    assert ended.outcome_facts["names"] == ["SECRET_3"]


async def test_reviewers_who_were_not_told_have_not_agreed(scene: ExecutionScene) -> None:
    scene.target.hides_old_secrets = False
    publish(scene)
    rollback = await scene.approved(draft=RHYME)
    scene.target.hides_old_secrets = True  # an older Dify was put in its place

    ended = await scene.run(rollback)

    assert_untouched(scene, ended, OutcomeCode.DRAFT_SECRETS_UNKNOWN)


async def test_a_target_that_learned_to_compare_is_held_to_it(scene: ExecutionScene) -> None:
    publish(scene)
    rollback = await scene.approved(draft=RHYME, values=ENDS_ALIKE)
    scene.target.hides_old_secrets = False

    ended = await scene.run(rollback)

    assert_untouched(scene, ended, OutcomeCode.DRAFT_HAS_SECRETS)


@pytest.mark.parametrize(
    ("good", "bad", "name"),
    [
        (a_secretive("Kindly.", KEY, OTHER_KEY), WRONG, "SECRET_8"),  # no value to take
        (a_secretive("Kindly."), WRONG, "SECRET_3"),  # would be lost for good
    ],
)
async def test_a_version_with_other_secrets_than_live_is_refused_to_who_asks(
    scene: ExecutionScene, good: Document, bad: Document, name: str
) -> None:
    publish(scene, good, bad)

    with pytest.raises(SecretsOutOfReach) as caught:
        await scene.asked(1)

    assert caught.value.names == (name,)
    assert f"`{name}`" in caught.value.to_person()
