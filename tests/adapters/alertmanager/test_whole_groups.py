"""Alertmanager is asked for a whole group, and its answer read as a webhook is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.adapters.alertmanager import wire
from bot.adapters.alertmanager.client import Alertmanager
from bot.domain.naming import LabelMap
from bot.errors import AnswerUnreadable, UpstreamDown, UpstreamRefused
from store.records import AppEnv, FiringStatus, Truncated
from tests.adapters.alertmanager.bodies import recorded

KNOWN = {AppEnv("checkout-bot", "prod")}
# as Alertmanager 0.25 listed what its webhook 000 had told
LISTED: dict[str, Any] = {
    "annotations": {"summary": "Error ratio 22% for checkout-bot/checkout in prod"},
    "endsAt": "2026-11-23T22:53:22.338Z",
    "fingerprint": "bc4c32b603cb6e1b",
    "receivers": [{"name": "per-alert"}, {"name": "max2"}],
    "startsAt": "2026-11-23T22:53:08.338Z",
    "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
    "updatedAt": "2026-11-23T22:53:14.340Z",
    "generatorURL": "http://vm:53587/graph?g0.expr=app_error_ratio+%3E+0.05&g0.tab=1",
    "labels": {"alertname": "HighErrorRate", "app": "checkout-bot", "env": "prod"},
}


class Api:
    """Answers `GET /api/v2/alerts` as it is told, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, str]]] = []
        self.answer = web.Response(text=json.dumps([LISTED]), content_type="application/json")

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(list(request.query.items()))
        return self.answer


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def client(api: Api) -> AsyncIterator[Alertmanager]:
    application = web.Application()
    application.router.add_get("/am/api/v2/alerts", api.handle)
    async with TestServer(application) as server:
        asking = Alertmanager(str(server.make_url("/am")), labels=LabelMap(), known=KNOWN)
        yield asking
        await asking.close()


def a_group(**labels: str) -> Truncated:
    return Truncated("alertmanager", "{}:{}", "max2", labels, asked=1, attempts=1)


async def test_all_that_fires_in_the_group_comes_as_a_webhook_would_have_told_it(
    client: Alertmanager,
) -> None:
    delivery = await client.whole(a_group(alertname="HighErrorRate"))

    (firing,) = delivery.firings
    assert (firing.where, firing.status) == (AppEnv("checkout-bot", "prod"), FiringStatus.FIRING)
    assert firing.starts_at == datetime(2026, 11, 23, 22, 53, 8, 338000, tzinfo=UTC)
    assert firing.ends_at is None, "what fires has no end, though the API names one"
    (told,) = wire.parse(recorded(0), labels=LabelMap(), known=KNOWN).firings
    assert (told.source, told.fingerprint) == (firing.source, firing.fingerprint)
    assert told.starts_at == firing.starts_at, "so that both are one firing"


async def test_it_asks_for_what_fires_in_this_group_of_this_receiver_alone(
    client: Alertmanager, api: Api
) -> None:
    await client.whole(a_group(app="客服-bot", odd='a "quoted" \\ and\nbroken one'))

    (asked,) = api.asked
    assert ("active", "true") in asked
    assert {("silenced", "false"), ("inhibited", "false"), ("receiver", "max2")} <= set(asked)
    assert [value for name, value in asked if name == "filter"] == [
        'app="客服-bot"',
        r'odd="a \"quoted\" \\ and\nbroken one"',
    ]


@pytest.mark.parametrize("status", [500, 503])
async def test_one_that_cannot_answer_now_is_down(
    client: Alertmanager, api: Api, status: int
) -> None:
    api.answer = web.Response(status=status)

    with pytest.raises(UpstreamDown):
        await client.whole(a_group())


async def test_one_that_is_not_there_is_down() -> None:
    client = Alertmanager("http://127.0.0.1:9", labels=LabelMap(), known=KNOWN)

    with pytest.raises(UpstreamDown):
        await client.whole(a_group())
    await client.close()


async def test_a_question_that_it_does_not_take_is_refused(client: Alertmanager, api: Api) -> None:
    api.answer = web.Response(status=400, text='"bad matcher format"')

    with pytest.raises(UpstreamRefused):
        await client.whole(a_group())


@pytest.mark.parametrize("said", ["", "{}", "[1]", '[{"labels": 1}]', "[" * 5000])
async def test_an_answer_of_another_form_is_unreadable(
    client: Alertmanager, api: Api, said: str
) -> None:
    api.answer = web.Response(text=said)

    with pytest.raises(AnswerUnreadable):
        await client.whole(a_group())


async def test_an_answer_without_end_is_not_read_to_it(
    client: Alertmanager, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.adapters.alertmanager.client.MAX_ANSWER", 1000)
    api.answer = web.Response(text=" " * 100_000)

    async with asyncio.timeout(10):
        with pytest.raises(AnswerUnreadable):
            await client.whole(a_group())
