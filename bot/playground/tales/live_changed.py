"""Live changes between the two keys: what was approved is not what would run any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.playground.slack import people
from bot.playground.story import seed
from bot.playground.story.measured import measured
from bot.playground.story.scene import Scene
from bot.playground.tales.common import ALICE_APPROVES, FIRE, PUBLISH_BAD, keep_in_mind, says
from bot.playground.tales.tale import Step, Tale, approves

PUBLISHED, TROUBLE = timedelta(seconds=200), timedelta(seconds=180)  # ago


async def publish_bad(scene: Scene) -> None:
    """The bad version went live three minutes ago, and errors rose right after it."""
    now = scene.dify.state.clock()
    keep_in_mind(scene, "good")
    seed.publish_bad(scene.dify.state, at=now - PUBLISHED)
    scene.prometheus.samples = measured({scene.app: now - TROUBLE}, now=now)


async def publish_in_between(scene: Scene) -> None:
    """An editor, who knows of no rollback, mends what they see."""
    seed.publish_half_a_fix(scene.dify.state)


def another_card_waits(scene: Scene) -> bool:
    """Whether the rollback from the editor's version waits, with no vote yet."""
    return scene.says("v8 → v6") and scene.says("0 of 2")


LIVE_CHANGED = Tale(
    "live-changed",
    "Live changes in between",
    "An editor publishes between the two keys. An approval never counts for another content.",
    (
        replace(PUBLISH_BAD, happens=publish_bad),
        FIRE,
        ALICE_APPROVES,
        Step(
            "publish_between",
            "An editor publishes",
            "dave mends half of it in Dify and publishes, right after alice approved.",
            publish_in_between,
            "Publish in between",
        ),
        Step(
            "stale_key",
            "A key that does not fit",
            "Be bob, and press Approve: alice approved something else, so nothing runs.",
            moves=approves(people.BOB),
            seen=another_card_waits,
        ),
        Step(
            "keys_again",
            "Both keys again",
            "The card now shows v8 → v6, with no vote. Be alice, then bob, and approve that.",
            moves=(*approves(people.ALICE), *approves(people.BOB)),
            seen=says("Rolled back"),
        ),
    ),
    end="The good version is live, and both approved exactly what ran.",
    measured=True,
)
