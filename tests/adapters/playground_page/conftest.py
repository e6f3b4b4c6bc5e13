"""The page with a local Slack and Dify behind it, and an app that only answers 200."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientSession, web

from bot.playground.dify import server as dify_server
from bot.playground.dify.server import RunningDify
from bot.playground.page.server import RunningPage, Story, serve_page
from bot.playground.slack import server as slack_server
from bot.playground.slack.server import RunningSlack
from bot.playground.story import seed


@dataclass
class Stage:
    """Everything around the page; `happened` names the story's buttons that were pressed."""

    slack: RunningSlack
    dify: RunningDify
    page: RunningPage
    session: ClientSession
    happened: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)

    async def post(self, path: str, **said: object) -> tuple[bool, str]:
        async with self.session.post(f"{self.page.url}{path}", json=said) as answer:
            body = await answer.json()
            return body["ok"], body["text"]

    async def fragment(self, name: str, *, reader: str = "") -> str:
        url = f"{self.page.url}fragments"
        async with self.session.get(url, params={"as": reader}) as answer:
            return str((await answer.json())[name])


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    slack = await slack_server.start(signing_secret="s", bot_token="t")
    dify = await dify_server.start()
    seed.seed(dify.state, password="p", secret="s")
    happened: list[str] = []
    forms: list[dict[str, str]] = []

    async def publish_bad() -> None:
        seed.publish_bad(dify.state)
        happened.append("publish_bad")

    async def fire() -> None:
        happened.append("fire")

    async def receive(request: web.Request) -> web.Response:
        forms.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response()

    app = web.Application()
    app.router.add_post("/slack/events", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.driver.events_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    page = await serve_page(slack=slack, dify=dify, story=Story(publish_bad, fire))
    async with ClientSession() as session:
        yield Stage(slack, dify, page, session, happened, forms)
    await page.stop()
    await slack.stop()
    await dify.stop()
    await runner.cleanup()
