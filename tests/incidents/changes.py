"""Kinds whose cause is a published version."""

from __future__ import annotations

from dataclasses import replace

from tests.incidents.arrays import between
from tests.incidents.faults import Fault, Shape
from tests.incidents.plans import NotHere, Plan, Pressure, Stage
from tests.incidents.publishing import Act, draw_event
from tests.incidents.world import Deployment, nominal

_NAME = "the fault"


def _fault(stage: Stage, each: Deployment, **fields: object) -> Fault:
    """Return a fault of *each*; in half of the teams staging never meets what sets it off."""
    envs = ("prod",) if stage.chance(0.5) else ("prod", "staging")
    plain = Fault(_NAME, each.app, envs, quick=stage.chance(0.7))
    return replace(plain, **fields)  # type: ignore[arg-type]


def _planted(stage: Stage, each: Deployment, fault: Fault, reason: str, at_s: float) -> Plan:
    events = stage.bring(each.key, fault, at_s)
    roots = tuple(f"{fault.app}/{env}" for env in fault.envs)
    return Plan(reason, stage.world, roots, events, fault)


def bad_change(stage: Stage) -> Plan:
    each = stage.prod()
    fault = _fault(stage, each, failing=stage.uniform(0.15, 0.95))
    return _planted(stage, each, fault, "the change broke requests at once", stage.begins_s)


def partial_fault(stage: Stage) -> Plan:
    each = stage.prod()
    small = [n for n, branch in enumerate(each.branches) if 0.05 <= branch.share <= 0.4]
    if not small:
        raise NotHere
    branch = small[int(stage.dice.integers(len(small)))]
    fault = _fault(stage, each, failing=stage.uniform(0.6, 1.0), branch=branch)
    share = f"{each.branches[branch].share:.0%}"
    reason = f"the change broke one branch of the graph, {share} of the requests"
    return _planted(stage, each, fault, reason, stage.begins_s)


def slow_change(stage: Stage) -> Plan:
    each = stage.prod()
    fault = _fault(stage, each, slowing=between(stage.dice, 1.8, 8.0), failing=0.0)
    return _planted(stage, each, fault, "the change made answers slow", stage.begins_s)


def dormant(stage: Stage) -> Plan:
    each = stage.prod()
    if stage.chance(0.5):  # a scheduled hour
        wakes_s, why = round(stage.begins_s / 1800) * 1800.0, "at a certain hour"
        at_s = wakes_s - between(stage.dice, 1200, 30 * 3600)
    else:
        lifetime_s = (3600.0, 3 * 3600.0, 6 * 3600.0, 24 * 3600.0)[int(stage.dice.integers(4))]
        wakes_s, why = stage.begins_s, "when a cache expired"
        at_s = wakes_s - lifetime_s
    fault = _fault(
        stage, each, shape=Shape.DORMANT, wakes_s=wakes_s, failing=stage.uniform(0.2, 0.95)
    )
    return _planted(stage, each, fault, f"the change took effect {why}", at_s)


def leak(stage: Stage) -> Plan:
    each = stage.prod()
    fault = _fault(
        stage,
        each,
        shape=Shape.LEAK,
        knee_s=stage.uniform(1200, 14000),
        ramp_s=stage.uniform(1200, 7200),
        resets=stage.chance(0.4),
        slowing=between(stage.dice, 1.5, 6.0),
        failing=stage.uniform(0.0, 0.7),
        quick=False,
    )
    at_s = stage.begins_s - fault.knee_s
    return _planted(stage, each, fault, "the change leaks; its effect grew over hours", at_s)


def new_conversations_only(stage: Stage) -> Plan:
    each = stage.prod()
    fault = _fault(
        stage,
        each,
        shape=Shape.CONVERSATIONS,
        ramp_s=stage.uniform(100, 800),
        failing=stage.uniform(0.2, 0.95),
    )
    reason = "the change broke new conversations only; the old ones ran on"
    return _planted(stage, each, fault, reason, stage.begins_s)


