"""Policies at work in the real service: votes that are taken back, requests that need none."""

from __future__ import annotations

import asyncio

from bot.playground.slack import people
from store.records import State
from tests.acceptance.world import LIMIT_S, VOTERS, WHERE, World


async def types(world: World, who: str, text: str) -> None:
    """Type a slash command in the channel, and again while it is said not to be stored."""
    while not (await world.slack.driver.command(who, people.INCIDENTS, "/rollback", text)).ok:
        pass


async def told(world: World, who: str, words: str) -> None:
    """Wait until *who* was privately told *words*."""
    await world.slack.state.until(
        lambda s: any(words in message.text for message in s.ephemerals_to(who)), within=LIMIT_S
    )


async def test_a_vote_that_was_taken_back_is_missing_until_it_is_given_again(world: World) -> None:
    async with asyncio.timeout(2 * LIMIT_S), world.here():
        was = await world.go()
        await told(world, VOTERS[0], "approvals 1 of 2")
        await types(world, VOTERS[0], f"take-back {WHERE}")
        await told(world, VOTERS[0], "is taken back")
        await world.until(lambda: _drawn(world, "0 of 2"))
        await world.approve(VOTERS[1])
        await told(world, VOTERS[1], "approvals 1 of 2")
        await world.until(lambda: _drawn(world, "1 of 2"))
        await world.approve(VOTERS[0])
        ended = await world.ended()

    assert ended.state is State.COMPLETED
    assert [vote.slack_id for vote in ended.votes if vote.voided_at is None] == [*VOTERS][::-1]
    assert world.live.hash == was.good
    assert "took their vote back" in str(world.slack.state.everything())


async def test_where_no_vote_is_needed_a_request_runs_and_says_that_nobody_approved(
    world: World,
) -> None:
    world.edit(votes="votes = 0")
    async with asyncio.timeout(2 * LIMIT_S), world.here():
        await world.read_history()
        was = world.break_it()
        await types(world, VOTERS[0], "snapshot")
        await world.read_history()
        await types(world, VOTERS[0], f"to {WHERE} {was.versions - 1}")
        ended = await world.ended()

    assert (ended.state, ended.votes) == (State.COMPLETED, ())
    assert world.live.hash == was.good
    said = str(world.slack.state.everything())
    assert "no approval is needed in this environment" in said
    assert "asked by" in world.live.marked_comment


async def _drawn(world: World, words: str) -> bool:
    return words in world.card_text()
