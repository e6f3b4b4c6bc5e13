"""How long to wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.services.waiting import backoff


@pytest.mark.parametrize(
    ("attempts", "longest_s"), [(0, 1), (1, 1), (2, 2), (3, 4), (6, 30), (10_000, 30)]
)
def test_waits_grow_to_half_a_minute_and_are_spread(attempts: int, longest_s: float) -> None:
    longest = timedelta(seconds=longest_s)

    assert backoff(attempts, jitter=1.0) == longest
    assert backoff(attempts, jitter=0.0) == longest / 2
