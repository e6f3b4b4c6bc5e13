"""Up to which id of a table no row can come any more."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

IN_FLIGHT = timedelta(seconds=60)  # longer than a transaction that stores alerts takes


class Settling:
    """Remembers which ids were seen, and when; shared by all transactions of one store.

    An id is given before its row can be seen: below one that is seen, others may still come for as
    long as a transaction takes. Where there is one writer at a time they come in their order.
    """

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once
        self._seen: deque[tuple[datetime, int]] = deque()
        self._through = 0

    def through(self, newest: int, now: datetime) -> int:
        """Up to which id all are seen, when *newest* is the highest *now*; 0 while unknown."""
        if self._at_once:
            return newest
        self._seen.append((now, newest))
        while self._seen and self._seen[0][0] < now - IN_FLIGHT:
            _, self._through = self._seen.popleft()
        return self._through
