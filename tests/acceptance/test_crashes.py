"""The real process killed at every point of an execution: old or new, never half; once."""

from __future__ import annotations

import ast
import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.playground.dify.faults import Fault
from bot.playground.story.workflow import APP
from store.records import Rollback, State
from tests.acceptance.process import ROOT
from tests.acceptance.world import LIMIT_S, Was, World

CARD_SAYS = {State.COMPLETED: "COMPLETED", State.FAILED: "FAILED"}
UNDOING = {"execute:draft_undone"}  # reached only when the publish is refused
SEALING = {"execute:before_seal"}  # reached only when a secret's value is not published


def failpoints(root: Path, part: str = "execute") -> list[str]:
    """The names of every `fp("execute:…")`, or of another *part*, below *root*."""
    names = {
        call.args[0].value
        for file in sorted(root.rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "fp"
        and isinstance(call.args[0], ast.Constant)
    }
    return sorted(name for name in names if isinstance(name, str) and name.startswith(f"{part}:"))


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
    world: World, point: str
) -> None:
    """Each point with each fault, on both databases, is played by `tests.proofs.crashes`."""
    async with asyncio.timeout(2 * LIMIT_S):
        killed = await world.serve(KEYTURN_FAILPOINT=f"{point}=kill")
        was = await world.go()
        if point in SEALING:
            world.set_secrets_unpublished()
        if point in UNDOING:
            world.dify.state.faults.add("publish", Fault.REDIRECT)
        await world.turn_second_key()

        assert await killed.ended(within=LIMIT_S) == -signal.SIGKILL
        assert world.live.hash in {was.good, was.bad}
        await world.serve()
        ended = await world.ended()

    await check(world, ended, was, undone=point in UNDOING)


FAULTS = {
    "500 after the publish was applied": ("publish", 1, Fault.ERROR_AFTER),
    "connection lost after the publish was applied": ("publish", 1, Fault.DROP_AFTER),
    "connection lost before the publish": ("publish", 1, Fault.DROP),
    "half an answer to the publish": ("publish", 1, Fault.TRUNCATED),
    "500 after the draft write was applied": ("draft_sync", 1, Fault.ERROR_AFTER),
    "a proxy's page after the draft write was applied": ("draft_sync", 1, Fault.HTML_AFTER),
    "connection lost before the draft write": ("draft_sync", 1, Fault.DROP),
    "500 after the draft was put back": ("draft_sync", 2, Fault.ERROR_AFTER),
    "not now, when the draft is put back": ("draft_sync", 2, Fault.UNAVAILABLE),
    "session ended in between": ("publish", 1, Fault.EXPIRED),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_an_answer_that_does_not_come_is_looked_for_and_nothing_is_done_twice(
    world: World, name: str
) -> None:
    route, nth, fault = FAULTS[name]
    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.go()
        at_call(world, route, nth, lambda: world.dify.state.faults.add(route, fault))
        await world.turn_second_key()
        ended = await world.ended()

    await check(world, ended, was, undone=False)


async def test_a_publish_that_is_refused_puts_the_draft_back_and_says_so(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.go()
        world.dify.state.faults.add("publish", Fault.REDIRECT)
        await world.turn_second_key()
        ended = await world.ended()

    await check(world, ended, was, undone=True)


def at_call(world: World, route: str, nth: int, act: Callable[[], object]) -> None:
    """Do *act* just before the *nth* call of *route* from now on is judged."""
    for _ in range(nth - 1):
        world.dify.state.faults.before(route, lambda: None)
    world.dify.state.faults.before(route, act)


async def check(world: World, ended: Rollback, was: Was, *, undone: bool) -> None:
    """Whatever happened on the way: this is what must be true in the end."""
    assert ended.state is (State.FAILED if undone else State.COMPLETED), ended.outcome
    assert world.live.hash == (was.bad if undone else was.good)
    ours = world.published_by(ended)
    assert len(ours) == (0 if undone else 1)
    assert len(world.dify.state.versions(APP)) == was.versions + len(ours)
    assert world.draft.hash == was.unpublished
    assert CARD_SAYS[ended.state] in world.card_text()
    assert (await world.audit()).ok
    assert not world.slack.state.problems
