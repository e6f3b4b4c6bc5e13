"""The page with a local Slack and Dify behind it, and an app that only answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientSession, web

from bot.playground.dify import server as dify_server
from bot.playground.dify.server import RunningDify
from bot.playground.page.server import RunningPage, serve_page
from bot.playground.slack import server as slack_server
from bot.playground.slack.server import RunningSlack
from bot.playground.story import seed
from bot.playground.story.scene import Scene
from bot.playground.tales.bad_prompt import BAD_PROMPT
from bot.playground.tales.rejected import REJECTED
from bot.playground.tales.tale import Tale


@dataclass
class OneScene:
    """A theatre whose every story plays in the same scene; `begun` names those that did."""

    scene: Scene
    tale: Tale = BAD_PROMPT
    tales: Sequence[Tale] = (BAD_PROMPT, REJECTED)
    begun: list[str] = field(default_factory=list)

    async def begin(self, name: str) -> None:
        self.tale = next(tale for tale in self.tales if tale.name == name)
        self.begun.append(name)


@dataclass
class Stage:
    """Everything around the page; `alerts` are the webhook bodies that were sent."""

    slack: RunningSlack
    dify: RunningDify
    page: RunningPage
    session: ClientSession
    theatre: OneScene
    alerts: list[str] = field(default_factory=list)
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
    alerts: list[str] = []
    forms: list[dict[str, str]] = []

    async def receive(request: web.Request) -> web.Response:
        forms.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response()

    async def take(request: web.Request) -> web.Response:
        alerts.append(await request.text())
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/slack/events", receive)
    app.router.add_post("/alerts", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = f"http://127.0.0.1:{runner.addresses[0][1]}"
    slack.driver.events_url = f"{here}/slack/events"
    theatre = OneScene(Scene(slack, dify, f"{here}/alerts", "token"))
    page = await serve_page(theatre)
    async with ClientSession() as session:
        yield Stage(slack, dify, page, session, theatre, alerts, forms)
    await page.stop()
    await slack.stop()
    await dify.stop()
    await runner.cleanup()
