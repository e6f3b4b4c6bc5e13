"""The real process killed at every point of an execution: old or new, never half; once."""

from __future__ import annotations

import ast
import asyncio
import signal
from pathlib import Path

import pytest

from bot.playground.dify.faults import Fault
from store.records import Rollback, State
from tests.acceptance.process import ROOT
from tests.acceptance.world import LIMIT_S, Was, World

UNDOING = {"execute:draft_undone"}  # reached only when the publish is refused


def failpoints(root: Path) -> list[str]:
    """The names of every `fp("execute:…")` below *root*."""
    names = {
        call.args[0].value
        for file in sorted(root.rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "fp"
        and isinstance(call.args[0], ast.Constant)
    }
    return sorted(name for name in names if isinstance(name, str) and name.startswith("execute:"))


FAILPOINTS = failpoints(ROOT / "bot")


def test_every_point_between_two_effects_has_a_name() -> None:
    assert set(FAILPOINTS) >= {
        "execute:claimed",
        "execute:before_draft_write",
        "execute:after_draft_write",
        "execute:before_publish",
        "execute:after_publish",
        "execute:before_read_back",
        "execute:before_draft_return",
        "execute:after_draft_return",
    }


@pytest.mark.parametrize("point", FAILPOINTS)
async def test_a_process_killed_while_it_executes_leaves_old_or_new_and_another_ends_it(
    world_on_each: World, point: str
) -> None:
    world = world_on_each
    async with asyncio.timeout(2 * LIMIT_S):
        killed = await world.serve(KEYTURN_FAILPOINT=f"{point}=kill")
        was = await world.go()
        if point in UNDOING:
            world.dify.state.faults.add("publish", Fault.REDIRECT)
        await world.turn_second_key()

        assert await killed.ended(within=LIMIT_S) == -signal.SIGKILL
        assert world.live.hash in {was.good, was.bad}
        await world.serve()
        ended = await world.ended()

    await check(world, ended, was, undone=point in UNDOING)


async def check(world: World, ended: Rollback, was: Was, *, undone: bool) -> None:
    """Whatever happened on the way: this is what must be true in the end."""
    assert ended.state is (State.FAILED if undone else State.COMPLETED), ended.outcome
    assert world.live.hash == (was.bad if undone else was.good)
    assert len(world.published_by(ended)) == (0 if undone else 1)
    assert len(world.dify.state.versions(world.dify.state.apps[0].id)) == was.versions + (
        0 if undone else 1
    )
    assert world.draft.hash == was.unpublished
    assert ended.state.value in world.card_text() or "COMPLETED" in world.card_text()
    assert (await world.audit()).ok
    assert not world.slack.state.problems
