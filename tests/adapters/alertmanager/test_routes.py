"""Alertmanager's door: the right bearer, stored before 202, and never a 500 for what is sent."""

from __future__ import annotations

import asyncio
import gzip
import io
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from bot import bodies, web
from bot.adapters.alertmanager import routes
from bot.domain.naming import LabelMap
from store.records import AppEnv, Delivery, Unavailable
from tests.adapters.alertmanager.bodies import RECORDED, a_message, an_alert, as_body, recorded

BODY = as_body(a_message())
Post = Callable[..., Coroutine[Any, Any, ClientResponse]]


class Intake:
    """Stores what comes in; `fault` is raised instead, `gate` holds it up."""

    def __init__(self) -> None:
        self.stored: list[Delivery] = []
        self.fault: Exception | None = None
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, delivery: Delivery) -> None:
        self.entered.set()
        await self.gate.wait()
        if self.fault:
            raise self.fault
        self.stored.append(delivery)


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def tokens() -> list[str]:
    return ["new-token", "old-token"]


@pytest.fixture
async def post(intake: Intake, tokens: list[str]) -> AsyncIterator[Post]:
    async def ready() -> web.Readiness:
        return web.Readiness()

    door = routes.routes(
        tokens=tokens,
        labels=LabelMap(),
        known={AppEnv("support-triage", "prod")},
        take_in=intake,
    )
    application = web.build(routes=door, ready=ready)
    async with TestClient(TestServer(application)) as client:

        async def send(
            body: bytes | AsyncIterator[bytes] = BODY,
            authorization: str | None = "Bearer new-token",
            **headers: str,
        ) -> ClientResponse:
            sent = {**headers, **({"Authorization": authorization} if authorization else {})}
            return await client.post(
                routes.PATH,
                data=io.BytesIO(body) if isinstance(body, bytes) else body,
                headers=sent,
            )

        yield send


async def test_a_delivery_is_stored_and_then_accepted(post: Post, intake: Intake) -> None:
    answer = await post(recorded(5))

    assert answer.status == 202
    assert [delivery.receiver for delivery in intake.stored] == ["main"]


async def test_nothing_is_answered_before_it_is_stored(post: Post, intake: Intake) -> None:
    intake.gate.clear()
    answering = asyncio.create_task(post())
    await asyncio.wait_for(intake.entered.wait(), timeout=20)
    assert not answering.done()

    intake.gate.set()

    assert (await answering).status == 202
    assert len(intake.stored) == 1


async def test_every_recorded_body_is_accepted(post: Post, intake: Intake) -> None:
    for path in RECORDED:
        assert (await post(path.read_bytes())).status == 202

    assert len(intake.stored) == len(RECORDED)


async def test_each_of_several_tokens_opens_while_one_is_being_replaced(post: Post) -> None:
    assert (await post(authorization="Bearer old-token")).status == 202
    assert (await post(authorization="bearer new-token")).status == 202


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer new-token-and-more",
        "Bearer new-token old-token",
        "Bearer new-token,old-token",
        "Basic new-token",
        "new-token",
        "Bearer näw-token",
        "Bearer " + "x" * 5000,
    ],
)
async def test_every_wrong_credential_gets_the_same_401(
    post: Post, intake: Intake, authorization: str | None
) -> None:
    answer = await post(authorization=authorization)

    assert (answer.status, await answer.text()) == (401, "Unauthorised.\n")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert intake.stored == []


@pytest.mark.parametrize("tokens", [[]])
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", "Bearer None"])
async def test_without_a_token_the_door_stays_shut(post: Post, authorization: str | None) -> None:
    answer = await post(authorization=authorization)

    assert (answer.status, await answer.text()) == (401, "Unauthorised.\n")


async def test_credentials_are_judged_before_the_body(post: Post) -> None:
    assert (await post(b"no json", authorization="Bearer wrong")).status == 401


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[" * 100_000, as_body(a_message(version="3")), b"\xff"]
)
async def test_what_will_never_parse_is_a_400(post: Post, intake: Intake, body: bytes) -> None:
    assert (await post(body)).status == 400
    assert intake.stored == []


async def test_a_body_that_is_not_encoded_as_it_says_is_a_400(post: Post, intake: Intake) -> None:
    assert (await post(b"no gzip at all", **{"Content-Encoding": "gzip"})).status == 400
    assert intake.stored == []


async def test_too_many_bytes_are_a_413(post: Post) -> None:
    assert (await post(b" " * (16 * 1024 * 1024 + 1))).status == 413


async def test_too_many_alerts_are_a_413(post: Post) -> None:
    assert (await post(as_body(a_message(alerts=[{}] * 10_001)))).status == 413


async def test_a_small_body_that_unpacks_to_a_huge_one_is_a_413(post: Post) -> None:
    bomb = gzip.compress(b" " * 50_000_000)

    assert (await post(bomb, **{"Content-Encoding": "gzip"})).status == 413


async def test_ten_thousand_alerts_are_taken(post: Post, intake: Intake) -> None:
    alerts = [
        an_alert(fingerprint=f"{n:x}", labels={"app": "a"}, annotations=None, generatorURL=None)
        for n in range(10_000)
    ]

    assert (await post(as_body(a_message(alerts=alerts)))).status == 202
    assert len(intake.stored[0].firings) == 10_000


async def test_a_database_that_is_not_there_is_a_503_so_that_alertmanager_sends_again(
    post: Post, intake: Intake
) -> None:
    intake.fault = Unavailable("database is locked")

    answer = await post()

    assert answer.status == 503
    assert "locked" not in await answer.text()


async def test_a_sender_that_never_ends_its_body_is_let_go(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "WITHIN_S", 0.05)
    more = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await more.wait()

    answer = await post(endless())
    more.set()

    assert answer.status == 408


async def test_nothing_of_a_body_reaches_the_log(
    post: Post, intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    intake.fault = RuntimeError("hunter2")

    assert (await post(as_body(a_message(receiver="hunter2")))).status == 500
    assert (await post(as_body(a_message(version="hunter2")))).status == 400
    assert (await post(authorization="Bearer hunter2")).status == 401
    assert "hunter2" not in caplog.text
    assert not [record for record in caplog.records if "hunter2" in str(vars(record))]
