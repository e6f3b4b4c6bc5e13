"""How runs ended, counted by the version that ran."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.errors import NoSuchApp
from bot.ports.target import RunResult
from tests.contract.target.test_target import a_workflow, live_of
from tests.contract.target.worlds import World

HOUR = timedelta(hours=1)


async def results(world: World, *, since: datetime, most: int = 500) -> list[RunResult]:
    return list(await world.target.run_results(world.app_id, since=since, most=most))


async def test_runs_are_counted_by_when_their_version_was_published(world: World) -> None:
    old_id = await world.publish(a_workflow("one"))
    old = await live_of(world)
    await world.editor.run(world.app_id, old_id, "succeeded")
    new_id = await world.publish(a_workflow("two"))
    new = await live_of(world)
    await world.editor.run(world.app_id, new_id, "failed")
    await world.editor.run(world.app_id, new_id, "succeeded")
    await world.editor.run(world.app_id, old_id, "succeeded")

    found = await results(world, since=old.published_at - HOUR)

    assert found == [RunResult(old.published_at, 2, 0), RunResult(new.published_at, 1, 1)]


@pytest.mark.parametrize(
    ("status", "succeeded", "failed"),
    [("succeeded", 1, 0), ("partial-succeeded", 1, 0), ("failed", 0, 1)],
)
async def test_a_run_that_succeeded_in_part_did_not_fail(
    world: World, status: str, succeeded: int, failed: int
) -> None:
    version_id = await world.publish(a_workflow("one"))
    await world.editor.run(world.app_id, version_id, status)
    at = (await live_of(world)).published_at

    assert await results(world, since=at - HOUR) == [RunResult(at, succeeded, failed)]


@pytest.mark.parametrize("status", ["stopped", "running", "paused", "of another age"])
async def test_a_run_that_neither_succeeded_nor_failed_is_not_counted(
    world: World, status: str
) -> None:
    version_id = await world.publish(a_workflow("one"))
    await world.editor.run(world.app_id, version_id, status)

    assert await results(world, since=(await live_of(world)).published_at - HOUR) == []


async def test_what_ran_before_is_left_out(world: World) -> None:
    version_id = await world.publish(a_workflow("one"))
    at = (await live_of(world)).published_at
    await world.editor.run(world.app_id, version_id, "failed", at=at - 2 * HOUR)
    await world.editor.run(world.app_id, version_id, "succeeded", at=at + HOUR)

    assert await results(world, since=at - HOUR) == [RunResult(at, 1, 0)]


async def test_the_newest_runs_are_read_and_no_more_than_is_asked_for(world: World) -> None:
    version_id = await world.publish(a_workflow("one"))
    at = (await live_of(world)).published_at
    for second in range(230):
        status = "failed" if second < 30 else "succeeded"
        await world.editor.run(world.app_id, version_id, status, at=at + timedelta(seconds=second))

    assert await results(world, since=at - HOUR) == [RunResult(at, 200, 30)]
    assert await results(world, since=at - HOUR, most=210) == [RunResult(at, 200, 10)]
    assert await results(world, since=at - HOUR, most=7) == [RunResult(at, 7, 0)]


async def test_an_app_that_nobody_runs_has_no_results(world: World) -> None:
    await world.publish(a_workflow("one"))

    assert await results(world, since=(await live_of(world)).published_at - HOUR) == []


@pytest.mark.parametrize("mode", ["advanced-chat", "chat", "agent-chat", "completion"])
async def test_a_mode_without_such_a_log_has_no_results(world: World, mode: str) -> None:
    world.app_id = await world.editor.new_app(mode)

    assert await results(world, since=datetime.fromisoformat("2026-01-01T00:00:00Z")) == []


async def test_an_app_that_is_not_there_is_named(world: World) -> None:
    world.app_id = "00000000-0000-4000-8000-000000000000"

    with pytest.raises(NoSuchApp):
        await results(world, since=datetime.fromisoformat("2026-01-01T00:00:00Z"))
