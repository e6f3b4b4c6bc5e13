"""Which alert the trouble of now begins with, among all that a case has seen."""

from __future__ import annotations

from collections.abc import Sequence

from store.records import Finding, Firing, FiringStatus, Version


def began(
    firings: Sequence[Firing], *, before: Finding | None, history: Sequence[Version]
) -> Firing:
    """Return the earliest alert that belongs to the trouble of now.

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
    if not new and before is not None and before.onset_from is not None:
        of_then = [firing for firing in firings if firing.starts_at >= before.onset_from]
        return _earliest(of_then or firings)
    of_now = [f for f in new if f.status is FiringStatus.FIRING] or new or list(firings)
    first = _earliest(of_now)
    published = [v.published_at for v in history if v.published_at <= first.starts_at]
    same = [
        firing
        for firing in firings
        if firing.status is FiringStatus.FIRING and published and max(published) < firing.starts_at
    ]
    return _earliest([first, *same])


def _earliest(firings: Sequence[Firing]) -> Firing:
    return min(firings, key=lambda firing: firing.starts_at)
