"""A case that is watched: its alerts, and which of them the cause set off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tests.incidents.arrays import Array, between, stream
from tests.incidents.case import Case, Run
from tests.incidents.plans import Plan
from tests.incidents.publishing import Event
from tests.incidents.rules import Alert, Rule, fired, team_rules

SHORTEST_S = 3 * 3600.0  # of a record
_ANOTHER = 0.2  # of the decisions are not about the first alert
_UNNOTICED_S = 2 * 3600.0  # after which a first alert is chance


class NoAlert(Exception):
    """This one was not noticed, or not as a caused alert."""


@dataclass(frozen=True)
class Watched:
    """A run with its alerts and the first of them that the cause set off."""

    case: Case
    run: Run
    without: Run
    rules: tuple[Rule, ...]
    alerts: tuple[Alert, ...]
    trigger: Alert
    onset_s: float


def watch(case: Case, dice: np.random.Generator) -> Watched:
    without = case.run(caused=False)
    run = case.run()
    rules = tuple(_rules(case, without, dice))
    return _seen(case, run, without, rules)


def again(watched: Watched, event: Event) -> Watched:
    """Return the case with one event more, under the same rules."""
    case = replace(watched.case, events=(*watched.case.events, event))
    return _seen(case, case.run(), watched.without, watched.rules)


def _seen(case: Case, run: Run, without: Run, rules: tuple[Rule, ...]) -> Watched:
    waits_s = delays(case)
    alerts = tuple(fired(rules, run.series, case.scraping, waits_s))
    if case.plan.flapping:
        trigger, onset_s = _flapped(case.plan.flapping, alerts)
    else:
        usual = fired(rules, without.series, case.scraping, waits_s)
        trigger, onset_s = _caused(case, run, without, alerts, usual)
    return Watched(case, run, without, rules, alerts, trigger, onset_s)


def _rules(case: Case, without: Run, dice: np.random.Generator) -> list[Rule]:
    usual = {key: _usual(each["latency_p95_s"]) for key, each in without.series.items()}
    rules = team_rules(case.plan.world, usual, dice)
    key = case.plan.flapping
    if key is None:
        return rules
    ratios = without.series[key]["error_ratio"]
    level = float(np.nanquantile(ratios, dice.uniform(0.75, 0.93)))
    return [
        replace(rule, threshold=round(level, 3), for_s=120.0)
        if rule.key == key and rule.metric == "error_ratio"
        else rule
        for rule in rules
    ]


def _usual(values: Array) -> float:
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else 1e9


def delays(case: Case) -> dict[str, float]:
    """Return group_wait plus the webhook's way (s) per deployment."""
    dice = stream(case.seed, "webhooks")
    wait_s = float(dice.choice([5.0, 10.0, 30.0]))
    return {key: wait_s + between(dice, 0.2, 5.0) for key in case.plan.world.deployments}


def _flapped(key: str, alerts: tuple[Alert, ...]) -> tuple[Alert, float]:
    """Return a late one of many alerts about the same, and when the first of them began."""
    mine = [a for a in alerts if a.rule.key == key and a.rule.metric == "error_ratio"]
    found = [a for a in mine[2:] if a.starts_s > SHORTEST_S]
    if not found:
        raise NoAlert
    return found[0], max(mine[0].starts_s - mine[0].rule.for_s, 0.0)


def _caused(
    case: Case, run: Run, without: Run, alerts: tuple[Alert, ...], usual: list[Alert]
) -> tuple[Alert, float]:
    """Return an alert that would not have been without the cause, mostly the first; its onset."""
    reached = _reached(case.plan)
    found = []
    for alert in sorted(alerts, key=lambda alert: alert.received_s):
        if alert.rule.key not in reached or _also(alert, usual):
            continue
        onset_s = case.onset_s(alert.rule.key, run, without, alert.starts_s)
        if onset_s is not None and case.felt(alert, run, without):
            found.append((alert, onset_s))
    return _chosen(found, case)


def _chosen(found: list[tuple[Alert, float]], case: Case) -> tuple[Alert, float]:
    """Return the first, or now and then one of those that came within half an hour of it."""
    if not found or found[0][0].starts_s < SHORTEST_S:
        raise NoAlert
    if found[0][0].starts_s > found[0][1] + _UNNOTICED_S:
        raise NoAlert
    dice = stream(case.seed, "which alert")
    if dice.random() >= _ANOTHER:
        return found[0]
    near = [pair for pair in found if pair[0].starts_s <= found[0][0].starts_s + 1800]
    return near[int(dice.integers(len(near)))]


def _reached(plan: Plan) -> frozenset[str]:
    return frozenset().union(*(plan.world.reached_by(root) for root in plan.roots))


def _also(alert: Alert, usual: list[Alert]) -> bool:
    """Say whether the same rule fired around the same time without the cause."""
    around_s = alert.rule.for_s + 300
    return any(
        other.rule == alert.rule
        and other.starts_s - around_s <= alert.starts_s
        and (other.ends_s is None or alert.starts_s <= other.ends_s + around_s)
        for other in usual
    )


def fires(alert: Alert, now_s: float) -> bool:
    return alert.ends_s is None or alert.ends_s > now_s
