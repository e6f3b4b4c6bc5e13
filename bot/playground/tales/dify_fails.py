"""Dify fails half-way: the content is in its draft, and publishing does not work."""

from __future__ import annotations

from bot.playground.dify.faults import Fault
from bot.playground.slack import people
from bot.playground.story.scene import Scene
from bot.playground.tales.common import ALICE_APPROVES, FIRE, PUBLISH_BAD, says
from bot.playground.tales.tale import Step, Tale, approves

TRIED_AT_MOST = 50  # more often than any step of a rollback is


async def cannot_publish(scene: Scene) -> None:
    """Publishing answers 503 from now on; everything else works."""
    scene.dify.state.faults.add("publish", *[Fault.UNAVAILABLE] * TRIED_AT_MOST)


DIFY_FAILS = Tale(
    "dify-fails",
    "Dify fails half-way",
    "Dify breaks after the old content was put into the draft, before it is published.",
    (
        PUBLISH_BAD,
        FIRE,
        ALICE_APPROVES,
        Step(
            "break_dify",
            "Dify falls ill",
            "From now on its publish button answers 503.",
            cannot_publish,
            "Break Dify",
        ),
        Step(
            "second_key",
            "The second key",
            "Be bob, and press Approve. Keyturn tries, gives up, and puts the draft back.",
            moves=approves(people.BOB),
            seen=says("Rollback failed"),
        ),
    ),
    end="The version that was live still is, and the editor's draft is as it was.",
)
