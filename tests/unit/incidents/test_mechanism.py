"""How trouble comes about: queues, callees, faults over time, and what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.incidents.arrays import TICK_S, Array
from tests.incidents.counters import Counters
from tests.incidents.effects import Effect
from tests.incidents.faults import Fault, Shape, effects_of
from tests.incidents.flow import Lane, flow
from tests.incidents.publishing import Act, Event, Timeline, play
from tests.incidents.rules import Rule, fired
from tests.incidents.scraping import Scraping, measured, quantile
from tests.incidents.world import Branch, Call, Deployment, World

TICKS = 720
ON = np.concatenate([np.zeros(TICKS // 2), np.ones(TICKS // 2)])
HOW = Scraping(30.0, 120.0, 60.0, 60.0, 0.0, (1.0, 2.0, 4.0))


def a_deployment(app: str, *calls: Call, workers: int = 8) -> Deployment:
    branches = (Branch(0.6, 1.0, 0.5, calls), Branch(0.4, 1.0, 0.5))
    return Deployment(app, "prod", 2.0, branches, 0.01, 0.0, 30.0, 0.5, 1.0, 0.1, workers)


def a_world(*deployments: Deployment) -> World:
    return World({d.key: d for d in deployments}, {}, {d.app: () for d in deployments}, {})


def lanes_of(world: World, *effects: Effect, per_s: float = 2.0) -> dict[str, Lane]:
    outer = {key: np.full(TICKS, per_s * TICK_S) for key in world.deployments}
    return flow(world, outer, effects)


def before_and_after(values: Array) -> tuple[float, float]:
    return float(values[TICKS // 2 - 1]), float(values[-1])


def test_load_makes_requests_wait_and_beyond_saturation_fail() -> None:
    calm, busy, over = (lanes_of(a_world(a_deployment("a")), per_s=n)["a/prod"] for n in (2, 7, 12))

    assert calm.mean_s[-1] < busy.mean_s[-1] < over.mean_s[-1]
    assert calm.failing[-1] == pytest.approx(busy.failing[-1], abs=0.02)
    assert over.failing[-1] > 0.25


def test_a_callee_s_failures_reach_the_callers_that_call_it() -> None:
    world = a_world(a_deployment("a", Call("b/prod")), a_deployment("b"))
    lanes = lanes_of(world, Effect("b/prod", ON, failing=0.5))

    assert before_and_after(lanes["b/prod"].failing)[1] == pytest.approx(0.505, abs=0.01)
    assert before_and_after(lanes["a/prod"].failing)[1] == pytest.approx(0.6 * 0.5, abs=0.02)


def test_a_fallback_hides_them() -> None:
    world = a_world(a_deployment("a", Call("b/prod", falls_back=True)), a_deployment("b"))
    lanes = lanes_of(world, Effect("b/prod", ON, failing=0.5))
    before, after = before_and_after(lanes["a/prod"].failing)

    assert after < before + 0.015


def test_a_callee_s_slowness_reaches_the_callers() -> None:
    world = a_world(a_deployment("a", Call("b/prod"), workers=40), a_deployment("b", workers=40))
    lanes = lanes_of(world, Effect("b/prod", ON, slowing=4.0))
    before, after = before_and_after(lanes["a/prod"].mean_s)

    assert after - before == pytest.approx(0.6 * 3.0, abs=0.2)


def test_another_shape_of_answers_fails_in_the_caller_only() -> None:
    world = a_world(a_deployment("a", Call("b/prod")), a_deployment("b"))
    fault = Fault("f", "b", ("prod",), failing=1.0, breaks_callers=True)
    effects = effects_of(fault, world, _timeline("b/prod", 0.0), _minutes(60))

    assert [effect.where for effect in effects] == ["a/prod"]
    assert effects[0].calling == "b/prod"


def test_a_fault_of_one_branch_concerns_its_share_of_the_requests() -> None:
    lanes = lanes_of(a_world(a_deployment("a")), Effect("a/prod", ON, failing=1.0, branch=1))

    assert before_and_after(lanes["a/prod"].failing)[1] == pytest.approx(0.4, abs=0.01)


def test_new_conversations_bring_the_fault_in_little_by_little() -> None:
    strength = _strength(Fault("f", "a", ("prod",), Shape.CONVERSATIONS, ramp_s=300))

    assert strength[_at(0)] < 0.1
    assert strength[_at(5)] == pytest.approx(1 - np.exp(-1), abs=0.03)
    assert strength[_at(40)] > 0.95


def test_a_dormant_fault_sleeps_until_its_hour() -> None:
    strength = _strength(Fault("f", "a", ("prod",), Shape.DORMANT, wakes_s=1200))

    assert (strength[_at(19)], strength[_at(21)]) == (0.0, 1.0)


def test_a_leak_grows_and_some_start_afresh_with_a_publication() -> None:
    again = Event(1800, "a/prod", Act.LAYOUT, "another")
    leak = Fault("f", "a", ("prod",), Shape.LEAK, knee_s=600, ramp_s=600, resets=True)
    kept = Fault("f", "a", ("prod",), Shape.LEAK, knee_s=600, ramp_s=600)

    assert _strength(leak)[_at(9)] == 0.0
    assert 0 < _strength(leak)[_at(15)] < 1
    assert _strength(leak, again)[_at(35)] == 0.0
    assert _strength(kept, again)[_at(35)] == 1.0


def test_a_restart_of_the_processes_empties_a_leak() -> None:
    leak = Fault("f", "a", ("prod",), Shape.LEAK, knee_s=600, ramp_s=600)
    world, timeline = a_world(a_deployment("a")), _timeline("a/prod", 0.0)
    (effect,) = effects_of(leak, world, timeline, _minutes(60), restarts_s=[1800.0])

    assert effect.strength[_at(29)] == 1.0
    assert effect.strength[_at(35)] == 0.0
    assert effect.strength[_at(55)] == 1.0


def test_some_faults_are_seen_under_load_only() -> None:
    effect = Effect("a/prod", np.ones(3), failing=1.0, above=10.0)

    assert effect.under(np.array([5.0, 10.0, 15.0])) == pytest.approx([0, 0.5, 1], abs=0.01)


def test_a_rate_over_a_window_smears_a_step() -> None:
    rate = _measured(np.where(np.arange(120) < 60, 30.0, 60.0))["request_rate"]

    assert rate[25] == pytest.approx(1.0)
    assert 1.0 < rate[31] < 2.0
    assert rate[35] == pytest.approx(2.0)


def test_without_requests_there_is_no_ratio_and_no_quantile() -> None:
    found = _measured(np.zeros(120))

    assert found["request_rate"][30] == 0
    assert np.isnan(found["error_ratio"][30])
    assert np.isnan(found["latency_p95_s"][30])


def test_a_restart_of_the_measured_process_never_gives_a_negative_rate() -> None:
    how = Scraping(30.0, 120.0, 60.0, 60.0, 0.0, (1.0, 2.0, 4.0), restarts_s=(1810.0,))
    rate = _measured(np.full(120, 30.0), how)["request_rate"]

    assert np.nanmin(rate[5:]) >= 0.5


def test_a_quantile_lies_on_a_line_inside_its_bucket_and_never_beyond_the_last() -> None:
    buckets = np.array([[90.0, 100.0, 100.0, 100.0], [0.0, 0.0, 0.0, 10.0]])

    assert quantile(0.95, buckets, np.array([1.0, 2.0, 4.0])) == pytest.approx([1.5, 4.0])


def test_a_rule_fires_after_its_time_and_a_missing_sample_starts_it_anew() -> None:
    values = np.array([0, 1, 1, 1, 1, np.nan, 1, 1, 1, 1, 0, 0], dtype=np.float64)

    assert _fired(values) == [(180.0, 300.0), (480.0, 600.0)]


def test_a_restart_of_prometheus_forgets_an_alert_and_its_start() -> None:
    values = np.array([0, 1, 1, 1, 1, np.nan, np.nan, 1, 1, 1, 1, 1], dtype=np.float64)

    assert _fired(values, down=[(290.0, 410.0)]) == [(540.0, None)]


def _minutes(count: int) -> Array:
    return np.arange(-600.0, count * 60.0, TICK_S)


def _at(minute: float) -> int:
    return int((600 + minute * 60) / TICK_S)


def _timeline(key: str, at_s: float, *more: Event) -> Timeline:
    first = Event(-9e5, key, Act.EDIT, "good", ("prompt",))
    return play([first, Event(at_s, key, Act.EDIT, "bad", ("prompt",), adds="f"), *more])


def _strength(fault: Fault, *more: Event) -> Array:
    timeline = _timeline("a/prod", 0.0, *more)
    (effect,) = effects_of(fault, a_world(a_deployment("a")), timeline, _minutes(60))
    return effect.strength


def _measured(per_scrape: Array, how: Scraping = HOW) -> dict[str, Array]:
    at_s = np.arange(1, len(per_scrape) + 1, dtype=np.float64) * 30.0
    requests = np.cumsum(per_scrape, dtype=np.float64)
    buckets = np.repeat(requests[:, None], 4, axis=1)
    counters = Counters(at_s, requests, np.zeros_like(requests), buckets, np.array(how.edges_s))
    return measured(counters, how, warm_s=0.0, until_s=3600.0, seed=(1,))


def _fired(
    values: Array, down: Sequence[tuple[float, float]] = ()
) -> list[tuple[float, float | None]]:
    how = Scraping(30.0, 120.0, 60.0, 60.0, 0.0, (1.0,), down=tuple(down))
    rule = Rule("HighErrorRate", "a/prod", "error_ratio", 0.5, 120.0, "critical")
    alerts = fired([rule], {"a/prod": {"error_ratio": values}}, how, {"a/prod": 10.0})
    return [(alert.starts_s, alert.ends_s) for alert in alerts]
