"""The main job by both of Slack's ways in, and by Socket Mode through every break of the line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp

from bot.app import build
from bot.assembly.process import Role
from bot.playground.slack.people import ALICE, DAVE, INCIDENTS
from bot.playground.slack.state import SlackState
from store.records import Rollback, State
from tests.acceptance.impatient import cards, impatient, said
from tests.acceptance.world import (
    LIMIT_S,
    LOOPBACK,
    VOTERS,
    WHERE,
    Was,
    World,
    a_world,
    with_button,
)


def check(world: World, ended: Rollback, was: Was) -> None:
    """The good version is live again, by two votes and one execution, and one card says so."""
    assert ended.state is State.COMPLETED, ended.outcome
    assert world.live.hash == was.good
    assert world.draft.hash == was.unpublished
    assert len(world.published_by(ended)) == 1
    assert {vote.slack_id for vote in ended.votes} == set(VOTERS)
    (card,) = cards(world)
    assert "COMPLETED" in said(card)
    assert not world.slack.state.problems


async def test_an_alert_two_people_and_the_good_version_is_back(world_by_each: World) -> None:
    world = world_by_each
    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.go()
        await world.turn_second_key()
        ended = await world.ended()

    check(world, ended, was)
    assert (await world.audit()).ok


async def test_a_rejection_with_its_reason_ends_it(world_by_each: World) -> None:
    world = world_by_each
    slack = world.slack
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.go()
        await slack.driver.click(VOTERS[1], (await world.card()).ts, "reject")
        (view,) = await slack.state.until(lambda s: s.views_of(VOTERS[1]))
        await slack.driver.submit(VOTERS[1], view.id, {"text": ""})
        assert view.errors, "without a reason the form stays open and says why"
        await slack.driver.submit(VOTERS[1], view.id, {"text": "the fix is on its way"})
        ended = await world.ended()

    assert ended.state is State.REJECTED
    assert "the fix is on its way" in said(cards(world)[0])


async def test_a_command_is_answered(world_by_each: World) -> None:
    world = world_by_each
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        assert (await world.slack.driver.command(ALICE, INCIDENTS, "/rollback", "status")).ok
        await world.slack.state.until(lambda s: s.ephemerals_to(ALICE), within=LIMIT_S)


# -- Through a broken line ------------------------------------------------------------------------


async def cut(world: World) -> None:
    """Let the network break every link, and wait for another."""
    opened = world.slack.state.sockets.opened
    for link in list(world.slack.state.sockets.links.values()):
        link.cut()
    await world.linked(after=opened)


async def test_a_link_that_breaks_after_the_first_vote_costs_nothing(linked_world: World) -> None:
    world = linked_world
    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.go()
        await cut(world)
        await world.turn_second_key()
        ended = await world.ended()

    check(world, ended, was)
    assert (await world.audit()).ok


async def test_a_link_that_breaks_under_a_click_neither_loses_nor_doubles_it(
    linked_world: World,
) -> None:
    world = linked_world
    async with asyncio.timeout(LIMIT_S), impatient(world):
        was = await world.go()
        click = asyncio.create_task(world.turn_second_key())
        await world.slack.state.until(lambda s: list(s.sockets.envelopes.values())[1:])
        await cut(world)
        await click
        ended = await world.ended()

    check(world, ended, was)


def acknowledged(slack: SlackState) -> bool:
    """Nothing is on its way."""
    return all(e.acknowledged.done() for e in slack.sockets.envelopes.values())


async def test_slack_refreshes_its_links_all_the_way_and_nothing_is_lost(
    linked_world: World,
) -> None:
    world, stop = linked_world, asyncio.Event()

    async def refresh() -> None:
        while not stop.is_set():
            opened = world.slack.state.sockets.opened
            old = await world.slack.state.sockets.announce("refresh_requested")
            await world.linked(after=opened)
            await world.slack.state.until(acknowledged)  # Slack waits ten seconds for that
            for link in old:
                await link.close()

    async with asyncio.timeout(LIMIT_S), impatient(world):
        refreshing = asyncio.create_task(refresh())
        was = await world.alarm()
        for who in VOTERS:  # an answer may come late through all this; Slack sends the click again
            await world.turn_key(who)
        stop.set()
        await refreshing
        ended = await world.ended()

    check(world, ended, was)
    assert world.slack.state.sockets.opened > 5


async def test_after_a_break_the_open_card_is_as_the_store_says(linked_world: World) -> None:
    world = linked_world
    async with asyncio.timeout(LIMIT_S), impatient(world):
        await world.go()
        await world.until(lambda: first_vote_told(world))
        card = await world.card()
        right, card_text = said(card), card.text
        card.text, card.blocks = "what stood here before the line broke", []
        await cut(world)
        await world.slack.state.until(lambda _: said(card) == right, within=LIMIT_S)
        card.deleted, card.blocks = True, []
        await cut(world)
        await world.slack.state.until(lambda _: len(cards(world)) == 2, within=LIMIT_S)
        _, another = cards(world)

    assert another.text == card_text
    assert with_button(world.slack.state) == [another]


async def first_vote_told(world: World) -> bool:
    """Whether the first vote is counted and everything about it was sent."""
    async with world.store.read() as tx:
        (rollback,) = await tx.rollbacks.newest()
        return bool(rollback.votes) and not await tx.outbox.waiting()


async def test_slack_gone_for_a_while_takes_the_alert_along_and_no_card_is_lost_or_doubled(
    linked_world: World,
) -> None:
    world, slack = linked_world, linked_world.slack.state
    async with asyncio.timeout(LIMIT_S), impatient(world):
        await world.read_history()
        was = world.break_it()
        opened, before = slack.sockets.opened, failed(slack)
        slack.faults.down = True
        for link in list(slack.sockets.links.values()):
            link.cut()
        await world.fire()
        await slack.until(lambda s: failed(s) >= before + 3, within=LIMIT_S)
        slack.faults.down = False
        await world.linked(after=opened)
        for voter in VOTERS:
            await world.approve(voter)
        ended = await world.ended()

    check(world, ended, was)


def failed(slack: SlackState) -> int:
    """How many calls were cut off so far."""
    return sum(call.outcome == "drop" for call in slack.calls)


# -- Processes ------------------------------------------------------------------------------------


async def test_a_killed_process_is_followed_by_another_and_the_job_goes_on(
    linked_world: World,
) -> None:
    world = linked_world
    async with asyncio.timeout(2 * LIMIT_S):
        first = await world.serve()
        was = await world.go()
        await first.kill()
        await world.serve()
        await world.turn_second_key()
        ended = await world.ended()

    check(world, ended, was)


async def test_two_processes_share_the_clicks_and_each_is_judged_once(
    tmp_path: Path, postgres_url: str
) -> None:
    async with asyncio.timeout(2 * LIMIT_S), a_world(tmp_path, postgres_url, "socket") as world:
        await world.serve()
        await world.serve()
        assert len(world.slack.state.sockets.links) == 2
        was = await world.go()
        await world.turn_second_key()
        ended = await world.ended()
        envelopes = world.slack.state.sockets.envelopes.values()

        check(world, ended, was)
        assert len({link for e in envelopes for link in e.sent}) == 2, "each got one of them"
        assert all(e.acknowledged.done() for e in envelopes)


async def test_a_process_that_is_told_to_stop_says_goodbye_and_complains_of_nothing(
    linked_world: World,
) -> None:
    world = linked_world
    async with asyncio.timeout(2 * LIMIT_S):
        served = await world.serve()
        await world.go()
        before = len(served.lines)
        assert await served.stop() == 0

    levels = [json.loads(line)["level"] for line in served.lines[before:]]
    assert set(levels) == {"info"}, served.lines
    assert world.slack.state.sockets.links == {}


async def test_a_wrong_app_token_is_degraded_and_alerts_are_taken(linked_world: World) -> None:
    world = linked_world
    settings = world.settings(SLACK_APP_TOKEN="xapp-1-wrong")
    async with asyncio.timeout(LIMIT_S), build(settings) as service:
        door = await service.start(LOOPBACK, 0)
        world.open_door(door.port)
        await world.slack.state.until(lambda s: s.count("apps.connections.open"))
        await world.read_history()
        world.break_it()
        await world.fire()
        await world.card()
        told = await readyz(world)
        await service.stop(door)

    assert told == (200, {"status": "degraded", "down": [], "degraded": ["slack_socket"]})


async def test_with_socket_mode_there_is_no_door_for_slack(linked_world: World) -> None:
    world = linked_world
    async with (
        asyncio.timeout(LIMIT_S),
        world.here(),
        aiohttp.ClientSession() as http,
        http.post(f"http://{LOOPBACK}:{world.port}/slack/events") as answer,
    ):
        assert answer.status == 404


async def test_a_worker_opens_no_link(linked_world: World) -> None:
    async with build(linked_world.settings(), role=Role.WORKER) as service:
        assert service.socket is None


async def readyz(world: World) -> tuple[int, object]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{LOOPBACK}:{world.port}/readyz") as answer,
    ):
        return answer.status, await answer.json()


async def test_a_card_names_what_else_goes_when_somebody_goes_further_back(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        asked = f"to {WHERE} 4"
        assert (await world.slack.driver.command(DAVE, INCIDENTS, "/rollback", asked)).ok
        await world.card()
        said = world.card_text()

    assert "Lost by going back: version 6 by bob: " in said
    assert "; version 5 by " in said
