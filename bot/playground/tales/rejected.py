"""A reviewer who says no: one is enough, and everybody reads why."""

from __future__ import annotations

from bot.playground.slack import people
from bot.playground.tales.common import FIRE, PUBLISH_BAD, says
from bot.playground.tales.tale import REJECT, Move, Step, Tale

REASON = "The fix is on its way; going back would lose the new help articles."

REJECTED = Tale(
    "rejected",
    "A reviewer says no",
    "The same bad edit, but carol knows better and stops the rollback.",
    (
        PUBLISH_BAD,
        FIRE,
        Step(
            "reject",
            "One no ends it",
            "Be carol, press Reject on the card and say why: everybody reads the reason.",
            moves=(Move(people.CAROL, REJECT, {"text": REASON}),),
            seen=says("Rollback rejected"),
        ),
    ),
    end="Nothing was touched in Dify. The card says who said no, and why.",
)
