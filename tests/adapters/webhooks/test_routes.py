"""The doors of other senders: their own token, stored before 202, and never a 500."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from bot import web
from bot.adapters.alertmanager import grafana
from bot.adapters.alertmanager.routes import routes as alertmanager_routes
from bot.adapters.webhooks.form import MAX_BYTES
from bot.adapters.webhooks.routes import Sender, routes
from bot.domain.naming import LabelMap
from store.records import Delivery, FiringStatus, Unavailable
from tests.adapters.webhooks.test_form import FORM, an_alert
from tests.builders import PROD

# https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
GRAFANA = {
    "receiver": "keyturn",
    "status": "firing",
    "orgId": 1,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "Wrong answers", "app": PROD.app, "env": "prod"},
            "annotations": {"summary": "Too many wrong answers"},
            "startsAt": "2026-11-24T09:51:03.157076+02:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://grafana.example.com/alerting/1afz29v7z/edit",
            "fingerprint": "c6eadffa33fcdf37",
            "silenceURL": "https://grafana.example.com/alerting/silence/new",
            "dashboardURL": "",
            "panelURL": "",
            "values": {"B": 44.23943737541908, "C": 1},
        }
    ],
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "https://grafana.example.com/",
    "version": "1",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
    "title": "[FIRING:1]  (prod)",
    "state": "alerting",
    "message": "**Firing**",
}


class Door:
    """The service's door with a mapped sender and Grafana's; `fault` is raised when storing."""

    def __init__(self, client: TestClient) -> None:  # type: ignore[type-arg]
        self.client = client
        self.stored: list[Delivery] = []
        self.fault: Exception | None = None

    async def take_in(self, delivery: Delivery) -> None:
        if self.fault is not None:
            raise self.fault
        self.stored.append(delivery)

    async def post(
        self, body: object, name: str = "pager", token: str = "its-own"
    ) -> ClientResponse:
        data = io.BytesIO(body if isinstance(body, bytes) else orjson.dumps(body))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.post(f"/webhooks/{name}", data=data, headers=headers)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async def ready() -> web.Readiness:
        return web.Readiness()

    async def take_in(delivery: Delivery) -> None:
        await made.take_in(delivery)

    known, labels = {PROD}, LabelMap()
    there = [
        *alertmanager_routes(
            tokens=["shared"],
            labels=labels,
            known=known,
            take_in=take_in,
            path=grafana.PATH,
            source=grafana.SOURCE,
            version=grafana.VERSION,
        ),
        *routes([Sender(FORM, ["its-own"])], labels=labels, known=known, take_in=take_in),
    ]
    async with TestClient(TestServer(web.build(routes=there, ready=ready))) as client:
        made = Door(client)
        yield made


async def test_a_mapped_body_is_stored_and_then_accepted(door: Door) -> None:
    answer = await door.post(an_alert())

    assert answer.status == 202
    (delivery,) = door.stored
    assert (delivery.source, delivery.firings[0].where) == ("pager", PROD)


@pytest.mark.parametrize("token", ["", "shared", "its-ow"])
async def test_only_the_senders_own_token_opens_its_door(door: Door, token: str) -> None:
    answer = await door.post(an_alert(), token=token)

    assert answer.status == 401
    assert door.stored == []


async def test_a_sender_that_is_not_mapped_has_no_door(door: Door) -> None:
    assert (await door.post(an_alert(), name="stranger")).status == 404


async def test_what_is_not_understood_is_refused_by_its_place(door: Door) -> None:
    answer = await door.post(an_alert(since="soon"))

    assert answer.status == 400
    assert "starts_at (/since) is not a time" in await answer.text()


async def test_what_could_not_be_stored_is_to_be_sent_again(door: Door) -> None:
    door.fault = Unavailable("gone")

    assert (await door.post(an_alert())).status == 503


async def test_what_is_too_large_is_refused(door: Door) -> None:
    assert (await door.post(b"x" * (MAX_BYTES + 1))).status == 413


async def test_grafana_is_understood_at_its_own_door(door: Door) -> None:
    answer = await door.post(GRAFANA, name="grafana", token="shared")

    assert answer.status == 202
    (delivery,) = door.stored
    (firing,) = delivery.firings
    assert (firing.source, firing.where, firing.status) == ("grafana", PROD, FiringStatus.FIRING)
    assert firing.fingerprint == "c6eadffa33fcdf37"


async def test_alertmanagers_own_bodies_are_not_grafanas(door: Door) -> None:
    answer = await door.post({**GRAFANA, "version": "4"}, name="grafana", token="shared")

    assert answer.status == 400
