"""How long after its cause trouble begins: a density over time, a second's share each."""

from __future__ import annotations

from math import log
from typing import Protocol

import numpy as np

from bot.domain.verdict.belief import Beliefs
from bot.domain.verdict.line import Numbers

_ENOUGH = 30.0  # requests that show whether something is bad
_SOON_AT_MOST_S = 900.0
_LATE_FROM_S = 60.0
_FILLS_FROM_S = 1800.0


class Density(Protocol):
    """A density over *delay*, any shape of it, where *rate* requests a second come."""

    def __call__(
        self, delay: Numbers, of: Beliefs, *, step: float, rate: float | None
    ) -> Numbers: ...


def at_once(delay: Numbers, of: Beliefs, *, step: float, rate: float | None) -> Numbers:
    """Density of what shows as a step *delay* seconds after its cause; below 0 it came before.

    Most show soon (exponential), some wait for something (even over the logarithm of time).
    """
    soon = of.soon + (_ENOUGH / rate if rate else 2 * of.soon)
    soon = min(soon, _SOON_AT_MOST_S)
    early = of.early + 0.1 * step
    shown = np.where(
        delay >= 0,
        np.exp(-np.maximum(delay, 0) / soon),
        np.exp(np.minimum(delay, 0) / (early / 3)),
    ) / (soon + early / 3)
    return (1 - of.late) * shown + of.late * _even(
        delay, _LATE_FROM_S, max(of.latest, 2 * _LATE_FROM_S)
    )


def slowly(delay: Numbers, of: Beliefs, *, step: float, rate: float | None) -> Numbers:
    """Density of what begins to grow *delay* seconds after its cause.

    Some grows from the start; what has to fill up first takes any time from half an hour on as
    easily (even over the logarithm), and less than that no more easily than half an hour.
    """
    latest = max(of.latest, 2 * _FILLS_FROM_S)
    fills = 1 / np.maximum(delay, _FILLS_FROM_S)
    fills = np.where((delay >= 0) & (delay <= latest), fills, 0.0)
    fills /= 1 + log(latest / _FILLS_FROM_S)
    return 0.3 * at_once(delay, of, step=step, rate=rate) + 0.7 * fills


def _even(delay: Numbers, first: float, last: float) -> Numbers:
    """Even over the logarithm from *first* to *last*."""
    inside = (delay >= first) & (delay <= last)
    return np.where(inside, 1 / (np.maximum(delay, first) * log(last / first)), 0.0)
