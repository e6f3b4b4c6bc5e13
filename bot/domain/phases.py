"""How long the parts of a rollback's way took, from the alert to the recovery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from bot.domain.quorum import KEYTURN
from bot.domain.recovery import seconds_to_recovered
from store.records import Rollback


class Phase(StrEnum):
    """A part of the way; each begins where the one before it ends."""

    SUGGEST = "suggest"  # from the first firing of the alert to the card
    APPROVE = "approve"  # to the click that made the quorum, or broke the glass
    EXECUTE = "execute"  # to verified live
    RECOVER = "recover"  # to the first moment at which the trouble was seen to be gone


def phases(rollback: Rollback, began: datetime | None) -> Mapping[Phase, float]:
    """Return the seconds that each part of *rollback*'s way took; those not made are left out.

    Clocks of other systems may be ahead of ours: what would be less than nothing is 0.

    Args:
        rollback: In any state.
        began: When the alert that brought it about fired first, by Alertmanager's clock; None
            where none did. What a person asked for was not suggested.
    """
    ran = rollback.execution
    suggested = began if rollback.requested_by == KEYTURN else None
    spans = {
        Phase.SUGGEST: (suggested, rollback.opened_at),
        Phase.APPROVE: (rollback.opened_at, ran.clicked_at),
        Phase.EXECUTE: (ran.clicked_at, ran.verified_at),
    }
    took = {
        phase: max((end - start).total_seconds(), 0.0)
        for phase, (start, end) in spans.items()
        if start is not None and end is not None
    }
    recovered = seconds_to_recovered(rollback)
    return took if recovered is None else {**took, Phase.RECOVER: recovered}
