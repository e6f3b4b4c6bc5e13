"""What becomes of a question when Prometheus is ill, and what never leaves us."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import aiohttp
import pytest
from aiohttp import web

from bot.adapters.prometheus import client, inspection
from bot.adapters.prometheus.client import AT_ONCE, OFF_LOOP_BYTES, Prometheus, basic, bearer
from bot.adapters.prometheus.wire import Window
from bot.errors import AnswerUnreadable, TokenRefused, UpstreamDown, UpstreamRefused
from bot.playground.prometheus.server import Fault, LocalPrometheus, Samples
from tests.adapters.prometheus.recordings import body, recorded
from tests.builders import NOON

MINUTE = timedelta(minutes=1)
FIVE = Window(NOON, MINUTE, 5)
UP = Samples({"__name__": "up"}, {NOON.timestamp() + 60 * n: 1.0 for n in range(5)})
QUICK = timedelta(milliseconds=200)
TOKEN = "geheim-geheim"


@pytest.fixture
async def fake() -> AsyncIterator[LocalPrometheus]:
    async with LocalPrometheus([UP]).here() as running:
        yield running


@asynccontextmanager
async def asked(
    fake: LocalPrometheus, *, patience: timedelta = timedelta(seconds=20), authorization: str = ""
) -> AsyncIterator[Prometheus]:
    server = Prometheus(fake.url + "/", timeout=patience, authorization=authorization)
    try:
        yield server
    finally:
        await server.close()


def answering(status: int, content: bytes = b"", **headers: str) -> Fault:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=content, headers=headers)

    return answer


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"status": "success", "data": {')
    assert request.transport is not None
    request.transport.close()
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 2**16)


# -- What is asked ------------------------------------------------------------------------------


async def test_a_question_names_its_window_and_how_long_it_is_waited_for(
    fake: LocalPrometheus,
) -> None:
    async with asked(fake, patience=timedelta(seconds=2.5)) as server:
        (track,) = await server.range("up", FIVE)

    assert track.values == (1.0,) * 5
    began = int(NOON.timestamp())
    said = {"query": "up", "start": f"{began}", "end": f"{began + 240}", "step": "60"}
    assert fake.asked == [("/api/v1/query_range", {**said, "timeout": "2.5s"}, "")]


async def test_rules_are_asked_for_by_their_name(fake: LocalPrometheus) -> None:
    fake.rules = [{"type": "alerting", "name": "A&b=", "query": "a > 1", "duration": 60}]

    async with asked(fake) as server:
        (rule,) = await server.rules("A&b=")

    assert rule.waits == MINUTE
    assert fake.asked == [("/api/v1/rules", {"type": "alert", "rule_name[]": "A&b="}, "")]


async def test_only_a_few_questions_are_under_way_at_once(fake: LocalPrometheus) -> None:
    under_way: list[int] = []
    full, go_on = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        under_way.append(1)
        if len(under_way) == AT_ONCE:
            full.set()
        await go_on.wait()
        return web.Response(body=body("query_range_empty"))

    fake.fault = wait
    async with asked(fake) as server:
        answers = asyncio.gather(*(server.range("up", FIVE) for _ in range(3 * AT_ONCE)))
        await asyncio.wait_for(full.wait(), 20)
        assert len(fake.asked) == AT_ONCE
        go_on.set()
        assert await answers == [[]] * (3 * AT_ONCE)


async def test_a_large_answer_is_read_like_a_small_one(fake: LocalPrometheus) -> None:
    fake.samples = [
        Samples({**UP.labels, "instance": f"{n}" * 20}, UP.values)
        for n in range(OFF_LOOP_BYTES // 100)
    ]

    async with asked(fake) as server:
        tracks = await server.range("up", FIVE)

    assert len(tracks) == len(fake.samples)


# -- Illness ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (answering(503, b"busy"), "HTTP 503"),
        (answering(503, b'{"status":"error","errorType":"timeout","error":"x"}'), "timeout: x"),
        (answering(500), "HTTP 500"),
        (answering(429), "HTTP 429"),
        (cut_off, "broke off"),
    ],
)
async def test_what_may_work_later_is_down(fake: LocalPrometheus, fault: Fault, told: str) -> None:
    fake.fault = fault
    async with asked(fake) as server:
        with pytest.raises(UpstreamDown, match=told) as caught:
            await server.range("up", FIVE)

    assert type(caught.value) is UpstreamDown


@pytest.mark.parametrize("fault", [never, endless])
async def test_a_slow_answer_is_none(
    fake: LocalPrometheus, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.fault = fault
    monkeypatch.setattr(client, "MAX_ANSWER", 2**60)
    async with asked(fake, patience=QUICK) as server:
        with pytest.raises(UpstreamDown, match="no answer in time"):
            await server.range("up", FIVE)


async def test_nobody_there_is_down() -> None:
    nobody = Prometheus("http://127.0.0.1:9")  # the discard port; nobody listens
    try:
        with pytest.raises(UpstreamDown, match="nothing listens there"):
            await nobody.rules("A")
    finally:
        await nobody.close()


@pytest.mark.parametrize(
    "name",
    [
        "query_range_bad_expr",
        "query_range_too_many_points",
        "query_range_end_before_start",
        "query_range_zero_step",
    ],
)
async def test_a_recorded_refusal_is_told_in_its_own_words(
    fake: LocalPrometheus, name: str
) -> None:
    exchange = recorded(name)
    fake.fault = answering(exchange["status"], body(name))
    async with asked(fake) as server:
        with pytest.raises(UpstreamRefused) as caught:
            await server.range("up", FIVE)

    assert caught.value.upstream_code == "bad_data"
    assert exchange["response"]["error"][:100] in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (answering(422, b'{"errorType": "execution", "error": "many-to-many"}'), "many-to-many"),
        (answering(200, b'{"status": "error", "errorType": "bad_data", "error": "x"}'), "data: x"),
        (answering(404, b"<html>"), "HTTP 404"),
        (answering(302, Location="http://127.0.0.1:9/"), "redirects are not followed"),
    ],
)
async def test_a_refusal_is_one_whatever_its_status(
    fake: LocalPrometheus, fault: Fault, told: str
) -> None:
    fake.fault = fault
    async with asked(fake) as server:
        with pytest.raises(UpstreamRefused, match=told):
            await server.range("up", FIVE)

    assert len(fake.asked) == 1


@pytest.mark.parametrize(
    "fault",
    [
        answering(200, b"<html>"),
        answering(200, body("query_range_empty")[:-9]),
        answering(200, b"[" * 100_000),
        answering(200),
        endless,
    ],
)
async def test_an_answer_of_another_form_or_size_cannot_be_read(
    fake: LocalPrometheus, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER", 2**20)
    fake.fault = fault
    async with asked(fake) as server:
        with pytest.raises(AnswerUnreadable):
            await server.range("up", FIVE)


# -- Secrets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [bearer(TOKEN), basic("keyturn", TOKEN)], ids=["bearer", "basic"])
async def test_the_secret_goes_into_its_header_and_nowhere_else(
    fake: LocalPrometheus, sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = json.dumps({"errorType": "unauthorized", "error": "no"}).encode()
    fake.fault = answering(401, said, **{"Set-Cookie": "a=b"})
    async with asked(fake, authorization=sent) as server:
        with pytest.raises(TokenRefused, match="HTTP 401 unauthorized: no") as caught:
            await server.range("up", FIVE)
        fake.fault = None
        await server.range("up", FIVE)

    assert [header for *_, header in fake.asked] == [sent, sent]
    secret = sent.partition(" ")[2]
    assert secret not in f"{caught.value!r} {server!r} {caplog.text}"


async def test_the_version_is_asked_with_the_secret_too(fake: LocalPrometheus) -> None:
    async with aiohttp.ClientSession() as http:
        version = partial(inspection.version, fake.url, http, authorization=bearer(TOKEN))
        assert await version() == "2.42.0"
        fake.fault = answering(403)
        with pytest.raises(TokenRefused):
            await version()

    assert {header for *_, header in fake.asked} == {f"Bearer {TOKEN}"}


async def test_the_version_of_a_recorded_answer_is_read(fake: LocalPrometheus) -> None:
    fake.fault = answering(200, body("buildinfo"))
    async with aiohttp.ClientSession() as http:
        assert (await inspection.version(fake.url, http)).startswith("2.42.0")
