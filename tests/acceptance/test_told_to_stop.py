"""Told to stop while it executes: the work at hand is finished, or another goes on with it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp

from bot.playground.dify.faults import Fault
from store.records import State
from tests.acceptance.process import Served
from tests.acceptance.test_main_job import check
from tests.acceptance.world import LIMIT_S, LOOPBACK, World, a_world

STOPS_WITHIN_S = 45.0  # what the unit, the compose file and the cluster allow


def ends(served: Served) -> list[str]:
    """The states in which rollbacks ended in this process, as it logged them."""
    lines = [json.loads(line) for line in served.lines]
    return [line["state"] for line in lines if line["message"] == "rollback ended"]


async def test_the_rollback_at_hand_is_finished_before_the_process_ends(
    tmp_path: Path, postgres_url: str
) -> None:
    async with asyncio.timeout(2 * LIMIT_S), a_world(tmp_path, postgres_url) as world:
        first = await world.serve()
        was = await world.go()
        stopping: list[asyncio.Task[int]] = []
        world.dify.state.faults.before(
            "publish", lambda: stopping.append(asyncio.create_task(first.stop()))
        )
        await world.turn_second_key()
        await world.until(lambda: _begun(stopping))
        assert await stopping[0] == 0
        assert ends(first) == [State.COMPLETED]

        second = await world.serve()
        ended = await world.ended()

    check(world, ended, was)
    assert ends(second) == []


async def _begun(stopping: list[asyncio.Task[int]]) -> bool:
    return bool(stopping)


async def test_what_cannot_be_finished_in_time_is_gone_on_with_by_another_worker(
    tmp_path: Path, postgres_url: str
) -> None:
    async with asyncio.timeout(2 * LIMIT_S), a_world(tmp_path, postgres_url) as world:
        first = await world.serve()
        was = await world.go()
        world.dify.state.faults.add("publish", *[Fault.HANG] * 10)
        await world.turn_second_key()
        await world.dify.state.faults.hanging("publish")
        second = await world.serve()
        assert await first.stop(within=STOPS_WITHIN_S) == 0
        world.dify.state.faults.clear()
        ended = await world.ended()

    check(world, ended, was)
    assert (ends(first), ends(second)) == ([], [State.COMPLETED])
    cut_off = [json.loads(line) for line in first.lines if "workers cut off" in line]
    assert [line["workers"] for line in cut_off] == [["execute"]]


async def test_a_process_that_stops_is_out_of_the_router_and_takes_no_alert_with_it(
    world: World,
) -> None:
    async with asyncio.timeout(2 * LIMIT_S):
        served = await world.serve()
        await world.read_history()
        assert await ready(world) == 200
        world.break_it()
        await world.fire()
        assert await served.stop() == 0
        assert await ready(world) is None

        await world.serve()
        await world.card()


async def ready(world: World) -> int | None:
    """The status of /readyz; None where nobody listens."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(f"http://{LOOPBACK}:{world.port}/readyz") as answer:
                return answer.status
        except aiohttp.ClientConnectionError:
            return None
