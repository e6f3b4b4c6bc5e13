"""What most stories begin with, and what is looked for on their cards."""

from __future__ import annotations

from bot.playground.slack import people
from bot.playground.story import seed
from bot.playground.story.scene import Scene
from bot.playground.tales.tale import Seen, Step, approves


def approvals(count: int) -> Seen:
    """The card counts so many approvals of two."""
    return lambda scene: scene.says(f"{count} of 2")


def says(words: str) -> Seen:
    """A card says *words*."""
    return lambda scene: scene.says(words)


def keep_in_mind(scene: Scene, name: str) -> None:
    """Remember what is live now as *name*."""
    scene.marks[name] = scene.live.hash if scene.live else ""


async def publish_bad(scene: Scene) -> None:
    """Dave publishes what makes users suffer, and carol goes on in the draft."""
    state = scene.dify.state
    keep_in_mind(scene, "good")
    seed.publish_bad(state)
    seed.leave_work_unpublished(state)
    if draft := state.draft(scene.app):
        scene.marks["draft"] = draft.hash


async def fire(scene: Scene) -> None:
    """Alertmanager calls Keyturn."""
    await scene.fire()


PUBLISH_BAD = Step(
    "publish_bad",
    "A bad version goes live",
    "dave publishes “friendlier answers”: another model, prompt and code at once.",
    publish_bad,
    "Publish a bad version",
)
FIRE = Step(
    "fire_alert",
    "Its alert fires",
    "The app's error rate rises; Alertmanager calls Keyturn.",
    fire,
    "Fire the alert",
)
ALICE_APPROVES = Step(
    "first_key",
    "The first key",
    "Read the card: which change it was, and what going back does. Be alice, and press Approve.",
    moves=approves(people.ALICE),
    seen=approvals(1),
)
