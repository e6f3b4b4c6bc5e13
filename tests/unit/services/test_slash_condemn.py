"""`/rollback condemn` and `absolve`: who may judge a version, and what is recorded."""

from __future__ import annotations

import pytest

from bot.domain.policy import Policy
from bot.ports.store import Store
from tests.builders import ALICE, CAROL, DAVE, PROD
from tests.unit.services.scene import Scene, a_document, a_history
from tests.unit.services.test_decide_commands import said
from tests.unit.services.test_slash import told

APP = "support-triage@prod"
OLD = a_document("Answer kindly.").meaning


@pytest.fixture
async def scene(sqlite_store: Store) -> Scene:
    scene = Scene.of(sqlite_store)
    await a_history(scene.store)
    return scene


async def condemned(scene: Scene) -> frozenset[str]:
    async with scene.store.read() as tx:
        return await tx.versions.condemned(PROD)


async def test_a_person_condemns_and_absolves_and_each_is_recorded_with_the_reason(
    scene: Scene,
) -> None:
    done = await said(scene, DAVE, f"condemn {APP} 1 it leaks the prompt")
    assert (done["number"], done["anew"]) == (1, True)
    assert await condemned(scene) == {OLD}

    lifted = await said(scene, ALICE, f"absolve {APP} v1 it was another one")
    assert (lifted["number"], lifted["anew"]) == (1, True)
    assert await condemned(scene) == frozenset()

    entries = await scene.entries("version.")
    assert [(e.user_id, e.action, e.what["reason"], e.what["number"]) for e in entries] == [
        (DAVE, "version.condemn", "it leaks the prompt", 1),
        (ALICE, "version.lift", "it was another one", 1),
    ]
    assert {e.what["meaning"] for e in entries} == {OLD}


async def test_what_is_so_already_is_said_and_not_recorded_twice(scene: Scene) -> None:
    await said(scene, DAVE, f"condemn {APP} 1 it leaks")
    again = await said(scene, ALICE, f"condemn {APP} 1 it leaks")
    never = await said(scene, ALICE, f"absolve {APP} 2 it is fine")

    assert (again["anew"], never["anew"]) == (False, False)
    assert len(await scene.entries("version.")) == 1


async def test_who_may_only_look_judges_nothing_and_that_is_recorded(scene: Scene) -> None:
    looking = Policy(reviewers=(ALICE,), viewers=(CAROL,), named=True)

    (refused,) = await told(scene, CAROL, f"condemn {APP} 1 no", policy_of=lambda _: looking)

    assert "You may not do this here" in refused["text"]
    assert await condemned(scene) == frozenset()
    (entry,) = await scene.entries("version.condemn")
    assert (entry.user_id, entry.status) == (CAROL, "refused")


async def test_a_version_that_there_is_not_is_not_condemned(scene: Scene) -> None:
    (unknown,) = await told(scene, ALICE, f"condemn {APP} 9 no")

    assert unknown["text"]
    assert await condemned(scene) == frozenset()
