"""When the trouble began that a case is looked at for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from store.records import Finding, Firing, FiringStatus, Version


def began(
    firings: Sequence[Firing], *, before: Finding | None, history: Sequence[Version]
) -> datetime:
    """Return the start of the earliest alert that belongs to the trouble of now.

    Those alerts count that came since the last look; one that went on or ended long ago says
    nothing about what broke now. An older alert that still fires belongs to the same trouble if
    nothing was published between its start and theirs. Where no alert is new, the trouble is
    that of the last look.

    Args:
        firings: All alerts of the case; at least one.
        before: What the last look brought; None before the first.
        history: The app's versions, in any order.
    """
    new = [firing for firing in firings if before is None or firing.id > before.newest_firing_id]
    if not new and before is not None and before.onset_to is not None:
        return before.onset_to
    of_now = [f for f in new if f.status is FiringStatus.FIRING] or new or list(firings)
    start = min(firing.starts_at for firing in of_now)
    published = [v.published_at for v in history if v.published_at <= start]
    same = [
        firing.starts_at
        for firing in firings
        if firing.status is FiringStatus.FIRING and published and max(published) < firing.starts_at
    ]
    return min([start, *same])
