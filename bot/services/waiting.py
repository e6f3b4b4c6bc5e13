"""How long to wait before something is tried again."""

from __future__ import annotations

from datetime import timedelta

_FIRST_S = 1.0
_LONGEST_S = 30.0


def backoff(attempts: int, *, jitter: float) -> timedelta:
    """Return the wait after *attempts* failures: about 1, 2, 4 … at most 30 seconds.

    Args:
        attempts: How often it was tried, from 1.
        jitter: From 0 to 1; spreads the waits over the upper half, so that many who failed
            together do not come back together.
    """
    longest = min(_FIRST_S * 2.0 ** min(max(attempts, 1) - 1, 16), _LONGEST_S)
    return timedelta(seconds=longest * (0.5 + 0.5 * jitter))
