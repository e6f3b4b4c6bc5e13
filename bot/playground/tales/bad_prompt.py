"""A prompt that makes users suffer, and two people who take it back."""

from __future__ import annotations

from bot.playground.slack import people
from bot.playground.tales.common import ALICE_APPROVES, FIRE, PUBLISH_BAD, says
from bot.playground.tales.tale import Step, Tale, approves

BAD_PROMPT = Tale(
    "bad-prompt",
    "Bad prompt",
    "A careless edit breaks the support bot. Two people bring the good version back.",
    (
        PUBLISH_BAD,
        FIRE,
        ALICE_APPROVES,
        Step(
            "second_key",
            "The second key",
            "Nobody turns both: be bob, and press Approve. Watch the card, its thread and Dify.",
            moves=approves(people.BOB),
            seen=says("Rolled back"),
        ),
    ),
    end="The good version is live again. The thread tells how.",
)
