"""App Home of people in the real service: what waits, what changes before their eyes, and jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.playground.slack.people import ALICE, BOB, CAROL, DAVE, GUEST, INCIDENTS
from bot.playground.slack.things import Message
from tests.acceptance.world import LIMIT_S, WHERE, World


def text_of(world: World, who: str) -> str:
    home = world.slack.state.homes.get(who)
    return str(home.content["blocks"]) if home else ""


async def shows(world: World, who: str, holds: Callable[[str], bool]) -> str:
    """Wait until the home of *who* says what *holds*."""
    await world.slack.state.until(lambda _: holds(text_of(world, who)), within=LIMIT_S)
    return text_of(world, who)


async def look(world: World, who: str, holds: Callable[[str], bool] = bool) -> str:
    assert (await world.slack.driver.open_home(who)).ok
    return await shows(world, who, holds)


async def test_people_see_what_waits_for_them_and_how_it_ended(world_by_each: World) -> None:
    world = world_by_each
    async with asyncio.timeout(2 * LIMIT_S), world.here():
        await world.read_history()
        before = await look(world, ALICE)
        await world.go()  # alice has turned her key
        waiting = await look(
            world, BOB, lambda text: "read and vote on the card" in text and "1 of 2" in text
        )
        voted = await shows(world, ALICE, lambda text: "waits for approval" in text)
        await world.turn_second_key()
        await world.ended()
        done = await shows(world, BOB, lambda text: "→ 6 is done" in text)

    (card,) = world.slack.state.messages(INCIDENTS)
    assert "Nothing waits for your vote." in before
    assert world.slack.state.permalink(card) in waiting
    assert "approvals 1 of 2" in waiting
    assert "Nothing waits for your vote." in voted
    assert "Nothing waits for your vote." in done
    assert str(WHERE) in done
    assert world.slack.state.problems == []
    assert (await world.audit()).ok


async def test_a_guest_is_told_politely_that_there_is_nothing_for_them(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        text = await look(world, GUEST)

    assert "This page is for members of this workspace" in text
    assert str(WHERE) not in text


async def test_a_job_is_paused_by_a_manager_stays_so_after_a_restart_and_runs_on_demand(
    world: World,
) -> None:
    config = world.config.read_text(encoding="utf-8")
    world.config.write_text(f'{config}[jobs]\nmanagers = ["{DAVE}"]\n', encoding="utf-8")
    async with asyncio.timeout(2 * LIMIT_S):
        async with world.here():
            await world.read_history()
            await look(world, DAVE)
            await press(world, DAVE, "home.job.pause", "closer")
            await shows(world, DAVE, lambda text: "You paused `closer`" in text)
        async with world.here():
            alices = await look(world, ALICE, lambda text: "*paused* by" in text)
            await press(world, DAVE, "home.job.run", "closer")
            await shows(world, DAVE, lambda text: "runs now, once" in text)
            await world.until(lambda: _ran(world))

    assert f"*paused* by <@{DAVE}>" in alices
    assert "home.job.run" not in alices
    async with world.store.read() as tx:
        entries = [entry.action for entry in await tx.audit.entries()]
    assert [name for name in entries if name.startswith("job.")] == ["job.pause", "job.run"]
    assert (await world.audit()).ok


def direct_to(world: World, who: str) -> list[Message]:
    return world.slack.state.messages(f"D{who[1:]}")


def say(message: Message) -> str:
    return f"{message.text} {message.blocks}"


async def test_those_who_may_vote_are_told_directly_and_read_how_it_ended(
    world_by_each: World,
) -> None:
    world = world_by_each
    async with asyncio.timeout(3 * LIMIT_S), world.here():
        await world.read_history()
        await look(world, CAROL)
        await press(world, CAROL, "home.direct.off", "on")
        await shows(world, CAROL, lambda text: "Direct messages are off" in text)
        await world.alarm()
        (told,) = await world.slack.state.until(lambda _: direct_to(world, BOB), within=LIMIT_S)
        first = say(told)
        for who in (ALICE, BOB):
            await world.turn_key(who)
        await world.ended()
        await world.slack.state.until(lambda _: "is done" in say(told), within=LIMIT_S)

    (card,) = world.slack.state.messages(INCIDENTS)
    assert world.slack.state.permalink(card) in first
    assert "A rollback waits for your vote." in first
    assert "Nothing here waits for your vote any more." in say(told)
    assert [len(direct_to(world, who)) for who in (ALICE, BOB, CAROL, DAVE)] == [1, 1, 0, 0]
    assert world.slack.state.problems == []
    assert (await world.audit()).ok


async def press(world: World, who: str, action: str, value: str) -> None:
    view = world.slack.state.homes[who].id
    assert (await world.slack.driver.click_in_view(who, view, action, value=value)).ok


async def _ran(world: World) -> bool:
    async with world.store.read() as tx:
        closer = (await tx.schedule.all())["closer"]
    return closer.asked_at is None and closer.finished_at is not None and closer.paused
