"""One decision: 1,000 versions, 50 series of seven hours, and everything that is looked at.

    python -m tests.benchmarks.candidate [--quick] [--json]

Beside it, in the same run and on the same numbers: `ruptures` (PELT with a cost of means), the
library that people take for change points, on the series of the alerting app alone; and the
physical limit, one pass of numpy over all samples. The longest that an event loop stood still
while decisions were made in a thread is measured too. The last line is one JSON object; exit 1
when a goal is missed.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import ruptures

from bot.domain.verdict.decide import decide
from bot.domain.verdict.incident import Alert, App, Change, Incident, Metric, Series
from store.records import AppEnv
from tests.benchmarks.measuring import Goal, Report, options

VERSIONS, SERIES, SAMPLES = 1_000, 50, 420
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALERTING = AppEnv("app-0", "prod")
GOAL_MS = 50.0
METRICS = (Metric.ERRORS, Metric.LATENCY, Metric.LOAD)


def an_incident() -> Incident:
    """An alert on an app with 200 versions, among apps that call one another."""
    apps = [f"app-{n}" for n in range(SERIES // len(METRICS) + 1)]
    each = VERSIONS // 5
    changes = [
        Change(AppEnv(apps[n % 5], "prod"), n // 5 + 1, NOON - (VERSIONS - n) * 3 * MINUTE, str(n))
        for n in range(VERSIONS)
    ]
    assert len([c for c in changes if c.where == ALERTING]) == each
    return Incident(
        alert=Alert(ALERTING, "HighErrorRate", NOON),
        decided_at=NOON + timedelta(seconds=30),
        apps={a: App(a, tuple(apps[1:4]) if a == "app-0" else (), ("openai",)) for a in apps},
        changes=changes,
        series=dict(_measured(apps)),
    )


def _measured(apps: list[str]) -> list[tuple[AppEnv, list[Series]]]:
    dice = np.random.default_rng(1)
    found: list[tuple[AppEnv, list[Series]]] = []
    left = SERIES
    for app in apps:
        kinds = METRICS[:left]
        left -= len(kinds)
        found.append((AppEnv(app, "prod"), [_series(kind, app, dice) for kind in kinds]))
    return found


def _series(metric: Metric, app: str, dice: np.random.Generator) -> Series:
    usual = {Metric.ERRORS: 0.01, Metric.LATENCY: 2.0}.get(metric, 20.0)
    level = np.full(SAMPLES, usual)
    if app == ALERTING.app and metric is not Metric.LOAD:
        level[-7:] *= 20
    values = level * np.exp(0.2 * dice.standard_normal(SAMPLES))
    return Series(metric, NOON - SAMPLES * MINUTE, MINUTE, tuple(values.tolist()))


def timed(work: Callable[[], object], rounds: int) -> float:
    """The median milliseconds of *work*."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


async def stalls(incident: Incident, decisions: int) -> float:
    """The longest milliseconds for which the loop stood still while decisions were made."""
    longest, done = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        while not done.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, (time.perf_counter() - began) * 1000 - 1)

    watching = asyncio.create_task(watch())
    for _ in range(decisions):
        await asyncio.to_thread(decide, incident)
    done.set()
    await watching
    return longest


def main() -> None:
    quick, as_json = options(sys.argv[1:])
    report = Report("candidate", quick)
    rounds = 15 if quick else 60
    incident = an_incident()
    mine = [np.asarray(s.values) for s in incident.series[ALERTING] if s.metric is not Metric.LOAD]
    every = [np.asarray(s.values) for found in incident.series.values() for s in found]
    decide(incident)  # what is imported late
    ours = timed(lambda: decide(incident), rounds)
    peer = timed(
        lambda: [ruptures.Pelt("l2", min_size=2, jump=1).fit(y).predict(pen=1.0) for y in mine],
        max(rounds // 5, 3),
    )
    limit = timed(lambda: [np.median(y) for y in every], rounds)
    stalled = asyncio.run(stalls(incident, 3 if quick else 20))
    report.measured |= {
        "versions": VERSIONS,
        "series": SERIES,
        "milliseconds": {
            "decision": round(ours, 2),
            "ruptures, change points of the alerting app alone": round(peer, 2),
            "one median of every series": round(limit, 2),
            "loop stood still": round(stalled, 2),
        },
    }
    report.goals += [
        Goal("decision in 50 ms", ours / GOAL_MS, 1.0),
        Goal("decision against ruptures on two series", ours / peer, 1.0),
        Goal("loop stands still for 50 ms at most", stalled / GOAL_MS, 1.0),
    ]
    report.finish(as_json=as_json)


if __name__ == "__main__":
    main()
