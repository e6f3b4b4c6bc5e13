"""Kinds whose cause is no published version."""

from __future__ import annotations

from dataclasses import replace

from tests.incidents.arrays import between, one_of
from tests.incidents.plans import NotHere, Plan, Pressure, Stage


def upstream_brownout(stage: Stage) -> Plan:
    used = sorted({name for names in stage.world.upstreams.values() for name in names})
    name = one_of(stage.dice, used)
    pressure = Pressure(
        name,
        stage.begins_s,
        between(stage.dice, 20, 1500),
        failing=stage.uniform(0.05, 0.8),
        slowing=between(stage.dice, 1.0, 6.0),
        wobble=float(stage.dice.choice([0.0, 0.2, 0.35])),
    )
    reason = f"the outside service {name} was in trouble for those who use it"
    return Plan(reason, stage.world, (name,), pressures=(pressure,))


def load_spike(stage: Stage) -> Plan:
    each = stage.prod()
    demand = stage.uniform(1.2, 2.2) / each.load
    pressure = Pressure(each.key, stage.begins_s, stage.uniform(30, 400), demand=demand, wobble=0.1)
    reason = "traffic grew several-fold within minutes"
    return Plan(reason, stage.world, (each.key,), pressures=(pressure,))


def saturation(stage: Stage) -> Plan:
    each = stage.prod()
    demand = stage.uniform(1.2, 2.0) / each.load
    hours = stage.uniform(1.5, 4.0)
    begins_s = stage.begins_s - hours * 1800
    pressure = Pressure(each.key, begins_s, hours * 3600, demand=demand)
    reason = "traffic grew slowly until the workers were not enough"
    lasts_s = 3.5 * 3600
    return Plan(reason, stage.world, (each.key,), pressures=(pressure,), lasts_s=lasts_s)


def noisy_neighbour(stage: Stage) -> Plan:
    here = stage.world.in_env("prod")
    many = int(stage.dice.integers(1, min(3, len(here)) + 1))
    hit = [here[int(n)] for n in stage.dice.permutation(len(here))[:many]]
    slowing, capacity = between(stage.dice, 1.6, 5.0), stage.uniform(0.3, 0.8)
    pressures = tuple(
        Pressure(
            each.key,
            stage.begins_s,
            between(stage.dice, 60, 900),
            slowing=slowing,
            capacity=capacity,
            failing=0.02,
            quick=False,
            wobble=stage.uniform(0.1, 0.35),
        )
        for each in hit
    )
    roots = tuple(each.key for each in hit)
    return Plan("another tenant took the machine's time", stage.world, roots, pressures=pressures)


def config_drift(stage: Stage) -> Plan:
    each = stage.prod()
    branch = None if stage.chance(0.6) else int(stage.dice.integers(len(each.branches)))
    quota = stage.chance(0.4)
    pressure = Pressure(
        each.key,
        stage.begins_s,
        between(stage.dice, 300, 1800) if quota else 5.0,
        failing=stage.uniform(0.2, 0.8) if quota else stage.uniform(0.5, 1.0),
        branch=branch,
        wobble=0.25 if quota else 0.0,
    )
    what = "a quota ran out" if quota else "a key expired"
    reason = f"{what} for this app, outside its versions"
    return Plan(reason, stage.world, (each.key,), pressures=(pressure,))


def platform_fault(stage: Stage) -> Plan:
    failing, slowing = stage.uniform(0.05, 0.7), between(stage.dice, 1.0, 3.0)
    ramp_s = between(stage.dice, 5, 600)
    pressures = tuple(
        Pressure(key, stage.begins_s, ramp_s, failing=failing, slowing=slowing)
        for key in stage.world.deployments
    )
    roots = tuple(stage.world.deployments)
    return Plan(
        "the platform under all apps was in trouble", stage.world, roots, pressures=pressures
    )


def dependency_break(stage: Stage) -> Plan:
    each = stage.called()
    if each is None:
        raise NotHere
    pressure = Pressure(
        each.key,
        stage.begins_s,
        between(stage.dice, 5, 900),
        failing=stage.uniform(0.2, 0.9),
        slowing=between(stage.dice, 1.0, 4.0),
    )
    reason = f"{each.app} broke without a change: what it looks things up in was gone"
    return Plan(reason, stage.world, (each.key,), pressures=(pressure,))


def flapping_threshold(stage: Stage) -> Plan:
    each = stage.prod()
    level = stage.uniform(0.02, 0.07)
    moods = Pressure(
        each.key, -1e9, failing=level, wobble=stage.uniform(0.2, 0.45), usual=True, quick=False
    )
    world = stage.world.changed(each.key, per_s=max(each.per_s, 0.3))
    plan = Plan("the normal level is near the threshold", world, (each.key,), pressures=(moods,))
    return replace(plan, flapping=each.key)
