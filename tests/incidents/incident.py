"""From a kind to a labelled incident: draw, plant, simulate, wait for the alert, decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from tests.incidents.arrays import Seed, stream
from tests.incidents.case import Case, Run
from tests.incidents.habits import draw_habits, future, past
from tests.incidents.happenings import innocent, much_later, undoing, vain_attempt
from tests.incidents.kinds import KINDS, Mix
from tests.incidents.plans import NotHere, Plan, Stage
from tests.incidents.publishing import Event
from tests.incidents.rules import Alert
from tests.incidents.scraping import draw_scraping
from tests.incidents.truth import Truth, tell
from tests.incidents.watching import SHORTEST_S, NoAlert, Watched, again, fires, watch
from tests.incidents.world import World, draw_world

_ATTEMPTS = 80
_LATE = {Mix.NATURAL: 0.25, Mix.HARD: 0.35}  # many of them are over by then
_NEAR = {Mix.NATURAL: 0.0, Mix.HARD: 0.85}
_TRIED = {Mix.NATURAL: 0.1, Mix.HARD: 0.15}  # somebody mends before the alert, without success
_LATE_S = 1.7 * 3600
_BEFORE_S = 1800.0  # of the record that are without the trouble
_LONGEST_S = 7 * 3600.0


@dataclass(frozen=True)
class Incident:
    """A decided case; all times in seconds from the case's start."""

    kind: str
    case: Case
    run: Run
    alerts: tuple[Alert, ...]
    trigger: Alert
    onset_s: float
    decided_s: float
    from_s: float
    clock_s: float  # what Dify's clock is ahead of Prometheus'
    truth: Truth


def make(kind: str, mix: Mix, seed: Seed) -> Incident:
    """Return an incident of *kind*; what nobody would have noticed is drawn anew."""
    for attempt in range(_ATTEMPTS):
        try:
            return _attempt(kind, mix, (*seed, attempt))
        except (NoAlert, NotHere):
            continue
    raise RuntimeError(f"no alert for {kind} in {_ATTEMPTS} attempts of {seed}")


def _attempt(kind: str, mix: Mix, seed: Seed) -> Incident:
    dice = stream(seed, "case")
    late = bool(dice.random() < _LATE[mix])
    case = _draw(kind, dice, seed, late=late)
    watched = watch(case, dice)
    if dice.random() < _NEAR[mix]:
        watched = again(watched, innocent(watched, dice))
    if dice.random() < _TRIED[mix]:
        watched = again(watched, vain_attempt(watched, dice))
    if watched.case.plan.undone:
        watched = again(watched, undoing(watched, dice))
    if late and not watched.case.plan.undone:
        return _decided(kind, *much_later(watched, dice), dice)
    return _decided(kind, watched, watched.trigger.received_s, dice)


def _draw(kind: str, dice: np.random.Generator, seed: Seed, *, late: bool) -> Case:
    begins_s = float(dice.uniform(3.3, 6.6)) * 3600
    world = draw_world(dice)
    start = _start(dice)
    habits = draw_habits(world, dice)
    stage = Stage(world, habits, start, begins_s, dice)
    plan = KINDS[kind].plant(stage)
    until_s = begins_s + plan.lasts_s + (_LATE_S if late else 0.0)
    others: list[Event] = []
    for each in habits.values():
        others += past(each, world, start, begins_s, dice)
        others += future(each, world, start, (begins_s, until_s), dice)
    kept = [event for event in others if event.key != plan.new or event.at_s > begins_s]
    return Case(plan, (*kept, *plan.events), start, until_s, draw_scraping(dice, until_s), seed)


def _start(dice: np.random.Generator) -> datetime:
    """Return when the case begins: its cause comes some hours later, mostly by day."""
    day = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=int(dice.integers(0, 350)))
    if day.weekday() >= 5 and dice.random() < 0.7:
        day -= timedelta(days=2)
    by_day = dice.random() < 0.75
    minute = int(dice.integers(5 * 60, 15 * 60) if by_day else dice.integers(0, 24 * 60))
    return day + timedelta(minutes=minute)


def _decided(kind: str, watched: Watched, decided_s: float, dice: np.random.Generator) -> Incident:
    case, trigger = watched.case, watched.trigger
    if not fires(trigger, decided_s) or decided_s >= case.until_s:
        raise NoAlert
    from_s = _from(decided_s, case.scraping.step_s, dice)
    onset_s = watched.onset_s
    if case.plan.flapping:
        onset_s = max(onset_s, from_s)
    elif onset_s < from_s + _BEFORE_S:
        raise NoAlert
    truth = tell(case.plan, watched.run.timeline, trigger.rule.key, onset_s, decided_s)
    if not _as_planned(case.plan, truth):
        raise NoAlert
    return Incident(
        kind,
        case,
        watched.run,
        _known(watched.alerts, trigger, from_s, decided_s),
        trigger.at(decided_s),
        onset_s,
        decided_s,
        from_s,
        round(float(dice.uniform(-20, 20)), 3),
        truth,
    )


def _from(decided_s: float, step_s: float, dice: np.random.Generator) -> float:
    """Return when the record begins: whole steps of *step_s* before the last sample."""
    last_s = np.floor(decided_s / step_s) * step_s
    lasts_s = dice.uniform(SHORTEST_S, min(_LONGEST_S, last_s))
    return max(float(last_s - np.ceil(lasts_s / step_s) * step_s), 0.0)


def _as_planned(plan: Plan, truth: Truth) -> bool:
    """Say whether what else was published left the kind what it is."""
    if plan.fault is not None and truth.culprit is None:
        return False
    return truth.target is None or not (plan.undone or plan.new)


def _known(
    alerts: tuple[Alert, ...], trigger: Alert, from_s: float, decided_s: float
) -> tuple[Alert, ...]:
    """Return what had been heard of since the record begins, the trigger left out."""
    return tuple(
        alert.at(decided_s)
        for alert in alerts
        if from_s <= alert.starts_s
        and alert.received_s <= decided_s
        and not (alert.rule == trigger.rule and alert.starts_s == trigger.starts_s)
    )


def environments(world: World) -> Mapping[str, tuple[str, ...]]:
    """Return the environments of each app, prod first."""
    envs: dict[str, tuple[str, ...]] = {}
    for each in world.deployments.values():
        envs[each.app] = (*envs.get(each.app, ()), each.env)
    return envs
