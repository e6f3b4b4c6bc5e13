"""What is said to Alertmanager's API, and what its answers mean; see also the acceptance tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.adapters.alertmanager.client import Alertmanager
from bot.domain.announced import Announced
from bot.domain.matchers import Matcher
from bot.domain.naming import LabelMap
from bot.domain.silencing import Held
from bot.errors import AnswerUnreadable, BotError, TokenRefused, UpstreamDown, UpstreamRefused
from tests.builders import PROD

AT = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
LISTED = {
    "annotations": {},
    "startsAt": "2026-11-24T11:55:00.000Z",
    "endsAt": "2026-11-24T12:00:00.000Z",
    "updatedAt": "2026-11-24T11:56:00.000Z",
    "fingerprint": "c6eadffa33fcdf37",
    "receivers": [{"name": "keyturn"}],
    "status": {"inhibitedBy": [], "silencedBy": ["1"], "state": "suppressed"},
    "labels": {"alertname": "Wrong", "app": PROD.app, "env": PROD.env},
}


class Server:
    """Answers as it is told, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, str]] = []
        self.status = 200
        self.answer: Any = ""

    async def receive(self, request: web.Request) -> web.Response:
        said = await request.json() if request.can_read_body else request.query.getall("filter", [])
        token = request.headers.get("Authorization", "")
        self.asked.append((request.method, request.path, said, token))
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def there(server: Server) -> AsyncIterator[Alertmanager]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.receive)
    async with TestServer(application) as running:
        made = Alertmanager(
            str(running.make_url("")), labels=LabelMap(), known={PROD}, token="open-sesame"
        )
        yield made
        await made.close()


def an_alert() -> Announced:
    return Announced({"alertname": "X"}, {"summary": "Y"}, AT, AT + timedelta(minutes=15))


async def test_an_alert_is_told_in_a_list_with_whole_milliseconds(
    server: Server, there: Alertmanager
) -> None:
    await there.announce(an_alert())

    ((method, path, said, token),) = server.asked
    assert (method, path, token) == ("POST", "/api/v2/alerts", "Bearer open-sesame")
    assert said == [
        {
            "labels": {"alertname": "X"},
            "annotations": {"summary": "Y"},
            "startsAt": "2026-11-24T12:00:00.124Z",
            "endsAt": "2026-11-24T12:15:00.124Z",
        }
    ]


async def test_a_silence_is_made_with_its_matchers_and_gives_its_id(
    server: Server, there: Alertmanager
) -> None:
    server.answer = {"silenceID": "1"}
    matcher = Matcher("alertname", "X", equal=False)

    made = await there.silence([matcher], since=AT, until=AT + timedelta(hours=1), comment="why")

    assert made == "1"
    ((_, path, said, _),) = server.asked
    assert (path, said["createdBy"], said["comment"]) == ("/api/v2/silences", "keyturn", "why")
    assert said["matchers"] == [
        {"name": "alertname", "value": "X", "isRegex": False, "isEqual": False}
    ]


async def test_only_our_silences_that_are_in_force_are_seen(
    server: Server, there: Alertmanager
) -> None:
    def a_silence(key: str, by: str = "keyturn", state: str = "active") -> dict[str, Any]:
        ends = "2026-11-24T12:15:00.000Z"
        status = {"state": state}
        matchers = [
            {"name": "app", "value": "a|b", "isRegex": True, "isEqual": True},
            {"name": "alertname", "value": "X", "isRegex": False, "isEqual": False},
            {"name": "env", "value": "prod", "isRegex": False},  # before 0.22
        ]
        said = {"createdBy": by, "comment": "c", "endsAt": ends, "matchers": matchers}
        return {"id": key, "status": status, **said}

    server.answer = [a_silence("1"), a_silence("2", by="dave"), a_silence("3", state="expired")]

    matchers = [
        Matcher("app", "a|b", regex=True),
        Matcher("alertname", "X", equal=False),
        Matcher("env", "prod"),
    ]
    until = datetime(2026, 11, 24, 12, 15, tzinfo=UTC)
    assert await there.silences() == [Held("1", "c", until, frozenset(matchers))]
    server.asked.clear()
    await there.unsilence("3")
    assert [method for method, *_ in server.asked] == ["GET"], "it is over: nothing to end"


@pytest.mark.parametrize("matchers", [None, "app", ["app"]])
async def test_a_silence_whose_matchers_are_of_another_form_is_not_one_that_we_want(
    server: Server, there: Alertmanager, matchers: object
) -> None:
    ends, status = "2026-11-24T12:15:00.000Z", {"state": "active"}
    said = {"createdBy": "keyturn", "comment": "c", "endsAt": ends, "matchers": matchers}
    server.answer = [{"id": "1", "status": status, **said}]

    (held,) = await there.silences()

    assert held.matchers == frozenset()


async def test_what_fires_is_read_like_a_webhook(server: Server, there: Alertmanager) -> None:
    server.answer = [LISTED]

    (firing,) = await there.firing([Matcher("app", PROD.app), Matcher("env", "prod|", regex=True)])

    assert (firing.where, firing.fingerprint) == (PROD, "c6eadffa33fcdf37")
    assert firing.ends_at is None
    ((_, _, asked, _),) = server.asked
    assert asked == [f'app="{PROD.app}"', 'env=~"prod|"']


async def test_an_alert_that_cannot_be_read_is_not_taken_for_one_that_is_over(
    server: Server, there: Alertmanager
) -> None:
    server.answer = [LISTED, {**LISTED, "fingerprint": "no number"}]

    with pytest.raises(AnswerUnreadable):
        await there.firing([])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, UpstreamRefused),
        (401, TokenRefused),
        (404, UpstreamDown),
        (429, UpstreamDown),
        (500, UpstreamDown),
        (302, UpstreamRefused),
    ],
)
async def test_what_is_refused_for_good_is_told_from_what_may_work_later(
    server: Server, there: Alertmanager, status: int, error: type[BotError]
) -> None:
    server.status, server.answer = status, {"code": 601, "message": "bad matcher\x1b"}

    with pytest.raises(error) as refused:
        await there.announce(an_alert())

    assert type(refused.value) is error
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("answer", ["", {}, [], [1], {"uptime": "yesterday"}, None])
async def test_what_is_of_another_form_is_said(
    server: Server, there: Alertmanager, answer: object
) -> None:
    server.answer = answer

    with pytest.raises(AnswerUnreadable):
        await there.up_since()


async def test_nobody_there_is_down(there: Alertmanager) -> None:
    nowhere = Alertmanager("http://127.0.0.1:9", labels=LabelMap(), known=set())
    with pytest.raises(UpstreamDown):
        await nowhere.announce(an_alert())
    await nowhere.close()
