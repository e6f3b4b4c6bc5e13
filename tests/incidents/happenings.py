"""What people do around an alert: harmless changes, hotfixes, going back, hours of delay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.incidents.arrays import between
from tests.incidents.plans import NotHere, Plan
from tests.incidents.publishing import Act, Event, draw_event
from tests.incidents.rules import Alert, fired
from tests.incidents.truth import at_fault
from tests.incidents.watching import NoAlert, Watched, delays, fires


def innocent(watched: Watched, dice: np.random.Generator) -> Event:
    """Return a harmless change minutes from the onset, mostly of the app that alerts."""
    key = watched.trigger.rule.key
    others = [other for other in watched.case.plan.world.deployments if other.endswith("/prod")]
    if dice.random() < 0.15:
        key = others[int(dice.integers(len(others)))]
    near_s = watched.trigger.starts_s if watched.case.plan.flapping else watched.onset_s
    at_s = near_s + float(dice.uniform(-600, 300))
    at_s = min(at_s, watched.trigger.received_s - 45)
    return draw_event(dice, at_s, key, Act.LAYOUT if dice.random() < 0.15 else Act.EDIT)


def vain_attempt(watched: Watched, dice: np.random.Generator) -> Event:
    low_s, high_s = watched.onset_s + 60, watched.trigger.received_s - 30
    if high_s <= low_s:
        raise NoAlert
    return draw_event(dice, float(dice.uniform(low_s, high_s)), watched.trigger.rule.key)


def undoing(watched: Watched, dice: np.random.Generator) -> Event:
    """Return how somebody takes the fault out again shortly before the alert arrives."""
    fault = watched.case.plan.fault
    if fault is None:
        raise NotHere
    at_s = watched.trigger.received_s - between(dice, 25, 400)
    if at_s <= watched.onset_s + 30:
        raise NoAlert
    act = Act.GO_BACK if dice.random() < 0.75 else Act.EDIT
    key = at_fault(watched.case.plan.world, fault, watched.trigger.rule.key)
    return draw_event(dice, at_s, key, act, mends=[fault.name])


def much_later(watched: Watched, dice: np.random.Generator) -> tuple[Watched, float]:
    """Return the case about an hour later: the alert still fires, people have tried things."""
    later_s = watched.trigger.received_s + float(dice.uniform(1800, 4800))
    case = watched.case
    tries = sorted(float(dice.uniform(watched.trigger.received_s + 60, later_s)) for _ in range(2))
    for at_s in tries[: int(dice.integers(0, 3))]:
        case = replace(case, events=(*case.events, _hotfix(case.plan, watched, at_s, dice)))
    restarted = bool(dice.random() < 0.4)
    if restarted:
        gone = (later_s, later_s + float(dice.uniform(60, 240)))
        case = replace(case, scraping=replace(case.scraping, down=(gone,)))
    run = case.run()
    alerts = tuple(fired(watched.rules, run.series, case.scraping, delays(case)))
    trigger = _still(watched.trigger, alerts, later_s, restarted=restarted)
    decided_s = trigger.received_s if restarted else later_s
    trigger = replace(trigger, received_s=decided_s)
    return replace(watched, case=case, run=run, alerts=alerts, trigger=trigger), decided_s


def _hotfix(plan: Plan, watched: Watched, at_s: float, dice: np.random.Generator) -> Event:
    key = watched.trigger.rule.key
    mends = []
    if plan.fault is not None and dice.random() < 0.25:
        mends = [plan.fault.name]
    luck = dice.random()
    act = Act.EDIT if luck < 0.65 else Act.LAYOUT if luck < 0.72 else Act.GO_BACK
    return draw_event(dice, at_s, key, act, mends=mends)


def _still(before: Alert, alerts: tuple[Alert, ...], later_s: float, *, restarted: bool) -> Alert:
    """Return the alert as it fires at *later_s*; after a restart it has a new start."""
    for alert in alerts:
        if alert.rule != before.rule:
            continue
        if restarted and later_s < alert.starts_s < later_s + 1500:
            return alert
        if not restarted and alert.starts_s == before.starts_s and fires(alert, later_s):
            return alert
    raise NoAlert
