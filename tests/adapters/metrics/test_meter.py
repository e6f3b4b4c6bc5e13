"""What a process counts of itself: doors, calls, alerts, by labels that nobody outside picks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.adapters.metrics.meter import Meter
from bot.web import Readiness, build
from store.records import Delivery, Unavailable
from tests.builders import a_firing

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def meter() -> Meter:
    return Meter(version="1.2.3", role="all")


@pytest.fixture
async def client(meter: Meter) -> AsyncIterator[Client]:
    async def lost(_: web.Request) -> web.Response:
        raise Unavailable("gone")

    async def page(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    async def ready() -> Readiness:
        return Readiness()

    routes = [web.get("/lost", lost), web.get("/pages/{status}", page)]
    application = build(routes=routes, ready=ready, around=[meter.middleware])
    async with TestClient(TestServer(application)) as client:
        yield client


def counted(meter: Meter, method: str, door: str, status: str) -> float | None:
    labels = {"method": method, "door": door, "status": status}
    return meter.registry.get_sample_value("keyturn_http_request_seconds_count", labels)


async def test_a_request_is_counted_by_the_door_and_never_by_its_path(
    client: Client, meter: Meter
) -> None:
    await client.get("/pages/200")
    await client.get("/pages/404")

    assert counted(meter, "GET", "/pages/{status}", "200") == 1
    assert counted(meter, "GET", "/pages/{status}", "404") == 1


async def test_what_was_raised_is_counted_with_the_status_that_it_became(
    client: Client, meter: Meter
) -> None:
    await client.get("/lost")

    assert counted(meter, "GET", "/lost", "503") == 1


async def test_paths_and_methods_of_strangers_are_one_label(client: Client, meter: Meter) -> None:
    for n, method in enumerate(("PURGE", "MKCOL", "COPY")):
        await client.get(f"/wp-admin/{n}")
        await client.request(method, "/lost")

    assert counted(meter, "GET", "other", "404") == 3
    assert counted(meter, "other", "other", "405") == 3


async def test_calls_to_others_are_counted_by_how_they_ended(client: Client, meter: Meter) -> None:
    async with aiohttp.ClientSession(trace_configs=[meter.trace("dify.prod")]) as http:
        for status in (200, 204, 404, 429, 500):
            async with http.get(client.make_url(f"/pages/{status}")):
                pass
        with pytest.raises(aiohttp.ClientError):
            await http.get("http://127.0.0.1:1/")

    outcomes = {"2xx": 2, "4xx": 1, "limited": 1, "5xx": 1, "failed": 1}
    for outcome, count in outcomes.items():
        labels = {"system": "dify.prod", "method": "GET", "outcome": outcome}
        name = "keyturn_outside_call_seconds_count"
        assert meter.registry.get_sample_value(name, labels) == count, outcome


async def test_alerts_are_counted_once_they_are_stored(meter: Meter) -> None:
    kept: list[Delivery] = []
    full = False

    async def take_in(delivery: Delivery) -> None:
        if full:
            raise Unavailable("disk full")
        kept.append(delivery)

    received = meter.received(take_in)
    delivery = Delivery("alertmanager", "keyturn", "g", "d", 0, (a_firing(), a_firing(where=None)))
    await received(delivery)
    full = True
    with pytest.raises(Unavailable):
        await received(delivery)

    labels = {"source": "alertmanager", "status": "firing"}
    assert meter.registry.get_sample_value("keyturn_alerts_received_total", labels) == 2
    of_nobody = {"source": "alertmanager"}
    assert meter.registry.get_sample_value("keyturn_alerts_unknown_total", of_nobody) == 1
