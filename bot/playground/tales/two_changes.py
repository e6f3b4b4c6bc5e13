"""Two publishes within a minute before the trouble: nobody can tell which of them did it."""

from __future__ import annotations

from datetime import timedelta

from bot.playground.slack import people
from bot.playground.story import seed
from bot.playground.story.measured import measured
from bot.playground.story.scene import Scene
from bot.playground.tales.common import approvals, keep_in_mind, says
from bot.playground.tales.tale import ANOTHER, Move, Step, Tale, approves

FIRST, SECOND, TROUBLE = timedelta(seconds=215), timedelta(seconds=205), timedelta(seconds=190)


async def publish_both(scene: Scene) -> None:
    """Two people publish, not knowing of each other."""
    state = scene.dify.state
    keep_in_mind(scene, "good")
    seed.publish_innocent(state, at=state.clock() - FIRST)
    seed.publish_bad_prompt(state, at=state.clock() - SECOND)


async def errors_rise(scene: Scene) -> None:
    """The errors rise, and Alertmanager calls Keyturn."""
    now = scene.dify.state.clock()
    scene.prometheus.samples = measured({scene.app: now - TROUBLE}, now=now)
    await scene.fire()


TWO_CHANGES = Tale(
    "two-changes",
    "Two changes at once",
    "Two people publish within half a minute, then errors rise. Keyturn says that it cannot tell.",
    (
        Step(
            "publish_both",
            "Two versions go live",
            "alice publishes “one more article”, and bob “shorter prompt” right after her.",
            publish_both,
            "Publish both",
        ),
        Step(
            "fire_alert",
            "Its alert fires",
            "The app's error rate rises; Alertmanager calls Keyturn.",
            errors_rise,
            "Fire the alert",
        ),
        Step(
            "read",
            "Read what it says",
            "Which of the two was it? The card says what Keyturn knows.",
            seen=says("I do not know which one it is"),
        ),
        Step(
            "choose",
            "Somebody chooses",
            "It suggests nothing. Be dave, press Another version, choose version 6, and ask.",
            moves=(Move(people.DAVE, ANOTHER, {"number": "6", "text": "before both changes"}),),
            seen=says("before both changes"),
        ),
        Step(
            "first_key",
            "The first key",
            "Who asks cannot approve. Be alice, and press Approve.",
            moves=approves(people.ALICE),
            seen=approvals(1),
        ),
        Step(
            "second_key",
            "The second key",
            "Be bob, and press Approve.",
            moves=approves(people.BOB),
            seen=says("Rolled back"),
        ),
    ),
    end="Version 6 is live again: people chose, and Keyturn did not pretend to know.",
    measured=True,
)
