"""Types and small helpers for series over ticks."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Seed = tuple[int, ...]

T = TypeVar("T")

TICK_S = 5.0  # seconds that one tick of the simulation lasts


def stream(seed: Seed, *names: str) -> np.random.Generator:
    """Return the dice of one purpose: the same for a name, whatever else was thrown."""
    return np.random.default_rng([*seed, zlib.crc32("\n".join(names).encode())])


def one_of(dice: np.random.Generator, things: Sequence[T]) -> T:
    """Return one of *things*, all alike (numpy's own choice would turn them into arrays)."""
    return things[int(dice.integers(len(things)))]


def smooth(values: Array, seconds: float) -> Array:
    """Return an exponential mean over about *seconds*; it starts at the first value."""
    keep = float(np.exp(-TICK_S / seconds))
    state = np.array([keep * values[0]])
    return np.asarray(lfilter([1 - keep], [1, -keep], values, zi=state)[0], dtype=np.float64)


def wander(dice: np.random.Generator, ticks: int, *, seconds: float, spread: float) -> Array:
    """Return slow noise around 0 with standard deviation *spread*, forgotten after *seconds*."""
    keep = float(np.exp(-TICK_S / seconds))
    steps = dice.normal(0, spread * np.sqrt(1 - keep**2), ticks)
    start = np.array([keep * dice.normal(0, spread)])
    return np.asarray(lfilter([1], [1, -keep], steps, zi=start)[0], dtype=np.float64)


def between(dice: np.random.Generator, low: float, high: float) -> float:
    """Return a number from *low* to *high*, even on the logarithm."""
    return float(np.exp(dice.uniform(np.log(low), np.log(high))))
