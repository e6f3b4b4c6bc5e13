"""Alert rules, run on the measured series the way Prometheus runs them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.incidents.arrays import Array, one_of
from tests.incidents.scraping import Scraping
from tests.incidents.world import World, nominal

_TURN_S = 120.0  # group_interval, on average
Series = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Rule:
    """*metric* of a deployment above *threshold* for *for_s* seconds."""

    name: str
    key: str
    metric: str
    threshold: float
    for_s: float
    severity: str


@dataclass(frozen=True)
class Alert:
    """Once that a rule fired: seconds from the start; *ends_s* is None while it fires."""

    rule: Rule
    starts_s: float
    ends_s: float | None
    received_s: float

    def at(self, now_s: float) -> Alert:
        """Return the alert as known at *now_s*: its end is told with the group's next turn."""
        if self.ends_s is None or self.ends_s + _TURN_S <= now_s:
            return self
        return Alert(self.rule, self.starts_s, None, self.received_s)

    @property
    def fingerprint(self) -> str:
        named = f"{self.rule.name} {self.rule.key} {self.rule.severity}"
        return hashlib.sha256(named.encode()).hexdigest()[:16]


def team_rules(
    world: World, usual_p95_s: Mapping[str, float], dice: np.random.Generator
) -> list[Rule]:
    """Return the rules of all teams: an error ratio well above normal, a p95 against its base."""
    rules = []
    for key, (_, _, failing) in nominal(world).items():
        if key.endswith("/staging") and dice.random() < 0.4:
            continue  # nobody is woken by it
        ratio = next(r for r in (0.03, 0.05, 0.1, 0.2, 1.0) if r >= max(2.5 * failing, 0.03))
        ratio = max(ratio, one_of(dice, (0.03, 0.05, 0.05, 0.1)))
        base_s = usual_p95_s[key] * one_of(dice, (1.5, 1.75, 2.0, 2.5))
        waits = [float(dice.choice([120.0, 180.0, 300.0, 600.0])) for _ in range(2)]
        rules.append(Rule("HighErrorRate", key, "error_ratio", ratio, waits[0], "critical"))
        rules.append(Rule("HighLatencyP95", key, "latency_p95_s", base_s, waits[1], "warning"))
    return rules


def fired(
    rules: Sequence[Rule], series: Series, how: Scraping, delays_s: Mapping[str, float]
) -> list[Alert]:
    """Return every alert by start; *delays_s* is group_wait and the webhook's way."""
    alerts = []
    for rule in rules:
        values = series[rule.key][rule.metric]
        for starts_s, ends_s in _episodes(rule, values, how):
            received_s = starts_s + delays_s[rule.key]
            alerts.append(Alert(rule, starts_s, ends_s, received_s))
    return sorted(alerts, key=lambda alert: (alert.starts_s, alert.rule.key, alert.rule.name))


def _episodes(rule: Rule, values: Array, how: Scraping) -> list[tuple[float, float | None]]:
    """Return when the rule fired from and to.

    Missing samples end it, and a restart of Prometheus forgets it: what fires afterwards has a
    start of its own, and nobody hears again of the earlier one.
    """
    grid = how.grid(len(values) * how.eval_s)
    above = np.nan_to_num(values, nan=-1.0) > rule.threshold
    edges = np.flatnonzero(np.diff(above.astype(np.int8), prepend=0, append=0))
    found: list[tuple[float, float | None]] = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        starts_s = float(grid[begin]) + rule.for_s
        ends_s = float(grid[end]) if end < len(grid) else None
        forgotten = any(ends_s is not None and a <= ends_s < b for a, b in how.down)
        last_s = grid[-1] if ends_s is None else ends_s
        if starts_s < last_s and not forgotten:
            found.append((starts_s, ends_s))
    return found
