"""How a rollback ended, and who is called when a person has to look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.words import OutcomeCode
from bot.ports import Store
from bot.render import note
from bot.services.settle import Ending, Settle, unsettled
from store.records import Rollback, State
from tests.builders import ALICE, BOB, CAROL, REVIEWERS
from tests.unit.services.scene import ENTRY, POLICY, Scene, a_pending


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


async def running(scene: Scene, **facts: Any) -> Rollback:
    """A rollback that alice and bob have approved and that is being executed."""
    pending = await a_pending(scene.store, **facts)
    await scene.tell()
    for who in (ALICE, BOB):
        await scene.approve(who, pending)
    await scene.judge()
    approved = await scene.rollback(pending)
    async with scene.store.write() as tx:
        return await tx.rollbacks.save(
            approved.moved(State.EXECUTING), was=approved.revision, entry=ENTRY
        )


async def ended(scene: Scene, rollback: Rollback, ending: Ending) -> dict[str, Any]:
    """The facts of what the thread is told about the end."""
    await Settle(scene.store)(rollback, ending)
    await scene.tell()
    (said,) = (reply.note for reply in scene.messenger.replies if reply.note.code == "ended")
    assert note(said)
    return dict(said.facts)


async def test_an_end_that_needs_attention_calls_the_reviewers_and_who_approved(
    scene: Scene,
) -> None:
    facts = await ended(scene, await running(scene), unsettled("dify.prod"))

    assert facts["outcome"] == "outcome_unknown"
    assert facts["call"] == [REVIEWERS, ALICE, BOB]


async def test_who_is_a_reviewer_by_name_and_has_approved_is_called_once(scene: Scene) -> None:
    rules = replace(POLICY, reviewers=(BOB, CAROL, REVIEWERS)).snapshot([ALICE, BOB, CAROL])

    facts = await ended(scene, await running(scene, rules=rules), unsettled("dify.prod"))

    assert facts["call"] == [BOB, CAROL, REVIEWERS, ALICE]


async def test_an_end_as_it_should_be_or_without_effect_calls_nobody(scene: Scene) -> None:
    failed = Ending(State.FAILED, OutcomeCode.TARGET_DOWN, {"system": "dify.prod"})

    assert "call" not in await ended(scene, await running(scene), failed)
