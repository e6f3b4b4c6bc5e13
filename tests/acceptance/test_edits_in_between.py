"""An editor saves, or publishes, just before the n-th call of an execution: nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bot.playground.dify.server import ROUTES
from bot.playground.story.workflow import APP
from store.records import Rollback, State
from tests.acceptance.world import LIMIT_S, Was, World, graph_hash

CALLS = (  # of an execution that nobody disturbs; a test below holds it to that
    *("published_get",),
    *("published_get", "draft_get", "draft_get", "export", "export"),
    *("draft_get", "draft_get", "export", "draft_get", "draft_sync", "export"),
    *("published_get", "draft_get", "export", "export", "draft_get", "publish"),
    *("published_get", "versions", "published_get", "export", "export"),
    *("draft_get", "draft_get", "export", "draft_get", "draft_sync", "export"),
)
# The first and the last read of each step, and each write: between them a step reads the same
# again, for its secrets. Every call of the port is tried in `tests/unit/services`, and every call
# over HTTP, with five kinds of edits, by `tests.proofs.toctou`.
MOMENTS = (1, 2, 3, 7, 10, 11, 13, 17, 18, 19, 24, 27, 28, 29)
WRITES = {"draft_sync", "publish"}
NAMED_ENDS = {State.COMPLETED, State.SUPERSEDED, State.FAILED, State.NEEDS_ATTENTION}


@dataclass
class Calls:
    """Watches every call to Dify from now on; does *act* just before the *nth*."""

    world: World
    nth: int
    act: Callable[[], object]
    routes: list[str] = field(default_factory=list)
    acted: bool = False

    def watch(self) -> None:
        for name, *_ in ROUTES:
            self.world.dify.state.faults.before(name, self._one(name), always=True)

    def _one(self, route: str) -> Callable[[], None]:
        def seen() -> None:
            if route == "app_list":  # the scheduled look at all apps is no part of an execution
                return
            self.routes.append(route)
            if len(self.routes) == self.nth:
                self.acted = True
                self.act()

        return seen

    @property
    def read_back_before(self) -> bool:
        """Whether live was read after our publish and before the editor came."""
        until = self.routes[: self.nth - 1]
        return "publish" in until and "published_get" in until[until.index("publish") :]


async def execute(world: World, nth: int, act: Callable[[], object]) -> tuple[Rollback, Was, Calls]:
    """Play the whole story with *act* just before the *nth* call of the execution."""
    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.go()
        calls = Calls(world, nth, act)
        calls.watch()
        await world.turn_second_key()
        ended = await world.ended()
    world.dify.state.faults.clear()
    return ended, was, calls


@dataclass
class Edits:
    """One late edit of an editor who goes on from the draft as it is at that moment."""

    world: World
    base: str = ""
    theirs: str = ""

    def new_graph(self) -> dict[str, object]:
        """The draft's graph with one more node."""
        graph = self.world.draft.graph
        at = {"x": 9, "y": 9}
        late = {"id": "late", "type": "custom", "position": at, "data": {"title": "Late"}}
        changed = {**graph, "nodes": [*graph["nodes"], late]}
        self.base, self.theirs = self.world.draft.hash, graph_hash(changed)
        return changed

    async def lost(self, unpublished: str) -> set[str]:
        """What editors have saved and neither the draft nor our store has; what they went on
        from stands in what they made of it.
        """
        there = {*await self.world.stored_graphs(), self.world.draft.hash}
        return {unpublished, self.theirs} - there - {self.base, ""}


async def test_an_execution_that_nobody_disturbs_makes_the_calls_that_are_tried(
    world: World,
) -> None:
    ended, _, calls = await execute(world, 0, lambda: None)

    assert ended.state is State.COMPLETED
    assert tuple(calls.routes) == CALLS
    assert {n for n, route in enumerate(CALLS, 1) if route in WRITES} <= set(MOMENTS)


@pytest.mark.parametrize("nth", MOMENTS)
async def test_a_save_before_any_call_is_never_lost(world: World, nth: int) -> None:
    edits = Edits(world)

    def save() -> None:
        world.dify.state.save_draft_as_editor(APP, graph=edits.new_graph(), by="carol")

    ended, was, calls = await execute(world, nth, save)

    assert ended.state in NAMED_ENDS
    assert await edits.lost(was.unpublished) == set()
    if not calls.acted:
        assert world.draft.hash == was.unpublished
        return
    theirs = edits.theirs
    if world.live.hash == theirs:  # it slipped in between the last read and the publish
        assert ended.state is State.NEEDS_ATTENTION
        assert "Late" in said_in_thread(world)
    else:
        assert world.live.hash in {was.good, was.bad}
    if ended.state is State.COMPLETED:
        assert world.live.hash == was.good
        assert world.draft.hash == theirs
    assert len(world.published_by(ended)) <= 1
    assert (await world.audit()).ok


@pytest.mark.parametrize("nth", MOMENTS)
async def test_a_publish_by_somebody_else_is_never_reported_as_success(
    world: World, nth: int
) -> None:
    edits = Edits(world)

    def publish() -> None:
        graph = edits.new_graph()
        world.dify.state.publish_directly(APP, graph=graph, by="dave", comment="a fix")

    ended, was, calls = await execute(world, nth, publish)

    assert ended.state in NAMED_ENDS
    if not calls.acted or calls.read_back_before:
        assert ended.state is State.COMPLETED
    else:
        assert ended.state in {State.SUPERSEDED, State.NEEDS_ATTENTION}, ended.outcome
    if calls.acted:
        assert world.live.hash == edits.theirs
        assert world.draft.hash == edits.theirs
    assert await edits.lost(was.unpublished) == set()
    assert (await world.audit()).ok


def said_in_thread(world: World) -> str:
    """All that was said below the cards."""
    everything = world.slack.state.everything()
    return " ".join(f"{message.text} {message.blocks}" for message in everything)
