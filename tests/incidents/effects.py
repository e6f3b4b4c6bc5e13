"""What can act on a deployment or an outside service, and how far it has come at each tick."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tests.incidents.arrays import Array


@dataclass(frozen=True)
class Effect:
    """An influence on *where*; *strength* (0 to 1 per tick) scales all the rest.

    *failing* is the share of the requests concerned that fails, *slowing* a factor on their own
    seconds, *demand* and *capacity* factors on traffic from outside and on workers. *branch* or
    *calling* narrow it to one way through the graph or to the ways that call somebody. *above*
    (1/s) makes it act under load only. *quick* failures come back at once.
    """

    where: str
    strength: Array
    failing: float = 0.0
    slowing: float = 1.0
    demand: float = 1.0
    capacity: float = 1.0
    branch: int | None = None
    calling: str | None = None
    above: float | None = None
    quick: bool = True

    def under(self, rate: Array) -> Array:
        """Return the strength when requests come at *rate* (1/s)."""
        if self.above is None:
            return self.strength
        return np.asarray(self.strength / (1 + np.exp(-12 * (rate / self.above - 1))))


def factor(strength: Array, at_full: float) -> Array:
    """Return a factor that is 1 at strength 0 and *at_full* at strength 1."""
    return 1 + (at_full - 1) * strength


def together(effects: Iterable[Effect], name: str, ticks: int) -> Array:
    """Return the product of all factors called *name* (`demand` or `capacity`)."""
    product = np.ones(ticks)
    for each in effects:
        product *= factor(each.strength, getattr(each, name))
    return product
