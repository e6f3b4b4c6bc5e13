"""First contact with a long history: imported in the background, across a kill, with progress."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.playground.slack.people import ALICE, INCIDENTS
from bot.playground.story.workflow import APP
from tests.acceptance.commands import keyturn
from tests.acceptance.process import Served
from tests.acceptance.world import LIMIT_S, WHERE, World

VERSIONS = 500
MIDDLE = 60  # calls of the list: some forty belong to first contact, two to each batch after it


def publish_many(world: World) -> None:
    """Fill the story's app up to five hundred versions, a minute apart."""
    state = world.dify.state
    start = world.dify.state.clock() - timedelta(minutes=VERSIONS)
    for number in range(VERSIONS - len(state.versions(APP))):
        at = start + timedelta(minutes=number)
        state.publish_directly(APP, features={"opening_statement": f"No. {number}"}, at=at)


async def killed_at_list(world: World, nth: int) -> Served:
    """Start a process that is killed when it asks for a page of versions for the *nth* time."""
    faults, started = world.dify.state.faults, asyncio.Event()

    async def kill() -> None:
        await started.wait()
        served.process.kill()

    for _ in range(nth - 1):
        faults.before("versions", lambda: None)
    faults.before("versions", kill)
    served = await world.serve()
    started.set()
    return served


async def lowest(world: World) -> int:
    """The lowest number that is stored; 0 before first contact."""
    async with world.store.read() as tx:
        return await tx.versions.import_mark(WHERE) or 0


async def imported(world: World) -> bool:
    return await lowest(world) == 1


async def status(world: World) -> str:
    """What a person is told of the app."""
    state = world.slack.state
    before = len(state.ephemerals_to(ALICE))
    assert (await world.slack.driver.command(ALICE, INCIDENTS, "/rollback", "status")).ok
    told = await state.until(lambda s: s.ephemerals_to(ALICE)[before:], within=LIMIT_S)
    return str(told[0].blocks)


async def test_five_hundred_versions_are_imported_across_a_kill_and_what_is_missing_is_said(
    world: World,
) -> None:
    publish_many(world)
    go_on = asyncio.Event()
    async with asyncio.timeout(3 * LIMIT_S):
        await (await killed_at_list(world, MIDDLE)).ended(within=LIMIT_S)
        left = await lowest(world)
        assert 1 < left < VERSIONS - 20
        logged = await keyturn("log", str(WHERE), variables=world.environment(), cwd=world.folder)
        assert f"{left - 1} older ones are not imported yet" in logged.stderr

        world.dify.state.faults.before("versions", go_on.wait)
        await world.serve()
        assert f"{left - 1} older versions are not imported yet" in await status(world)
        go_on.set()
        await world.until(lambda: imported(world))
        assert "not imported" not in await status(world)

    async with world.store.read() as tx:
        history = await tx.versions.history(WHERE, limit=VERSIONS + 1)
    numbers = list(range(VERSIONS, 0, -1))
    assert [version.number for version in history] == numbers
    assert [v.external_id for v in history] == [v.id for v in world.dify.state.versions(APP)]
