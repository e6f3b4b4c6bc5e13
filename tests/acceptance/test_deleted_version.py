"""A version that somebody deleted in Dify comes back from our store, and the card says so."""

from __future__ import annotations

import asyncio

from bot.playground.slack.people import DAVE, INCIDENTS
from bot.playground.story.workflow import APP
from store.records import State
from tests.acceptance.world import LIMIT_S, VOTERS, WHERE, World

SAID = "Version 6 was deleted in Dify; it is restored from Keyturn's store."


def delete(world: World, number: int) -> None:
    """Delete the story's version *number* in Dify."""
    state = world.dify.state
    state.delete_version(APP, state.versions(APP)[-number].id)


async def test_what_was_deleted_in_dify_is_live_again_and_the_card_said_so(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        was = world.break_it()
        delete(world, 6)
        await world.fire()
        assert SAID in str((await world.card()).blocks)
        for who in VOTERS:
            await world.approve(who)
        ended = await world.ended()

    assert ended.state is State.COMPLETED, ended.outcome
    assert world.live.hash == was.good
    assert world.draft.hash == was.unpublished
    assert (await world.audit()).ok


async def test_a_deleted_version_that_took_a_secret_along_is_refused_by_name(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        world.break_it()
        world.dify.state.publish_directly(APP, environment_variables=[], by="carol")
        delete(world, 6)
        asked = f"to {WHERE} 6"
        assert (await world.slack.driver.command(DAVE, INCIDENTS, "/rollback", asked)).ok
        slack = await world.slack.state.until(lambda s: s.ephemerals_to(DAVE), within=LIMIT_S)

    assert "That version was deleted in Dify" in slack[0].text
    assert "HELPDESK_API_KEY" in slack[0].text
