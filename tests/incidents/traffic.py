"""Requests from outside: a Poisson process whose rate follows day, week, bursts and moods."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from tests.incidents.arrays import TICK_S, Array, Seed, stream, wander
from tests.incidents.world import Deployment

_PEAK_HOUR = 14.0
_BURSTS_A_DAY = 3.0


def rates(each: Deployment, start: datetime, seconds: Array, seed: Seed) -> Array:
    """Return the rate (1/s) at which *each* is asked from outside, at *seconds* from *start*."""
    dice = stream(seed, "rates", each.key)
    hours = (start - start.replace(hour=0, minute=0, second=0)) / timedelta(
        hours=1
    ) + seconds / 3600
    day = np.exp(each.swing * np.cos((hours - _PEAK_HOUR) * 2 * np.pi / 24))
    weekday = (start.weekday() + np.floor(hours / 24)) % 7
    week = np.where(weekday >= 5, each.weekend, 1.0)
    mood = np.exp(wander(dice, len(seconds), seconds=900, spread=each.restless))
    return each.per_s * day * week * mood * _bursts(dice, seconds) * _awake(each, seconds)


def _awake(each: Deployment, seconds: Array) -> Array:
    awake = np.ones_like(seconds)
    for begins, ends in each.silent:
        awake[(seconds >= begins) & (seconds < ends)] = 0.0
    return awake


def _bursts(dice: np.random.Generator, seconds: Array) -> Array:
    """Return factors above 1 for some minutes now and then: a mailing, a batch job."""
    factor = np.ones_like(seconds)
    for _ in range(int(dice.poisson(_BURSTS_A_DAY * (seconds[-1] - seconds[0]) / 86400))):
        begins, lasts = dice.uniform(seconds[0], seconds[-1]), dice.uniform(90, 900)
        height = dice.uniform(0.1, 0.8)
        inside = np.clip((seconds - begins) / 30, 0, 1) * np.clip(
            (begins + lasts - seconds) / 60, 0, 1
        )
        factor += height * inside
    return factor


def arrivals(each: Deployment, rate: Array, more: Array, seed: Seed) -> Array:
    """Return requests per tick: those of *rate*, and those that a rise by *more* (0 = none) adds.

    The two are thrown apart, so that a rise leaves everything before it as it was.
    """
    usual = stream(seed, "arrivals", each.key).poisson(rate * TICK_S)
    added = stream(seed, "more arrivals", each.key).poisson(np.maximum(rate * more, 0) * TICK_S)
    return np.asarray(usual + added, dtype=np.float64)
