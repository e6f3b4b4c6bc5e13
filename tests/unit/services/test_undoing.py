"""Undo: the way back from a rollback, asked for as any other version is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain import button
from bot.domain.policy import Policy
from bot.errors import NotAllowed, UpstreamDown, UpstreamRefused
from bot.ports.store import Store
from store.records import InboxKind, Rollback, State
from tests.builders import ALICE, BOB, CAROL, DAVE, KEYS, PROD, REVIEWERS
from tests.unit.services.execution_scene import BAD, EDIT, GOOD, ExecutionScene

REASON = "the provider was down, not we"


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def done(scene: ExecutionScene) -> Rollback:
    """A rollback from version 2 to 1 that was carried out, with its card standing."""
    ended = await scene.run(await scene.approved(draft=None))
    assert ended.state is State.COMPLETED
    await scene.tell()
    return ended


async def judged(scene: ExecutionScene, **changes: Any) -> None:
    """Judge what waits as the service does, with the use case that really opens rollbacks."""
    await scene.judge(
        **{
            "ask": scene.propose.requested,
            "refresh": scene.snapshot.refresh,
            "policy_of": lambda where: scene.policies[where.env],
            **changes,
        }
    )


async def said(scene: ExecutionScene) -> tuple[str, str]:
    """Code and text of the newest private answer."""
    await scene.tell()
    return scene.told()[-1][1:]


async def newest(scene: ExecutionScene) -> Rollback:
    async with scene.store.read() as tx:
        return (await tx.rollbacks.newest(limit=1))[0]


async def test_undo_asks_for_what_was_live_before_and_takes_the_same_approvals(
    scene: ExecutionScene,
) -> None:
    ended = await done(scene)

    await scene.undo(DAVE, ended, reason=REASON)
    await judged(scene)

    asked = await newest(scene)
    assert (asked.id, asked.state) == (ended.id + 1, State.PENDING_APPROVAL)
    assert (asked.requested_by, asked.reason) == (DAVE, REASON)
    assert asked.leg.to_version_id == ended.leg.from_version_id
    assert asked.policy.votes == ended.policy.votes
    assert await said(scene) == ("asked", "")
    for who in (ALICE, BOB):
        asked = await scene.vote(who, asked)
    assert (await scene.run(asked)).state is State.COMPLETED
    assert scene.live == BAD


async def test_whoever_presses_it_cannot_vote_on_it(scene: ExecutionScene) -> None:
    ended = await done(scene)

    await scene.undo(ALICE, ended)
    await judged(scene)

    asked = await newest(scene)
    assert (asked.requested_by, asked.policy.eligible) == (ALICE, (BOB, CAROL))


async def test_an_undo_can_be_undone(scene: ExecutionScene) -> None:
    await scene.undo(DAVE, await done(scene))
    await judged(scene)
    asked = await newest(scene)
    for who in (ALICE, BOB):
        asked = await scene.vote(who, asked)
    back = await scene.run(asked)
    await scene.tell()

    await scene.undo(DAVE, back)
    await judged(scene)

    assert (await newest(scene)).leg.to_version_id == back.leg.from_version_id


async def test_who_may_not_ask_is_told_so_as_for_any_version(scene: ExecutionScene) -> None:
    ended = await done(scene)
    scene.policies["prod"] = Policy(reviewers=(REVIEWERS,), viewers=(DAVE,), named=True)

    await scene.undo(DAVE, ended)
    await judged(scene)

    assert (await newest(scene)).id == ended.id
    assert await said(scene) == ("refused", NotAllowed("").to_person())
    (entry,) = await scene.entries("rollback.ask")
    assert (entry.status, entry.what["undoes"], entry.user_id) == ("refused", ended.id, DAVE)


async def test_when_something_else_is_live_it_says_what(scene: ExecutionScene) -> None:
    ended = await done(scene)
    scene.publish_by_hand(EDIT)

    await scene.undo(DAVE, ended)
    await judged(scene)

    code, text = await said(scene)
    assert code == "refused"
    assert "made version 3 live; version 4 is live now" in text
    assert (await newest(scene)).id == ended.id


async def test_the_same_content_published_again_is_still_what_it_made_live(
    scene: ExecutionScene,
) -> None:
    ended = await done(scene)
    scene.publish_by_hand(GOOD)

    await scene.undo(DAVE, ended)
    await judged(scene)

    assert (await newest(scene)).id == ended.id + 1


@pytest.mark.parametrize(
    "forged",
    [
        {"value": "17.1.n0nce." + "0" * 64},
        {"value": "no button"},
        {"ts": "1.000001"},
        {"channel": "C0OTHER"},
    ],
)
async def test_a_button_that_is_none_of_ours_or_elsewhere_is_out_of_date(
    scene: ExecutionScene, forged: dict[str, Any]
) -> None:
    ended = await done(scene)

    await scene.undo(DAVE, ended, **forged)
    await judged(scene)

    assert (await said(scene))[0] == "out_of_date"
    assert (await newest(scene)).id == ended.id


async def test_no_other_button_can_be_sent_as_undo(scene: ExecutionScene) -> None:
    ended = await done(scene)

    await scene.undo(DAVE, ended, value=button.sign(ended, "difference", keys=KEYS))
    await judged(scene)

    assert (await said(scene))[0] == "out_of_date"


async def test_a_button_of_another_round_is_out_of_date(scene: ExecutionScene) -> None:
    ended = await done(scene)
    value = button.sign(replace(ended, round=ended.round + 1), "undo", keys=KEYS)

    await scene.undo(DAVE, ended, value=value)
    await judged(scene)

    assert (await said(scene))[0] == "out_of_date"


async def test_what_was_not_carried_out_cannot_be_undone_by_a_button(
    scene: ExecutionScene,
) -> None:
    pending = await scene.approved(draft=None)
    await scene.tell()

    await scene.undo(DAVE, pending)
    await judged(scene)

    assert (await said(scene))[0] == "out_of_date"


async def test_without_a_reason_nothing_is_asked_for(scene: ExecutionScene) -> None:
    ended = await done(scene)

    await scene.undo(DAVE, ended, reason="  ")
    await judged(scene)

    assert await said(scene) == ("refused", "Please say in a few words why it should be undone.")


async def test_who_may_not_see_the_app_learns_nothing_of_it(scene: ExecutionScene) -> None:
    ended = await done(scene)
    scene.directory.add("U0EVE")

    await scene.undo("U0EVE", ended)
    await judged(scene)

    assert await said(scene) == ("refused", NotAllowed("").to_person())
    assert (await newest(scene)).id == ended.id


async def test_pressing_the_button_only_opens_its_form(scene: ExecutionScene) -> None:
    ended = await done(scene)
    case = await scene.case(ended)
    facts = {"channel": case.channel, "ts": case.card_ts, "response_url": ""}
    value = button.sign(ended, "undo", keys=KEYS)

    await scene.put(InboxKind.CLICK, "undo", DAVE, value=value, **facts)
    await judged(scene)

    assert (await newest(scene)).id == ended.id
    assert scene.told() == []


async def test_while_dify_is_down_it_waits_and_says_so_once(scene: ExecutionScene) -> None:
    ended = await done(scene)
    down = UpstreamDown("dify.test", "no answer")
    scene.target.fail("history", down)
    scene.target.fail("history", down)

    await scene.undo(DAVE, ended)
    await judged(scene)

    assert (await newest(scene)).id == ended.id + 1
    await scene.tell()
    assert [code for _, code, _ in scene.told()] == ["refused", "asked"]


async def test_what_dify_refuses_is_said(scene: ExecutionScene) -> None:
    ended = await done(scene)
    scene.target.fail("history", UpstreamRefused("dify.test", "no", "forbidden"))

    await scene.undo(DAVE, ended)
    await judged(scene)

    assert (await said(scene))[0] == "refused"
    assert (await newest(scene)).id == ended.id


# -- by a word ------------------------------------------------------------------------------------


async def typed(scene: ExecutionScene, text: str, who: str = DAVE) -> tuple[str, str]:
    await scene.command(who, text)
    await judged(scene)
    return await said(scene)


async def test_undo_by_a_word_means_the_newest_rollback(scene: ExecutionScene) -> None:
    ended = await done(scene)

    assert await typed(scene, f"undo {PROD} {REASON}") == ("asked", "")

    asked = await newest(scene)
    assert (asked.leg.to_version_id, asked.reason) == (ended.leg.from_version_id, REASON)


async def test_where_nothing_was_rolled_back_there_is_nothing_to_undo(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    await scene.snapshot.refresh(PROD)

    code, text = await typed(scene, f"undo {PROD} {REASON}")

    assert code == "refused"
    assert "there is nothing to undo" in text


async def test_undo_by_a_word_wants_a_reason(scene: ExecutionScene) -> None:
    await done(scene)

    code, text = await typed(scene, f"undo {PROD}")

    assert (code, f"undo {PROD} REASON" in text) == ("refused", True)
