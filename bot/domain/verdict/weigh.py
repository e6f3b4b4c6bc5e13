"""How likely each explanation is, given when it began and what else moved.

Each explanation says how likely it was that trouble of this form begins at this time and shows in
these apps; what speaks for one against another is the ratio of that (Good 1950, "Probability and
the Weighing of Evidence"). Votes in windows after a deployment with decay, vetoes by the same
fault before it and spatial scope are those of Gandalf (Li et al., NSDI 2020), put as chances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np

from bot.domain.verdict import delay, runs
from bot.domain.verdict.around import SURGE, Around
from bot.domain.verdict.belief import Beliefs
from bot.domain.verdict.heard import trust
from bot.domain.verdict.incident import Change, Incident
from bot.domain.verdict.line import Numbers
from bot.domain.verdict.onset import Onset
from bot.domain.verdict.suspects import Suspect

_TRIES = 2.0  # times that a request is tried again that failed
_PARTS = 5  # of a time within which a change went live
MENDED_S = 45 * 60.0  # after the onset, in which people try to mend it


class Cause(StrEnum):
    """What may be behind trouble."""

    CHANGE = "change"
    UPSTREAM = "upstream"  # an outside service
    LOAD = "load"
    PLATFORM = "platform"  # something that all apps share
    DEPENDENCY = "dependency"  # an app behind it, which nobody changed
    ALONE = "alone"  # nothing that is seen here


@dataclass(frozen=True)
class Explanation:
    """One cause, by name, with how likely it is; `weight` is not normalised, `chance` is."""

    cause: Cause
    weight: float
    name: str = ""
    suspect: Suspect | None = None
    chance: float = 0.0


def explanations(
    incident: Incident,
    suspects: Sequence[Suspect],
    onset: Onset,
    around: Around,
    of: Beliefs,
) -> list[Explanation]:
    """Return every explanation with its chance, likeliest first; the chances sum to 1."""
    told = _Told(incident, suspects, onset, around, of)
    found = [
        *(told.change(suspect) for suspect in suspects),
        *(told.upstream(name) for name in sorted(told.upstreams)),
        *(told.dependency(name) for name in sorted(told.behind)),
        told.load(),
        told.platform(),
        told.alone(),
    ]
    total = sum(one.weight for one in found)
    normal = [
        Explanation(one.cause, one.weight, one.name, one.suspect, one.weight / total)
        for one in found
    ]
    return sorted(normal, key=lambda one: -one.chance)


class _Told:
    """What was seen, as seen from each explanation."""

    def __init__(
        self,
        incident: Incident,
        suspects: Sequence[Suspect],
        onset: Onset,
        around: Around,
        of: Beliefs,
    ) -> None:
        self._app = incident.where.app
        self._onset = onset
        self._around = around
        self._of = of
        self._uses = {name: list(app.depends_on) for name, app in incident.apps.items()}
        self._outside = {name: set(app.upstreams) for name, app in incident.apps.items()}
        self._away = {app: reach(app, self._uses) for app in self._uses}
        self._by_app: dict[str, float] = {}  # how likely what was seen is, if it was that app
        self._away_of = reach(self._app, self._uses)
        self.behind = set(self._away_of) - {self._app}
        self.upstreams = {u for n in (self._app, *self.behind) for u in self._outside.get(n, ())}
        at = np.array([s.change.at.timestamp() for s in suspects if s.hops == 0])
        self._by_runs = runs.ratios(incident, [s.change for s in suspects], onset)
        self._reacted = _reacted(onset.grid, at, of)
        self._trust = trust(incident.heard)
        self._step = onset.turn.line.step if onset.turn is not None else 60.0

    def change(self, suspect: Suspect) -> Explanation:
        of, onset = self._of, self._onset
        form = self._since(suspect.change, delay.at_once) * (1 - onset.slow) * (1 - of.slow_if_bad)
        form += self._since(suspect.change, delay.slowly) * onset.slow * of.slow_if_bad
        app = suspect.change.where.app
        if app not in self._by_app:
            self._by_app[app] = self._shown(self._hit_by(app))
        weight = suspect.bad * of.reach**suspect.hops * form
        weight *= self._by_runs.get((suspect.change.where, suspect.change.number), 1.0)
        if suspect.hops == 0:  # people spoke of suggestions for this app alone
            weight *= self._trust
        return Explanation(
            Cause.CHANGE,
            weight * self._by_app[app] * self._calm(),
            suspect=suspect,
        )

    def _since(self, change: Change, density: delay.Density) -> float:
        """How likely it is that the trouble begins when it does after *change*.

        When a change went live may be known to some minutes only; then all of them count.
        """
        late = change.late.total_seconds()
        earlier = [late * part / _PARTS for part in range(_PARTS + 1)] if late else [0.0]
        return sum(
            self._onset.mean(
                self._reacted
                * density(
                    self._onset.grid - (change.at.timestamp() - by),
                    self._of,
                    step=self._step,
                    rate=self._around.rate,
                )
            )
            for by in earlier
        ) / len(earlier)

    def upstream(self, name: str) -> Explanation:
        hit = {app for app, used in self._outside.items() if name in used}
        direct = dict.fromkeys(hit, self._of.shows)
        shown = {**self._through(hit), **direct}
        # who builds on many services bears that some of them are away
        rate = self._of.upstream / len(self.upstreams) ** 0.5
        rate *= self._of.reach ** min(self._away_of[app] for app in hit if app in self._away_of)
        weight = rate * self._sudden(self._of.slow_outside)
        return Explanation(Cause.UPSTREAM, weight * self._shown(shown) * self._calm(), name)

    def dependency(self, name: str) -> Explanation:
        hops = self._away_of[name]
        weight = self._of.bystander * self._of.reach**hops * self._sudden(self._of.slow_alone)
        shown = self._shown({**self._hit_by(name), name: self._of.shows})
        return Explanation(Cause.DEPENDENCY, weight * shown * self._calm(), name)

    def load(self) -> Explanation:
        weight = self._of.surge * self._sudden(self._of.slow_if_load)
        surge = self._around.surge
        grown = 1.0 if surge is None else (0.95 if surge >= SURGE else 0.02)
        return Explanation(Cause.LOAD, weight * self._shown(self._through({self._app})) * grown)

    def platform(self) -> Explanation:
        weight = self._of.upstream / 2 * self._sudden(self._of.slow_outside)
        shown = dict.fromkeys(self._around.turned, 0.6)
        return Explanation(Cause.PLATFORM, weight * self._shown(shown) * self._calm())

    def alone(self) -> Explanation:
        rate = max(self._of.bystander, self._onset.past.rate)
        weight = rate * self._sudden(self._of.slow_alone)
        return Explanation(
            Cause.ALONE, weight * self._shown(self._through({self._app})) * self._calm()
        )

    def _sudden(self, slow: float) -> float:
        """How likely the form of the rise is where a share *slow* of them is slow."""
        form = (1 - self._onset.slow) * (1 - slow) + self._onset.slow * slow
        return form * self._onset.mean(self._reacted)

    def _hit_by(self, app: str) -> dict[str, float]:
        """Where a fault in *app* shows; in itself it need not, if only what it hands on is bad."""
        own = 0.6 + 0.35 * self._onset.slow  # what fills up does so where it is
        return {**self._through({app}), app: own}

    def _through(self, hit: Iterable[str]) -> dict[str, float]:
        """The apps that call one of *hit*, with the chance that they show it."""
        start = set(hit)
        shown: dict[str, float] = {}
        for app, away in self._away.items():
            hops = [n for name, n in away.items() if name in start and n > 0]
            if hops:
                shown[app] = self._of.reach ** min(hops)
        return shown

    def _shown(self, expected: Mapping[str, float]) -> float:
        """How likely it is that just those apps turned which did."""
        return prod(
            chance if turned else 1 - chance
            for app, turned in self._around.turned.items()
            if turned is not None
            for chance in [max(expected.get(app, 0.0), self._of.chance_turn)]
        )

    def _calm(self) -> float:
        """How likely the load is where it is not the cause; the more it grew, the less.

        People and programs try again what failed, so failures alone may multiply it.
        """
        surge = self._around.surge
        if surge is None or surge < SURGE:
            return 1.0
        again = 1 + _TRIES * self._around.failing
        if surge <= again:
            return self._of.retries
        return self._of.chance_surge * (max(SURGE, again) / surge) ** 2


def _reacted(onset: Numbers, changes: Numbers, of: Beliefs) -> Numbers:
    """How much likelier *changes* are where trouble began at *onset*: people mend what broke."""
    since = changes[None, None, :] - onset[:, :, None]
    after = (since > 0) & (since < MENDED_S)
    found: Numbers = np.where(after, of.mending, 1.0).prod(axis=2)
    return found


def reach(app: str, uses: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Every app behind *app*, itself first, with how many steps away; cycles are walked once."""
    found = {app: 0}
    edge = [app]
    while edge:
        edge = [n for name in edge for n in uses.get(name, ()) if n not in found]
        found.update(dict.fromkeys(edge, max(found.values()) + 1))
    return found


def near(onset: Onset) -> float:
    """The likeliest moment, seconds since 1970."""
    best = int(np.argmax(onset.chance))
    return float(onset.at[best] + onset.width[best] / 2)
