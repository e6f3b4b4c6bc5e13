"""How requests fare on average: queues, timeouts, and trouble that goes from callee to caller.

Arrivals are counted from outside inwards, failures and seconds from the innermost callee
outwards; clients that try again are added in a second round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from tests.incidents.arrays import TICK_S, Array, smooth
from tests.incidents.effects import Effect, factor, together
from tests.incidents.world import Branch, Call, Deployment, Outside, World

_TRY_AGAIN_S = 20.0
_FULL = 0.97  # utilisation up to which the formula for a steady queue is believed


@dataclass(frozen=True)
class Way:
    """One branch over the ticks: mean seconds, their variance, share failing, share at once."""

    share: float
    mean_s: Array
    variance: Array
    failing: Array
    quick: Array


@dataclass(frozen=True)
class Lane:
    """A deployment or outside service over the ticks, as its callers meet it."""

    failing: Array
    mean_s: Array
    variance: Array
    expected: Array  # requests per tick
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True)
class _Queue:
    wait_s: Array
    lost: Array


def flow(world: World, outer: Mapping[str, Array], effects: Sequence[Effect]) -> dict[str, Lane]:
    """Return every deployment's lane, given the requests from outside per tick."""
    lanes = _round(world, outer, effects)
    again = {
        key: outer[key] + _again(world.deployments[key], outer[key], lanes[key].failing)
        for key in world.deployments
    }
    return _round(world, again, effects)


def _again(each: Deployment, outer: Array, failing: Array) -> Array:
    """Return what clients ask once more some seconds after a failure."""
    if not each.retrying:
        return np.zeros_like(outer)
    asked = smooth(outer * failing * each.retrying, _TRY_AGAIN_S)
    delayed = np.concatenate([asked[:1], asked[:-1]])
    return delayed * (1 + each.retrying * failing)  # some try a third time


def _round(world: World, outer: Mapping[str, Array], effects: Sequence[Effect]) -> dict[str, Lane]:
    asked = _asked(world, outer)
    lanes = {name: _outside(each, effects, asked) for name, each in world.outsides.items()}
    for key in reversed(list(world.deployments)):
        mine = [effect for effect in effects if effect.where == key]
        lanes[key] = _lane(world.deployments[key], asked[key], lanes, mine)
    return {key: lanes[key] for key in world.deployments}


def _asked(world: World, outer: Mapping[str, Array]) -> dict[str, Array]:
    """Return requests per tick at each deployment, those of callers included."""
    asked = {key: outer[key].copy() for key in world.deployments}
    for key, each in world.deployments.items():
        for to, share in each.called().items():
            if to in asked:
                asked[to] += share * asked[key]
    return asked


def _outside(each: Outside, effects: Sequence[Effect], asked: Mapping[str, Array]) -> Lane:
    ticks = len(next(iter(asked.values())))
    failing, slowing = np.full(ticks, each.failing), np.ones(ticks)
    for effect in effects:
        if effect.where == each.name:
            failing = 1 - (1 - failing) * (1 - effect.failing * effect.strength)
            slowing = slowing * factor(effect.strength, effect.slowing)
    mean_s = each.mean_s * slowing
    variance = mean_s**2 * np.expm1(each.spread**2)
    return Lane(failing, mean_s, variance, np.zeros(ticks))


def _lane(
    each: Deployment, asked: Array, lanes: Mapping[str, Lane], effects: Sequence[Effect]
) -> Lane:
    rate = smooth(asked, 60) / TICK_S
    ways = [_way(each, n, branch, lanes, effects, rate) for n, branch in enumerate(each.branches)]
    held_s = sum((way.share * way.mean_s for way in ways), np.zeros_like(asked))
    workers = each.workers * together(effects, "capacity", len(asked))
    queue = _queue(asked, held_s, workers, each.timeout_s)
    ways = [_queued(way, queue, each.timeout_s) for way in ways]
    mean_s = sum((way.share * way.mean_s for way in ways), np.zeros_like(asked))
    square = sum((way.share * (way.variance + way.mean_s**2) for way in ways), np.zeros_like(asked))
    failing = sum((way.share * way.failing for way in ways), np.zeros_like(asked))
    return Lane(failing, mean_s, square - mean_s**2, asked, tuple(ways))


