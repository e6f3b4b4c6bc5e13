"""`/rollback take-back` and `withdraw`: only one's own, only in time, and everybody hears of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain import approval
from bot.ports.people import Note
from bot.ports.store import Store
from store.records import Rollback, State
from tests.builders import ALICE, BOB, CAROL, DAVE, PROD
from tests.unit.services.scene import POLICY, Scene, a_pending

APP = "support-triage@prod"


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


def told(scene: Scene, who: str) -> list[Note]:
    """What *who* was told, privately."""
    return [answer.note for answer in scene.messenger.answers if answer.slack_id == who]


async def opened(scene: Scene, *, requested_by: str = DAVE, vetoes: int = 1) -> Rollback:
    rules = replace(POLICY, vetoes=vetoes).snapshot([ALICE, BOB, CAROL])
    pending = await a_pending(scene.store, rules=rules, requested_by=requested_by, card_ts="1.1")
    await scene.tell()
    return pending


async def test_a_vote_is_taken_back_said_in_the_thread_and_given_again(scene: Scene) -> None:
    pending = await opened(scene)
    await scene.approve(ALICE, pending)
    await scene.judge()

    await scene.command(ALICE, f"take-back {APP}")
    await scene.judge()
    await scene.tell()

    after = await scene.rollback(pending)
    assert after.state is State.PENDING_APPROVAL
    assert [vote.voided_why for vote in after.votes] == [approval.TAKEN_BACK]
    assert scene.messenger.codes[-2:] == ["vote_approved", "vote_taken_back"]
    assert told(scene, ALICE)[-1].code == "taken_back"
    (entry,) = await scene.entries("vote.take_back")
    assert (entry.user_id, entry.status, entry.resource) == (ALICE, "ok", f"rollback/{pending.id}")

    await scene.approve(ALICE, after)
    await scene.judge()
    assert [v.person for v in (await scene.rollback(pending)).votes] == [ALICE, ALICE]


async def test_a_click_that_was_on_its_way_does_not_bring_the_vote_back(scene: Scene) -> None:
    pending = await opened(scene)
    await scene.approve(ALICE, pending)
    await scene.judge()
    await scene.command(ALICE, f"take-back {APP}")
    await scene.judge()

    await scene.approve(ALICE, pending)  # the button of the card before
    await scene.judge()

    after = await scene.rollback(pending)
    assert [vote.voided_at is not None for vote in after.votes] == [True]


async def test_what_one_has_not_given_is_not_taken_back(scene: Scene) -> None:
    pending = await opened(scene)
    await scene.approve(ALICE, pending)
    await scene.command(BOB, f"take-back {APP}")
    await scene.judge()
    await scene.tell()

    assert len((await scene.rollback(pending)).votes) == 1
    assert told(scene, BOB)[-1].facts["text"].startswith("You have no vote")
    (entry,) = await scene.entries("vote.take_back")
    assert (entry.user_id, entry.status) == (BOB, "refused")


async def test_after_the_quorum_it_is_too_late_to_take_a_vote_back(scene: Scene) -> None:
    pending = await opened(scene)
    for who in (ALICE, BOB):
        await scene.approve(who, pending)
    await scene.judge()
    await scene.command(ALICE, f"take-back {APP}")
    await scene.judge()

    assert (await scene.rollback(pending)).state is State.APPROVED


async def test_who_asked_withdraws_also_what_is_approved(scene: Scene) -> None:
    pending = await opened(scene)
    for who in (ALICE, BOB):
        await scene.approve(who, pending)
    await scene.judge()

    await scene.command(DAVE, f"withdraw {APP}")
    await scene.judge()
    await scene.tell()

    after = await scene.rollback(pending)
    assert (after.state, after.outcome) == (State.WITHDRAWN, "withdrawn")
    assert scene.messenger.codes[-1] == "ended"
    assert dict(told(scene, DAVE)[-1].facts) == {"where": APP, "number": 1}


@pytest.mark.parametrize("who", [ALICE, BOB])
async def test_nobody_else_withdraws_it(scene: Scene, who: str) -> None:
    pending = await opened(scene)
    await scene.command(who, f"withdraw {APP}")
    await scene.judge()

    assert (await scene.rollback(pending)).state is State.PENDING_APPROVAL


@pytest.mark.parametrize("verb", ["take-back", "withdraw"])
async def test_where_nothing_is_open_it_says_so(scene: Scene, verb: str) -> None:
    await scene.command(ALICE, f"{verb} {PROD}")
    await scene.judge()
    await scene.tell()

    assert told(scene, ALICE)[-1].facts["text"] == f"No rollback of `{PROD}` is open."


async def test_a_reject_that_does_not_end_it_is_said_with_how_many_do(scene: Scene) -> None:
    pending = await opened(scene, vetoes=2)
    await scene.reject(ALICE, pending, reason="the fix is nearly there")
    await scene.judge()
    await scene.tell()

    assert (await scene.rollback(pending)).state is State.PENDING_APPROVAL
    assert scene.messenger.codes[-1] == "vote_against"
    facts = told(scene, ALICE)[-1].facts
    assert (facts["count"], facts["vetoes"]) == (1, 2)

    await scene.reject(BOB, pending)
    await scene.judge()
    assert (await scene.rollback(pending)).state is State.REJECTED
