"""One case, simulated: with its cause, and as it would have been without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from tests.incidents.arrays import Array, Seed
from tests.incidents.counters import count
from tests.incidents.effects import Effect, together
from tests.incidents.faults import effects_of, ticks_of
from tests.incidents.flow import Lane, flow
from tests.incidents.plans import Plan
from tests.incidents.publishing import Event, Timeline, play
from tests.incidents.rules import Alert, Series
from tests.incidents.scraping import Scraping, measured
from tests.incidents.traffic import arrivals, rates

WARM_S = 900.0  # simulated before the start, so that windows and queues are filled

_WORSE = 0.01  # more failing (share of requests)
_SLOWER = 0.15  # more seconds (share of the mean)
_PAUSE_S = 900.0
_FELT_SLOWER = 1.2


@dataclass(frozen=True)
class Run:
    """What happened (*lanes*) and what was measured of it (*series*)."""

    timeline: Timeline
    lanes: Mapping[str, Lane]
    series: Series


@dataclass(frozen=True)
class Case:
    """A plan with everything else that is published, in a measured world."""

    plan: Plan
    events: tuple[Event, ...]
    start: datetime
    until_s: float
    scraping: Scraping
    seed: Seed = field(repr=False)

    @cached_property
    def seconds(self) -> Array:
        return ticks_of(WARM_S, self.until_s)

    @cached_property
    def rates(self) -> dict[str, Array]:
        """Return how often each deployment is asked from outside (1/s), whatever happens."""
        return {
            key: rates(each, self.start, self.seconds, self.seed)
            for key, each in self.plan.world.deployments.items()
        }

    def run(self, *, caused: bool = True) -> Run:
        """Simulate it; without its cause nothing else is thrown differently."""
        timeline = play(self.events)
        effects = self._effects(timeline, caused=caused)
        outer = {key: self._outer(key, effects) for key in self.plan.world.deployments}
        lanes = flow(self.plan.world, outer, effects)
        series = {key: self._measured(key, lanes[key], outer[key]) for key in lanes}
        return Run(timeline, lanes, series)

    def _effects(self, timeline: Timeline, *, caused: bool) -> list[Effect]:
        effects = [
            pressure.effect(self.seconds, self.seed)
            for pressure in self.plan.pressures
            if caused or pressure.usual
        ]
        if caused and self.plan.fault is not None:
            restarts_s = self.scraping.restarts_s
            effects += effects_of(
                self.plan.fault, self.plan.world, timeline, self.seconds, restarts_s
            )
        return effects

    def _outer(self, key: str, effects: Sequence[Effect]) -> Array:
        mine = [effect for effect in effects if effect.where == key]
        more = together(mine, "demand", len(self.seconds)) - 1
        return arrivals(self.plan.world.deployments[key], self.rates[key], more, self.seed)

    def _measured(self, key: str, lane: Lane, outer: Array) -> dict[str, Array]:
        how = self.scraping
        edges = np.array(how.edges_s)
        counters = count(
            self.plan.world.deployments[key],
            lane,
            outer,
            scrape_s=how.scrape_s,
            edges=edges,
            seed=self.seed,
        )
        return measured(
            counters, how, warm_s=WARM_S, until_s=self.until_s, seed=(*self.seed, len(key))
        )

    def onset_s(self, key: str, with_it: Run, without: Run, seen_s: float) -> float | None:
        """Return when *key* began to fare worse than without the cause, before *seen_s*.

        The last time that leads up to *seen_s*: what was over for a while before is another one.
        """
        here, there = with_it.lanes[key], without.lanes[key]
        off = (here.failing - there.failing > _WORSE) | (here.mean_s > there.mean_s * (1 + _SLOWER))
        asked = (self.rates[key] > 0) | (here.expected > 0)  # what nobody asks does not fail
        times = self.seconds[off & asked & (self.seconds <= seen_s)]
        if not len(times) or seen_s - times[-1] > _PAUSE_S:
            return None
        pauses = np.flatnonzero(np.diff(times) > _PAUSE_S)
        return float(times[pauses[-1] + 1] if len(pauses) else times[0])

    def felt(self, alert: Alert, with_it: Run, without: Run) -> bool:
        """Say whether the cause has a real part in *alert*: chance alone can fire a rule, too."""
        key, rule = alert.rule.key, alert.rule
        here, there = with_it.lanes[key], without.lanes[key]
        span = (self.seconds > alert.starts_s - 600) & (self.seconds <= alert.starts_s)
        if rule.metric == "error_ratio":
            more = here.failing[span] - there.failing[span]
            return bool(more.max() > 0.4 * rule.threshold)
        return bool((here.mean_s[span] / there.mean_s[span]).max() > _FELT_SLOWER)
