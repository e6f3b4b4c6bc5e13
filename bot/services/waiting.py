"""How long to wait before something is tried again."""

from __future__ import annotations

from datetime import timedelta

_FIRST_S = 1.0
_LONGEST_S = 30.0


def backoff(
    attempts: int, *, jitter: float, first_s: float = _FIRST_S, longest_s: float = _LONGEST_S
) -> timedelta:
    """Return the wait after *attempts* failures: about 1, 2, 4 … at most 30 seconds.

    Args:
        attempts: How often it was tried, from 1.
        jitter: From 0 to 1; spreads the waits over the upper half, so that many who failed
            together do not come back together.
        first_s, longest_s: Another first and longest wait, in seconds.
    """
    longest = min(first_s * 2.0 ** min(max(attempts, 1) - 1, 16), longest_s)
    return timedelta(seconds=longest * (0.5 + 0.5 * jitter))