def _way(
    each: Deployment,
    n: int,
    branch: Branch,
    lanes: Mapping[str, Lane],
    effects: Sequence[Effect],
    rate: Array,
) -> Way:
    """Return a branch without its queue: own work, then one call after the other."""
    good, slowing = np.full(len(rate), 1 - each.failing), np.ones(len(rate))
    quick = np.zeros(len(rate))
    for effect in effects:
        if not _concerns(effect, n, branch):
            continue
        strength = effect.under(rate)
        good = good * (1 - effect.failing * strength)
        slowing = slowing * factor(strength, effect.slowing)
        if effect.quick:
            quick = np.maximum(quick, effect.failing * strength)
    mean_s = branch.own_s * slowing
    variance = mean_s**2 * np.expm1(branch.spread**2)
    for call in branch.calls:
        lost, tries = _called(call, lanes[call.to])
        good = good * (1 - lost)
        mean_s = mean_s + tries * lanes[call.to].mean_s
        variance = variance + tries * lanes[call.to].variance
    return Way(branch.share, mean_s, variance, 1 - good, quick)


def _concerns(effect: Effect, n: int, branch: Branch) -> bool:
    if effect.branch is not None and effect.branch != n:
        return False
    return effect.calling is None or any(call.to == effect.calling for call in branch.calls)


def _called(call: Call, lane: Lane) -> tuple[Array, Array]:
    """Return the share of calls lost for good, and how often the callee is asked per call.

    A callee in trouble fails again more likely than the first time, so retries help less than
    independent trials would.
    """
    lost = lane.failing ** (1 + 0.6 * call.retries)
    tries = 1 + (lane.failing * min(call.retries, 2))
    return (lost * 0.03 if call.falls_back else lost), tries


def _queue(asked: Array, held_s: Array, workers: Array, timeout_s: float) -> _Queue:
    """Return the wait (s) and the share lost in a queue with *workers* that hold requests *held_s*.

    Below saturation Sakasegawa's formula for M/M/c; beyond it a backlog that grows and shrinks,
    out of which clients leave at their timeout.
    """
    load = smooth(asked, 60) / TICK_S * held_s / workers
    steady = np.minimum(load, _FULL)
    power = np.sqrt(2 * (workers + 1)) - 1
    wait_s = held_s / workers * steady**power / (1 - steady)
    lost = np.zeros_like(asked)
    if load.max() > 0.8:
        backlog_s, lost = _backlog(asked, held_s, workers, timeout_s)
        wait_s = wait_s + backlog_s
    return _Queue(wait_s, lost)


def _backlog(asked: Array, held_s: Array, workers: Array, timeout_s: float) -> tuple[Array, Array]:
    served = (workers * TICK_S / held_s).tolist()  # requests per tick
    room = (workers * timeout_s * 0.9 / held_s).tolist()
    waits, lost = np.zeros_like(asked), np.zeros_like(asked)
    backlog = 0.0
    for n, came in enumerate(asked.tolist()):
        backlog = max(0.0, backlog + came - served[n])
        if backlog > room[n]:
            lost[n] = min(1.0, (backlog - room[n]) / max(came, 1.0))
            backlog = room[n]
        waits[n] = backlog * TICK_S / served[n]
    return waits, smooth(lost, 15)


def _queued(way: Way, queue: _Queue, timeout_s: float) -> Way:
    """Return the branch with its queue before it, and what its timeout makes of that."""
    mean_s = way.mean_s + queue.wait_s
    variance = way.variance + 0.25 * queue.wait_s**2
    middle, spread = lognormal(mean_s, variance)
    late = 1 - ndtr((np.log(timeout_s) - middle) / spread)
    failing = 1 - (1 - way.failing) * (1 - late) * (1 - queue.lost)
    return Way(way.share, np.minimum(mean_s, timeout_s), variance, failing, way.quick)


def lognormal(mean: Array, variance: Array) -> tuple[Array, Array]:
    """Return the parameters (mean and spread of the logarithm) with that mean and variance."""
    square = np.log1p(variance / mean**2)
    return np.log(mean) - square / 2, np.sqrt(np.maximum(square, 1e-4))
