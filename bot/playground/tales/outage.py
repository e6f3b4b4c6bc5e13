"""A model provider is away: several apps turn at once, and an innocent publish is not blamed."""

from __future__ import annotations

from datetime import timedelta

from bot.playground.story import seed
from bot.playground.story.measured import measured
from bot.playground.story.scene import Scene
from bot.playground.tales.common import keep_in_mind, says
from bot.playground.tales.tale import Step, Tale

NEIGHBOURS = ("order-status", "refund-desk")
INNOCENT, OUTAGE = timedelta(minutes=14), timedelta(minutes=4)  # ago


async def publish_innocent(scene: Scene) -> None:
    """Somebody publishes a harmless change, ten minutes before the provider goes away."""
    state = scene.dify.state
    seed.publish_innocent(state, at=state.clock() - INNOCENT)
    keep_in_mind(scene, "good")  # this one: nothing is wrong with it


async def provider_goes_away(scene: Scene) -> None:
    """The errors of every app rise in the same minute; the story's app is the first to alert."""
    now = scene.dify.state.clock()
    since = now - OUTAGE
    scene.prometheus.samples = measured(dict.fromkeys((scene.app, *NEIGHBOURS), since), now=now)
    await scene.fire()


OUTAGE_TALE = Tale(
    "outage",
    "An outage elsewhere",
    "The model provider is away minutes after a publish. Going back would not help.",
    (
        Step(
            "publish_innocent",
            "A harmless version goes live",
            "alice publishes “one more article”; users notice nothing.",
            publish_innocent,
            "Publish it",
        ),
        Step(
            "outage",
            "The provider goes away",
            "Ten minutes later the errors of three apps rise at once; one of them has an alert.",
            provider_goes_away,
            "Start the outage",
        ),
        Step(
            "read",
            "Read why nothing is suggested",
            "Open the card's thread: it shows what was measured, and what else turned.",
            seen=says("at the same time"),
        ),
    ),
    end="No rollback is suggested: the newest version is not to blame, and the card says why.",
    neighbours=NEIGHBOURS,
    measured=True,
)