def load_dependent(stage: Stage) -> Plan:
    each = stage.prod()
    rate = nominal(stage.world)[each.key][0]
    above = rate * stage.uniform(1.2, 1.9)
    fault = _fault(
        stage, each, above=above, failing=stage.uniform(0.2, 0.8), slowing=stage.uniform(1.0, 3.0)
    )
    at_s = stage.begins_s - between(stage.dice, 900, 20 * 3600)
    plan = _planted(stage, each, fault, "the change fails under load only", at_s)
    rise = Pressure(
        each.key,
        stage.begins_s,
        stage.uniform(300, 3600),
        demand=stage.uniform(1.4, 2.5),
        usual=True,
    )
    return replace(plan, pressures=(rise,))


def semantic_break(stage: Stage) -> Plan:
    each = stage.called()
    if each is None:
        raise NotHere
    fault = _fault(stage, each, failing=stage.uniform(0.4, 1.0), breaks_callers=True)
    reason = "the change gave answers another shape; only the callers fail"
    return _planted(stage, each, fault, reason, stage.begins_s)


def dependency_change(stage: Stage) -> Plan:
    each = stage.called()
    if each is None:
        raise NotHere
    slow = stage.chance(0.3)
    fault = _fault(
        stage,
        each,
        failing=stage.uniform(0.0, 0.2) if slow else stage.uniform(0.2, 0.95),
        slowing=between(stage.dice, 2.0, 8.0) if slow else 1.0,
    )
    reason = "the change was in an app that others call"
    return _planted(stage, each, fault, reason, stage.begins_s)


def republished_bad(stage: Stage) -> Plan:
    each = stage.prod()
    fault = _fault(stage, each, envs=("prod",), failing=stage.uniform(0.2, 0.95))
    first_s = stage.begins_s - between(stage.dice, 3 * 3600, 4 * 86400)
    events = (
        draw_event(stage.dice, first_s, each.key, adds=fault.name),
        draw_event(
            stage.dice, first_s + stage.uniform(300, 2400), each.key, Act.GO_BACK, mends=[_NAME]
        ),
        draw_event(stage.dice, stage.begins_s, each.key, Act.REPUBLISH),
    )
    reason = "a version that had been gone back from was published again"
    return Plan(reason, stage.world, (each.key,), events, fault)


def staging_only(stage: Stage) -> Plan:
    found = stage.world.in_env("staging")
    if not found:
        raise NotHere
    each = found[int(stage.dice.integers(len(found)))]
    world = stage.world.changed(each.key, per_s=max(each.per_s, between(stage.dice, 0.05, 1.0)))
    fault = Fault(_NAME, each.app, ("staging",), failing=stage.uniform(0.3, 0.95))
    events = [draw_event(stage.dice, stage.begins_s, each.key, adds=fault.name)]
    if stage.chance(0.5):
        at_s = stage.begins_s + stage.uniform(-1200, 300)
        events.append(draw_event(stage.dice, at_s, f"{each.app}/prod"))
    return Plan("the fault is in staging only", world, (each.key,), tuple(events), fault)


def already_gone(stage: Stage) -> Plan:
    return replace(bad_change(stage), undone=True)


def first_version_bad(stage: Stage) -> Plan:
    each = stage.uncalled()
    world = stage.world.changed(each.key, silent=((-1e9, stage.begins_s),))
    fault = Fault(_NAME, each.app, ("prod",), failing=stage.uniform(0.2, 0.95))
    events = (draw_event(stage.dice, stage.begins_s - 30, each.key, adds=fault.name),)
    reason = "the first version of a new app is bad"
    return Plan(reason, world, (each.key,), events, fault, new=each.key)


def unknowable(stage: Stage) -> Plan:
    each = stage.uncalled()
    silent_s = stage.uniform(1.5, 4.0) * 3600
    times = sorted(stage.begins_s - stage.uniform(60, silent_s - 60) for _ in range(3))
    guilty = int(stage.dice.integers(len(times)))
    events = tuple(
        draw_event(stage.dice, at_s, each.key, adds=_NAME if n == guilty else None)
        for n, at_s in enumerate(times)
    )
    world = stage.world.changed(
        each.key, silent=((stage.begins_s - silent_s, stage.begins_s),), per_s=max(each.per_s, 0.2)
    )
    fault = Fault(_NAME, each.app, ("prod",), failing=stage.uniform(0.3, 0.95))
    reason = "a change that nobody used for hours broke requests"
    untold = "several changes fell into hours without a request: nobody could say which it was"
    return Plan(reason, world, (each.key,), events, fault, untold=untold)
