"""Events by HTTP: signed, never redirected, and what an answer means."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.eventhook.client import Webhook
from bot.adapters.eventhook.wire import LONGEST_WAIT_S, key_of
from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from tests.builders import NOON
from tests.unit.domain.test_cloudevent import an_announcement

DOCUMENT = (Path(__file__).parents[3] / "docs" / "events.md").read_text()
SECRET = "geheim-of-the-tests"
KEY = SECRET.encode()


def documented() -> Callable[[bytes, dict[str, str], bytes], bool]:
    """The check that the document gives to receivers."""
    found = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    check: Callable[[bytes, dict[str, str], bytes], bool] = names["is_ours"]
    return check


@dataclass
class Receiver:
    """Answers each request with the next of `answers`, 204 when there is none."""

    answers: list[web.Response] = field(default_factory=list)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    silent: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((request.method, headers, await request.read()))
        if self.silent:
            await asyncio.Event().wait()
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    @asynccontextmanager
    async def here(self) -> AsyncIterator[Receiver]:
        application = web.Application()
        application.router.add_route("*", "/{anywhere:.*}", self.answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().here() as running:
        yield running


@asynccontextmanager
async def webhook(url: str, *, key: bytes = KEY, timeout_s: float = 5.0) -> AsyncIterator[Webhook]:
    sink = Webhook(
        "events.hook",
        url=url,
        key=key,
        base="",
        timeout=timedelta(seconds=timeout_s),
        clock=lambda: NOON,
    )
    try:
        yield sink
    finally:
        await sink.close()


async def test_an_event_is_posted_signed_as_the_document_says(receiver: Receiver) -> None:
    sent = an_announcement()
    async with webhook(receiver.url) as sink:
        await sink.send([sent])

    ((method, headers, body),) = receiver.got
    assert method == "POST"
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["webhook-id"] == json.loads(body)["id"] == sent.id
    assert headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    is_ours = documented()
    assert is_ours(KEY, headers, body)
    assert not is_ours(b"another", headers, body)
    assert not is_ours(KEY, headers, body + b" ")
    assert not is_ours(KEY, {**headers, "webhook-timestamp": "1"}, body)
    assert SECRET not in str(receiver.got)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of https://www.standardwebhooks.com."""
    from bot.adapters.eventhook.wire import signature

    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    made = signature(body, event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", key=key, stamp="1614265330")
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_its_characters_or_the_bytes_behind_whsec() -> None:
    assert key_of("geheim") == b"geheim"
    assert key_of("whsec_" + base64.b64encode(b"\x00\xff").decode()) == b"\x00\xff"
    with pytest.raises(ValueError, match="base64"):
        key_of("whsec_no base64!")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_passes_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answers.append(web.Response(status=status))
    async with webhook(receiver.url) as sink:
        with pytest.raises(UpstreamDown, match=f"HTTP {status}") as caught:
            await sink.send([an_announcement()])
    assert not isinstance(caught.value, Throttled)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410, 413, 422])
async def test_what_is_refused_goes_nowhere_else(receiver: Receiver, status: int) -> None:
    answer = web.Response(status=status, headers={"Location": receiver.url + "/elsewhere"})
    receiver.answers.append(answer)
    async with webhook(receiver.url) as sink:
        with pytest.raises(UpstreamRefused, match=f"HTTP {status}"):
            await sink.send([an_announcement()])
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("said", "waits_s"),
    [
        ("7", 7.0),
        ("0", 1.0),
        ("Tue, 24 Nov 2026 12:02:00 GMT", 120.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 1.0),
        ("999999999", LONGEST_WAIT_S),
    ],
)
async def test_who_asks_to_wait_is_waited_for(
    receiver: Receiver, said: str, waits_s: float
) -> None:
    receiver.answers.append(web.Response(status=503, headers={"Retry-After": said}))
    async with webhook(receiver.url) as sink:
        with pytest.raises(Throttled) as caught:
            await sink.send([an_announcement()])
    assert caught.value.retry_after_s == waits_s


async def test_a_wait_without_sense_is_none(receiver: Receiver) -> None:
    receiver.answers.append(web.Response(status=503, headers={"Retry-After": "soon, maybe"}))
    async with webhook(receiver.url) as sink:
        with pytest.raises(UpstreamDown) as caught:
            await sink.send([an_announcement()])
    assert not isinstance(caught.value, Throttled)


async def test_nobody_is_waited_for_longer_than_said(receiver: Receiver) -> None:
    receiver.silent = True
    async with webhook(receiver.url, timeout_s=0.2) as sink:
        with pytest.raises(UpstreamDown, match="no answer in time"):
            await sink.send([an_announcement()])


async def test_where_nobody_listens_is_said_without_an_address() -> None:
    async with webhook("http://127.0.0.1:9/events?") as sink:
        with pytest.raises(UpstreamDown, match="nothing listens there"):
            await sink.send([an_announcement()])


async def test_to_greet_sends_no_event(receiver: Receiver) -> None:
    receiver.answers += [web.Response(status=405), web.Response(status=503)]
    async with webhook(receiver.url) as sink:
        await sink.greet()
        with pytest.raises(UpstreamDown):
            await sink.greet()

    assert [(method, body) for method, _, body in receiver.got] == [("HEAD", b"")] * 2
