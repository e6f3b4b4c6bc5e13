"""An anchor is posted signed, and posted again unless it was plainly taken."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from bot.adapters.anchors import client
from bot.adapters.anchors.client import AnchorHook
from bot.adapters.anchors.wire import secret
from bot.errors import UpstreamDown
from bot.ports.world import AnchorKeeper
from store.records import AuditAnchor
from tests.builders import NOON

ANCHOR = AuditAnchor(57, "ab" * 32, "2026-11-24T12:00:00.000000Z")
KEYS = (b"n" * 32, b"o" * 32)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """An address that keeps what it gets, and answers as it is told."""

    answer: Answer
    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.got.append((dict(request.headers), await request.read()))
        return await self.answer(request)


@asynccontextmanager
async def receiving(answer: Answer) -> AsyncIterator[tuple[Receiver, AnchorHook]]:
    receiver = Receiver(answer)
    application = web.Application()
    application.router.add_post("/anchors", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0][:2]
    receiver.url = f"http://127.0.0.1:{port}/anchors"
    keeper = hook(receiver.url)
    try:
        yield receiver, keeper
    finally:
        await keeper.close()
        await runner.cleanup()


def hook(url: str) -> AnchorHook:
    return AnchorHook(url, keys=KEYS, clock=lambda: NOON)


def answering(status: int, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    return answer


async def cut_off(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    await asyncio.sleep(0)
    return web.Response()


def test_it_is_a_keeper_of_anchors() -> None:
    keeper: type[AnchorKeeper] = AnchorHook
    assert keeper


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_what_was_taken_is_done(status: int) -> None:
    async with receiving(answering(status)) as (receiver, keeper):
        await keeper.publish(ANCHOR)

    ((_, body),) = receiver.got
    assert json.loads(body) == {"sequence": 57, "hash": "ab" * 32, "at": ANCHOR.at}


async def test_a_receiver_checks_it_with_the_secret_that_it_was_told() -> None:
    async with receiving(answering(204)) as (receiver, keeper):
        await keeper.publish(ANCHOR)

    ((headers, body),) = receiver.got
    lower = {name.lower(): value for name, value in headers.items()}
    name, moment = lower["webhook-id"], lower["webhook-timestamp"]
    signed = f"{name}.{moment}.".encode() + body
    told = [base64.b64decode(secret(key).removeprefix("whsec_")) for key in KEYS]
    right = [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for key in told
    ]
    assert (name, moment) == ("anchor_57", str(int(NOON.timestamp())))
    assert lower["webhook-signature"].split() == right, "by each key, while they rotate"
    assert lower["content-type"] == "application/json"


@pytest.mark.parametrize(
    "answer",
    [
        *(answering(status) for status in (400, 401, 404, 409, 410, 429, 500, 503)),
        answering(302, Location="http://127.0.0.1:9/elsewhere"),
        answering(307, Location="/anchors"),
        cut_off,
    ],
)
async def test_whatever_else_is_answered_it_has_to_be_posted_again(answer: Answer) -> None:
    async with receiving(answer) as (receiver, keeper):
        with pytest.raises(UpstreamDown):
            await keeper.publish(ANCHOR)

    assert len(receiver.got) == 1, "nobody is followed elsewhere"


async def test_who_does_not_answer_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = asyncio.Event()

    async def late(_: web.Request) -> web.StreamResponse:
        await given_up.wait()
        return web.Response()

    monkeypatch.setattr(client, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    async with receiving(late) as (_, keeper):
        with pytest.raises(UpstreamDown):
            await keeper.publish(ANCHOR)
        given_up.set()


async def test_nobody_there_is_down_and_says_no_secret() -> None:
    keeper = hook("http://127.0.0.1:9/anchors?token=geheim")
    with pytest.raises(UpstreamDown) as told:
        await keeper.publish(ANCHOR)
    await keeper.close()

    assert "geheim" not in str(told.value)
