"""Undo by its button: from what was carried out to the version before it, live again."""

from __future__ import annotations

import asyncio
from functools import partial

from bot.playground.slack.people import DAVE
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message
from bot.playground.story.workflow import APP
from store.records import Rollback, State
from tests.acceptance.world import LIMIT_S, VOTERS, World, with_button

UNDO = "rollback.undo"


async def test_a_rollback_is_undone_by_its_button_a_reason_and_two_other_people(
    world: World,
) -> None:
    slack = world.slack
    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.go()
        await world.turn_second_key()
        first = await world.ended()
        assert (first.state, world.live.hash) == (State.COMPLETED, was.good)
        (done,) = await slack.state.until(partial(with_button, action_id=UNDO), within=LIMIT_S)
        await slack.driver.click(DAVE, done.ts, "undo")
        (view,) = await slack.state.until(lambda s: s.views_of(DAVE))
        await slack.driver.submit(DAVE, view.id, {"text": " "})
        assert view.errors == {"reason": "Please say in a few words why it should be undone."}
        await slack.driver.submit(DAVE, view.id, {"text": "the provider was down, not we"})
        card = (await slack.state.until(with_button, within=LIMIT_S))[0]
        asked = str(card.blocks)
        for who in (DAVE, *VOTERS):  # who asked has no vote
            assert (await slack.driver.click(who, card.ts, "approve")).ok
        second = await world.until(partial(ended_after, world, first))
        back, draft, live = world.live.hash, world.draft.hash, world.live.graph
        world.dify.state.publish_directly(APP, graph={**live, "nodes": live["nodes"][:-1]})
        stale = await pressed_again(world, card)

    assert (second.state, second.requested_by) == (State.COMPLETED, DAVE)
    assert {vote.slack_id for vote in second.votes} == set(VOTERS)
    assert (back, draft) == (was.bad, was.unpublished)
    assert card.ts == done.ts, "the alert still fires, so it is the same case"
    assert "Why: the provider was down, not we" in asked
    assert "made version 9 live; version 10 is live now" in stale
    assert not slack.state.problems
    assert (await world.audit()).ok


async def ended_after(world: World, first: Rollback) -> Rollback | None:
    async with world.store.read() as tx:
        newest = (await tx.rollbacks.newest(limit=1))[0]
        waiting = await tx.outbox.waiting()
    return newest if newest.id != first.id and not newest.open and not waiting else None


async def pressed_again(world: World, card: Message) -> str:
    """Press Undo on *card* once more; return what is said to it."""
    slack = world.slack
    before = len(slack.state.ephemerals_to(DAVE))
    await slack.driver.click(DAVE, card.ts, "undo")
    (view,) = await slack.state.until(lambda s: s.views_of(DAVE))
    await slack.driver.submit(DAVE, view.id, {"text": "once more"})
    told = await slack.state.until(partial(more_than, before), within=LIMIT_S)
    return told[-1].text


def more_than(before: int, slack: SlackState) -> list[Message]:
    told = slack.ephemerals_to(DAVE)
    return told if len(told) > before else []
