"""What an incident is made of, before anything is simulated."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from tests.incidents.arrays import TICK_S, Array, Seed, one_of, stream, wander
from tests.incidents.effects import Effect
from tests.incidents.faults import Fault
from tests.incidents.habits import Habits
from tests.incidents.publishing import Act, Event, draw_event
from tests.incidents.world import Deployment, World


@dataclass(frozen=True)
class Pressure:
    """A cause that is no change: it comes in over *ramp_s*, and *wobble* makes it come and go.

    The rest is as in `Effect`. *usual* is there without any cause too.
    """

    where: str
    begins_s: float
    ramp_s: float = TICK_S
    failing: float = 0.0
    slowing: float = 1.0
    demand: float = 1.0
    capacity: float = 1.0
    branch: int | None = None
    quick: bool = True
    wobble: float = 0.0
    usual: bool = False

    def effect(self, seconds: Array, seed: Seed) -> Effect:
        """Return the effect at *seconds* from the start."""
        strength = np.clip((seconds - self.begins_s) / self.ramp_s, 0, 1)
        if self.wobble:
            dice = stream(seed, "wobble", self.where)
            noise = wander(dice, len(seconds), seconds=240, spread=self.wobble)
            strength = np.clip(strength * (1 - self.wobble + noise), 0, 1)
        return Effect(
            self.where,
            strength,
            failing=self.failing,
            slowing=self.slowing,
            demand=self.demand,
            capacity=self.capacity,
            branch=self.branch,
            quick=self.quick,
        )


@dataclass(frozen=True)
class Plan:
    """A kind's cause: what is published with which *fault*, or which *pressures* come.

    *roots* are the deployments or services where it acts first. *new* has no past before its
    planted events. *flapping* has its threshold put where it normally is.
    """

    reason: str
    world: World
    roots: tuple[str, ...]
    events: tuple[Event, ...] = ()
    fault: Fault | None = None
    pressures: tuple[Pressure, ...] = ()
    new: str | None = None
    flapping: str | None = None
    undone: bool = False
    untold: str | None = None  # why nobody could say what to go back to
    lasts_s: float = 2.2 * 3600


@dataclass(frozen=True)
class Stage:
    """Where a kind is planted: the cause begins *begins_s* seconds after *start*."""

    world: World
    habits: dict[str, Habits]
    start: datetime
    begins_s: float
    dice: np.random.Generator = field(repr=False)

    def prod(self) -> Deployment:
        return one_of(self.dice, self.world.in_env("prod"))

    def chance(self, probability: float) -> bool:
        return bool(self.dice.random() < probability)

    def uniform(self, low: float, high: float) -> float:
        return float(self.dice.uniform(low, high))

    def called(self) -> Deployment | None:
        """Return a deployment in prod that another app calls, if there is one."""
        callees = {to for each in self.world.in_env("prod") for to in each.called()}
        found = [each for each in self.world.in_env("prod") if each.key in callees]
        return one_of(self.dice, found) if found else None

    def uncalled(self) -> Deployment:
        """Return a deployment in prod that no other app calls."""
        callees = {to for each in self.world.in_env("prod") for to in each.called()}
        return one_of(self.dice, [d for d in self.world.in_env("prod") if d.key not in callees])

    def bring(self, key: str, fault: Fault, at_s: float) -> tuple[Event, ...]:
        """Return how *fault* gets into *key* at *at_s*: straight, or through staging first."""
        app, _, env = key.partition("/")
        if env == "prod" and self.habits[app].staging_first and self.chance(0.85):
            before_s = at_s - self.uniform(600, 36000)
            return (
                draw_event(self.dice, before_s, f"{app}/staging", adds=fault.name),
                draw_event(self.dice, at_s, key, Act.PROMOTE),
            )
        return (draw_event(self.dice, at_s, key, adds=fault.name),)


class NotHere(Exception):
    """The world that was drawn has no place for this kind."""
