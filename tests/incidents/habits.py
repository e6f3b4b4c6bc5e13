"""How teams publish: a Poisson process in working hours, hotfix bursts, saves of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from tests.incidents.arrays import between
from tests.incidents.publishing import Act, Event, draw_event
from tests.incidents.world import World

_DAY_S = 86400.0
_MOST = 15  # versions that a history has on average at the most
_LONGEST_DAYS = 35.0
_REGRETS = 0.04  # of the changes are taken back though nothing was wrong


@dataclass(frozen=True)
class Habits:
    """A team: edits a day, whether staging comes first, what share of edits goes wrong."""

    app: str
    a_day: float
    staging_first: bool
    goes_wrong: float
    layout: float


def draw_habits(world: World, dice: np.random.Generator) -> dict[str, Habits]:
    """Return each app's team."""
    return {
        app: Habits(
            app,
            between(dice, 0.15, 6.0),
            f"{app}/staging" in world.deployments and bool(dice.random() < 0.6),
            float(dice.uniform(0.0, 0.08)),
            float(dice.uniform(0.0, 0.15)),
        )
        for app in world.depends_on
    }


def past(
    habits: Habits, world: World, start: datetime, until_s: float, dice: np.random.Generator
) -> list[Event]:
    """Return what the team did up to *until_s*, its failures of earlier days included."""
    days = min(_LONGEST_DAYS, _MOST / habits.a_day)
    since_s = until_s - days * _DAY_S
    events = [
        draw_event(dice, since_s - n * 600, f"{habits.app}/{env}")
        for n, env in enumerate(("prod", "staging"))
        if f"{habits.app}/{env}" in world.deployments
    ]
    for at_s in working_times(habits.a_day, start, since_s, until_s, dice):
        events += _work(habits, world, at_s, dice, quiet=at_s > until_s - 8 * 3600)
    return [event for event in events if event.at_s < until_s]


def future(
    habits: Habits,
    world: World,
    start: datetime,
    span: tuple[float, float],
    dice: np.random.Generator,
) -> list[Event]:
    """Return what the team goes on doing, unaware of the trouble; none of it goes wrong."""
    return [
        event
        for at_s in working_times(habits.a_day, start, *span, dice)
        for event in _work(habits, world, at_s, dice, quiet=True)
    ]


def working_times(
    a_day: float, start: datetime, since_s: float, until_s: float, dice: np.random.Generator
) -> list[float]:
    """Return when work is published: mostly from 8 to 19 o'clock, seldom at weekends."""
    busiest = 2.2 * a_day / _DAY_S
    count = int(dice.poisson(busiest * max(until_s - since_s, 0)))
    times = np.sort(dice.uniform(since_s, until_s, count))
    kept = dice.random(count)
    return [
        float(at_s)
        for at_s, luck in zip(times, kept, strict=True)
        if luck < _willing(start + timedelta(seconds=float(at_s)))
    ]


def _willing(when: datetime) -> float:
    by_day = 1.0 if 8 <= when.hour < 19 else 0.12
    return by_day * (1.0 if when.weekday() < 5 else 0.15)


def _work(
    habits: Habits, world: World, at_s: float, dice: np.random.Generator, *, quiet: bool
) -> list[Event]:
    """Return one piece of work; *quiet* leaves out what would be trouble of its own."""
    prod = f"{habits.app}/prod"
    staging = f"{habits.app}/staging"
    act = Act.LAYOUT if dice.random() < habits.layout else Act.EDIT
    if habits.staging_first:
        events = [draw_event(dice, at_s, staging, act)]
        if dice.random() < 0.6:
            events.append(draw_event(dice, at_s + between(dice, 300, 40000), prod, Act.PROMOTE))
        return events
    if staging in world.deployments and dice.random() < 0.3:
        return [draw_event(dice, at_s, staging, act)]
    if not quiet and dice.random() < habits.goes_wrong:
        return _trouble(prod, at_s, dice)
    work = draw_event(dice, at_s, prod, act)
    if dice.random() < _REGRETS:
        return [work, draw_event(dice, at_s + between(dice, 120, 7200), prod, Act.GO_BACK)]
    return [work]


def _trouble(key: str, at_s: float, dice: np.random.Generator) -> list[Event]:
    """Return a change of earlier days that went wrong: gone back from, or mended by hotfixes."""
    fault = f"past {dice.bytes(4).hex()}"
    events = [draw_event(dice, at_s, key, adds=fault)]
    later_s = at_s
    for _ in range(int(dice.integers(0, 3))):
        later_s += between(dice, 120, 1500)
        events.append(draw_event(dice, later_s, key))
    later_s += between(dice, 120, 2400)
    act = Act.GO_BACK if dice.random() < 0.6 else Act.EDIT
    events.append(draw_event(dice, later_s, key, act, mends=[fault]))
    return events
