"""A running local Slack, the real client library on it, and an app that only listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientSession, web
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack import server
from bot.playground.slack.server import RunningSlack

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TOKEN = "xoxb-playground-1"


@pytest.fixture
async def slack() -> AsyncIterator[RunningSlack]:
    running = await server.start(signing_secret=SECRET, bot_token=TOKEN)
    yield running
    await running.stop()


@pytest.fixture
async def client(slack: RunningSlack) -> AsyncIterator[AsyncWebClient]:
    async with ClientSession() as session:
        yield AsyncWebClient(token=TOKEN, base_url=slack.url, session=session, retry_handlers=[])


@dataclass
class Received:
    body: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class Listening:
    """The app's side of `/slack/events`: keeps what came, answers what it is told to."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    status: int = 200
    answer: str = ""


@pytest.fixture
async def app(slack: RunningSlack) -> AsyncIterator[Listening]:
    listening = Listening()

    async def receive(request: web.Request) -> web.Response:
        body = await request.text()
        form = {name: str(value) for name, value in (await request.post()).items()}
        listening.received.append(Received(body, dict(request.headers), form))
        return web.Response(status=listening.status, text=listening.answer)

    application = web.Application()
    application.router.add_post("/slack/events", receive)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listening.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    slack.driver.events_url = listening.url
    yield listening
    await runner.cleanup()
