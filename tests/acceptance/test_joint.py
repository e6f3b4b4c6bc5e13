"""Two apps as one rollback in the real service: `/rollback to APP 6 together`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.playground.slack import people
from bot.playground.story import seed
from bot.playground.story.workflow import APP, GOOD_PROMPT, Edition, features, graph
from store.records import State
from tests.acceptance.test_policies import told, types
from tests.acceptance.world import LIMIT_S, VOTERS, WHERE, World

SEARCH = "kb-search"
_OLD, _NEW = Edition(prompt=GOOD_PROMPT), Edition(prompt="Look for anything.", model="gpt-4o-mini")


def a_second_app(world: World) -> None:
    """An app that the story's one calls."""
    state = world.dify.state
    app = state.create_app(SEARCH, by="carol")
    long_ago = state.clock() - timedelta(days=3)
    state.publish_directly(SEARCH, graph=graph(_OLD), features=features(), by="bob", at=long_ago)
    world.edit(
        app=f"[app.{APP}]\n"
        f'depends_on = ["{SEARCH}"]\n'
        f'environments.prod = {{ target = "dify.local", id = "{state.app(APP).id}" }}\n'
        f"[app.{SEARCH}]\n"
        f'environments.prod = {{ target = "dify.local", id = "{app.id}" }}\n'
    )


async def asked_for_both(world: World) -> tuple[str, str]:
    """Ask for version 6 of the caller with what it called then, and turn both keys.

    Both were changed since.
    """
    await world.read_history()
    was = world.break_it()
    world.dify.state.publish_directly(SEARCH, graph=graph(_NEW), features=features(), by="bob")
    await types(world, people.DAVE, "snapshot")
    await told(world, people.DAVE, "was published since")
    await types(world, people.DAVE, f"to {WHERE} {was.versions - 1} together")
    await told(world, people.DAVE, "together with")
    card = world.card_text()
    for who in VOTERS:
        await world.approve(who)
    return was.good, card


async def test_two_apps_go_back_together_after_two_people_agreed(world: World) -> None:
    a_second_app(world)
    async with asyncio.timeout(3 * LIMIT_S), world.here():
        good, card = await asked_for_both(world)
        ended = await world.ended()

    assert "All of these, or none" in card
    assert f"{SEARCH}@prod` version 2 → 1" in card
    assert ended.state is State.COMPLETED
    assert world.live.hash == good
    live = world.dify.state.live(SEARCH)
    assert live is not None
    assert live.graph == graph(_OLD)
    assert live.marked_name.startswith(f"rollback-{ended.id}-")
    assert (await world.audit()).ok


async def test_when_somebody_publishes_the_caller_half_way_what_it_calls_is_put_back(
    world: World,
) -> None:
    a_second_app(world)
    state = world.dify.state
    async with asyncio.timeout(3 * LIMIT_S), world.here():
        state.faults.before("publish", lambda: seed.publish_bad(state, by="carol"))
        good, _ = await asked_for_both(world)
        ended = await world.ended()

    assert (ended.state, ended.outcome) == (State.SUPERSEDED, "live_changed")
    assert ended.outcome_facts["put_back"] == [f"{SEARCH}@prod"]
    assert world.live.hash != good
    live = world.dify.state.live(SEARCH)
    assert live is not None
    assert live.graph == graph(_NEW)
    assert live.marked_name.startswith(f"putback-{ended.id}-")
    assert "were put back" in str(world.slack.state.everything())
