"""A look-back brings what it can when some, or all, of its questions get no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web

from bot.adapters.prometheus.client import Prometheus
from bot.adapters.prometheus.look_back import PrometheusLookBack
from bot.adapters.prometheus.questions import LOOKBACK, Questions, Templates
from bot.domain.naming import LabelMap
from bot.domain.verdict.incident import Metric
from bot.errors import UpstreamDown
from bot.playground.prometheus.server import LocalPrometheus, Samples
from bot.ports.evidence import LookBack, Measured
from store.records import AppEnv
from tests.builders import NOON, a_firing

MINUTE = timedelta(minutes=1)
HERE, THERE = AppEnv("triage", "prod"), AppEnv("search", "prod")
SINCE = NOON - timedelta(hours=1)
QUESTIONS = Questions(
    Templates(errors='errors{app="$app"}', latency='latency{app="$app"}', load='load{app="$app"}')
)
ALERT = a_firing(labels={"alertname": "High", "app": "triage", "env": "prod"})
RULE = {"type": "alerting", "name": "High", "query": "errors > 0.1", "duration": 120}


def a_series(name: str, where: AppEnv) -> Samples:
    at = {NOON.timestamp() - 60 * n: 0.5 for n in range(61)}
    return Samples({"__name__": name, "app": where.app, "env": where.env}, at)


@pytest.fixture
async def fake() -> AsyncIterator[LocalPrometheus]:
    series = [a_series(n, w) for n in ("errors", "latency", "load") for w in (HERE, THERE)]
    async with LocalPrometheus(series, [RULE]).here() as running:
        yield running


@pytest.fixture
async def server(fake: LocalPrometheus) -> AsyncIterator[Prometheus]:
    made = Prometheus(fake.url, timeout=timedelta(seconds=20))
    yield made
    await made.close()


def looking(server: Prometheus, patience: timedelta = timedelta(seconds=20)) -> PrometheusLookBack:
    return PrometheusLookBack(
        server, QUESTIONS, labels=LabelMap(), known=[HERE, THERE], patience=patience
    )


async def look(asking: LookBack) -> Measured:
    return await asking(ALERT, [HERE, THERE], since=SINCE, until=NOON)


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def busy(request: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


async def test_what_is_not_answered_in_time_is_missing_and_the_rest_is_there(
    fake: LocalPrometheus, server: Prometheus
) -> None:
    fake.fault, fake.faulty = never, "latency"

    measured = await look(looking(server, timedelta(seconds=5)))

    assert measured.missing == {
        HERE: "latency: Prometheus: no answer in time",
        THERE: "latency: Prometheus: no answer in time",
    }
    assert [s.metric for s in measured.series[THERE]] == [Metric.ERRORS, Metric.LOAD]
    assert measured.waited == timedelta(minutes=2)


async def test_the_alerting_place_is_said_to_miss_the_rule_and_the_alerts_before(
    fake: LocalPrometheus, server: Prometheus
) -> None:
    fake.fault, fake.faulty = busy, "rules"
    without_rule = await look(looking(server))
    fake.fault, fake.faulty = busy, "ALERTS"
    without_alerts = await look(looking(server))

    assert without_rule.missing == {HERE: "the alert's rule: Prometheus: HTTP 503"}
    assert without_alerts.missing == {HERE: "the alerts before: Prometheus: HTTP 503"}
    assert (without_rule.waited, without_alerts.alerts) == (None, ())
    assert len(without_rule.series[HERE]) == 3
    assert len(without_alerts.series[HERE]) == 4


async def test_a_rule_whose_series_cannot_be_read_still_tells_its_wait(
    fake: LocalPrometheus, server: Prometheus
) -> None:
    fake.fault, fake.faulty = busy, "env=~"

    measured = await look(looking(server))

    assert measured.waited == timedelta(minutes=2)
    assert measured.missing == {HERE: "the alert's rule: Prometheus: HTTP 503"}


async def test_it_is_down_only_when_nothing_at_all_can_be_read(
    fake: LocalPrometheus, server: Prometheus
) -> None:
    fake.fault, fake.faulty = busy, "query_range"
    assert (await look(looking(server))).waited == timedelta(minutes=2)

    fake.faulty = ""
    with pytest.raises(UpstreamDown, match=r"^Prometheus: HTTP 503$"):
        await look(looking(server))


async def test_nothing_is_asked_from_before_the_longest_look_back(
    fake: LocalPrometheus, server: Prometheus
) -> None:
    await looking(server)(ALERT, [HERE], since=NOON - timedelta(days=9), until=NOON)

    starts = {said["start"] for _, said, _ in fake.asked if "start" in said}
    assert starts == {f"{(NOON - LOOKBACK).timestamp():.0f}"}


async def test_a_look_back_that_is_given_up_asks_nothing_any_more(
    fake: LocalPrometheus, server: Prometheus
) -> None:
    came = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        came.set()
        return await never(request)

    fake.fault = wait
    before = asyncio.all_tasks()
    looking_back = asyncio.ensure_future(look(looking(server)))
    await asyncio.wait_for(came.wait(), 20)
    looking_back.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking_back

    left = {task for task in asyncio.all_tasks() - before if "PrometheusLookBack" in repr(task)}
    assert left == set()


async def test_what_many_places_would_be_asked_is_bounded_by_the_patience(
    fake: LocalPrometheus, server: Prometheus
) -> None:
    fake.fault = never
    places = [AppEnv(f"app-{n}", "prod") for n in range(300)]

    with pytest.raises(UpstreamDown, match="no answer in time"):
        await looking(server, timedelta(milliseconds=300))(ALERT, places, since=SINCE, until=NOON)


async def test_an_alert_without_a_name_has_no_rule_to_ask_for(
    fake: LocalPrometheus, server: Prometheus
) -> None:
    nameless = a_firing(labels={"app": "triage", "env": "prod"})

    measured = await looking(server)(nameless, [HERE], since=SINCE, until=NOON)

    assert measured.waited is None
    assert len(measured.series[HERE]) == 3
    assert not [path for path, *_ in fake.asked if path.endswith("rules")]


@pytest.mark.parametrize("query", ["load < 0.1", "latency + 1 > 1", "errors{} >= 0.1"])
async def test_of_a_rule_only_the_one_series_of_its_alert_is_measured(
    fake: LocalPrometheus, server: Prometheus, query: str
) -> None:
    """A share that is none, a query that is refused, and two series that fit alike."""
    twice = Samples({**a_series("errors", HERE).labels, "pod": "b"}, {NOON.timestamp(): 0.5})
    much = Samples({"__name__": "load", "app": "triage", "pod": "b"}, {NOON.timestamp(): 7.0})
    fake.samples = [a_series("errors", HERE), twice, much]
    fake.rules = [{**RULE, "query": query}]

    measured = await look(looking(server))

    assert measured.waited == timedelta(minutes=2)
    assert Metric.ERRORS not in {s.metric for s in measured.series.get(HERE, ())}
