"""Faults that a version brings, and how far each has come at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tests.incidents.arrays import TICK_S, Array, Flags, smooth
from tests.incidents.effects import Effect
from tests.incidents.publishing import Timeline, Version
from tests.incidents.world import World


class Shape(StrEnum):
    """When a fault of a live version is felt."""

    AT_ONCE = "at once"
    DORMANT = "dormant"  # from wakes_s on
    LEAK = "leak"  # from knee_s after the start on, over ramp_s
    CONVERSATIONS = "conversations"  # in new ones; old ones end after about ramp_s


@dataclass(frozen=True)
class Fault:
    """What is wrong with a content, in which environments, and what it does at full strength.

    With *breaks_callers* the app itself answers well, in a form that its callers cannot read.
    *above* is a rate (1/s). *resets* says that a leak starts afresh with every publication.
    """

    name: str
    app: str
    envs: tuple[str, ...]
    shape: Shape = Shape.AT_ONCE
    failing: float = 0.0
    slowing: float = 1.0
    branch: int | None = None
    breaks_callers: bool = False
    above: float | None = None
    wakes_s: float = 0.0
    knee_s: float = 0.0
    ramp_s: float = 600.0
    resets: bool = False
    quick: bool = True


def effects_of(
    fault: Fault,
    world: World,
    timeline: Timeline,
    seconds: Array,
    restarts_s: Sequence[float] = (),
) -> list[Effect]:
    """Return what *fault* does in each of its environments, at *seconds* from the start.

    At *restarts_s* the processes begin afresh, and with them their leaks.
    """
    effects = []
    for env in fault.envs:
        key = f"{fault.app}/{env}"
        if key not in world.deployments:
            continue
        strength = _strength(fault, timeline.versions.get(key, ()), seconds, restarts_s)
        if fault.breaks_callers:
            effects += [_on(fault, caller, strength, key) for caller in _callers(world, key)]
        else:
            effects.append(_on(fault, key, strength, None))
    return effects


def _on(fault: Fault, where: str, strength: Array, calling: str | None) -> Effect:
    return Effect(
        where,
        strength,
        failing=fault.failing,
        slowing=fault.slowing,
        branch=fault.branch,
        calling=calling,
        above=fault.above,
        quick=fault.quick,
    )


def _callers(world: World, key: str) -> list[str]:
    return [caller for caller, each in world.deployments.items() if key in each.called()]


def _strength(
    fault: Fault, versions: Sequence[Version], seconds: Array, restarts_s: Sequence[float]
) -> Array:
    live = _while_live(fault.name, versions, seconds)
    if fault.shape is Shape.DORMANT:
        return np.asarray(live & (seconds >= fault.wakes_s), dtype=np.float64)
    if fault.shape is Shape.LEAK:
        return _leaked(fault, _began(fault, versions, seconds, restarts_s), seconds, live)
    if fault.shape is Shape.CONVERSATIONS:
        return smooth(live.astype(np.float64), fault.ramp_s)
    return live.astype(np.float64)


def _while_live(name: str, versions: Sequence[Version], seconds: Array) -> Flags:
    live = np.zeros(len(seconds), dtype=np.bool_)
    for version in versions:  # each takes over from the one before
        live[seconds >= version.at_s] = name in version.faults
    return live


def _began(
    fault: Fault, versions: Sequence[Version], seconds: Array, restarts_s: Sequence[float]
) -> Array:
    """Return since when it has been leaking, at each second; infinity is not at all."""
    began = np.full(len(seconds), np.inf)
    before: Version | None = None
    for version in versions:
        fresh = before is None or fault.name not in before.faults
        if fault.name in version.faults and (fresh or fault.resets):
            began[seconds >= version.at_s] = version.at_s
        before = version
    for restart_s in restarts_s:
        began[(seconds >= restart_s) & (began < restart_s)] = restart_s
    return began


def _leaked(fault: Fault, began: Array, seconds: Array, live: Flags) -> Array:
    """Return how full it is: nothing is felt up to the knee, then more and more, then all of it."""
    age = np.where(np.isfinite(began), seconds - began, 0.0)
    full = np.clip((age - fault.knee_s) / fault.ramp_s, 0, 1)
    return np.asarray(full**1.5 * live)


def ticks_of(warm_s: float, until_s: float) -> Array:
    """Return the second at which each tick begins, from *warm_s* before the start on."""
    return np.arange(-warm_s, until_s, TICK_S)
