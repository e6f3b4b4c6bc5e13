"""Our door with Bolt behind it and the local Slack before it; only the database is a fake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import ClientSession, ClientTimeout
from aiohttp.test_utils import TestServer

from bot import web
from bot.adapters.slack.admission import Admission
from bot.adapters.slack.client import SlackMessenger
from bot.adapters.slack.directory import SlackDirectory
from bot.adapters.slack.door import routes
from bot.adapters.slack.listeners import build_app
from bot.playground.slack import server
from bot.playground.slack.people import ALICE, TEAM
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.state import SlackState
from store.records import AppEnv, NewInboxItem
from tests.adapters.slack.sent import OLD_SECRET, SECRET
from tests.builders import NOON

TOKEN = "xoxb-for-tests"
MANIFEST = Path(__file__).parents[3] / "deploy" / "slack-manifest.yaml"


class FakeInbox:
    """One row per digest, as in the store; `fault` is raised instead, `gate` holds it up.

    `waiting` is set when somebody stands before the gate.
    """

    def __init__(self) -> None:
        self.rows: dict[str, NewInboxItem] = {}
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()
        self._more = asyncio.Condition()

    async def holds(self, number: int) -> None:
        """Wait until so many rows are here."""
        async with asyncio.timeout(10), self._more:
            await self._more.wait_for(lambda: len(self.rows) >= number)

    async def put(self, item: NewInboxItem) -> bool:
        self.waiting.set()
        await self.gate.wait()
        if self.fault:
            raise self.fault
        new = item.digest not in self.rows
        self.rows.setdefault(item.digest, item)
        async with self._more:
            self._more.notify_all()
        return new

    @property
    def only(self) -> NewInboxItem:
        (row,) = self.rows.values()
        return row


class FakeApps:
    """The apps that each person may choose among; `fault` is raised instead."""

    def __init__(self) -> None:
        self.of: dict[str, list[AppEnv]] = {}
        self.typed: list[str] = []
        self.fault: Exception | None = None

    async def __call__(self, slack_id: str, team_id: str, typed: str) -> list[AppEnv]:
        self.typed.append(typed)
        if self.fault:
            raise self.fault
        return [where for where in self.of.get(slack_id, []) if typed in str(where)]


async def no_apps(slack_id: str, team_id: str, typed: str) -> list[AppEnv]:
    """Nobody may choose anything."""
    return []


class OurTeam:
    """Which workspace is ours, as the directory tells the door."""

    def __init__(self) -> None:
        self.id = TEAM
        self.fault: Exception | None = None

    async def __call__(self) -> str:
        if self.fault:
            raise self.fault
        return self.id


@pytest.fixture
def manifest_scopes() -> set[str]:
    manifest = yaml.safe_load(MANIFEST.read_text())
    return set(manifest["oauth_config"]["scopes"]["bot"])


@pytest.fixture
async def slack(manifest_scopes: set[str]) -> AsyncIterator[RunningSlack]:
    """The local Slack at noon; our app is installed from the manifest."""
    state = SlackState(now=NOON.timestamp)
    state.scopes = set(manifest_scopes)
    running = await server.start(signing_secret=SECRET, bot_token=TOKEN, state=state)
    yield running
    await running.stop()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession(timeout=ClientTimeout(total=5)) as opened:
        yield opened


@pytest.fixture
def messenger(slack: RunningSlack, session: ClientSession) -> SlackMessenger:
    return SlackMessenger(token=TOKEN, base_url=slack.url, session=session)


@pytest.fixture
def directory(slack: RunningSlack, session: ClientSession) -> SlackDirectory:
    aliases = {ALICE: "alice"}
    return SlackDirectory(
        token=TOKEN, base_url=slack.url, session=session, team_id=TEAM, aliases=aliases
    )


@pytest.fixture
def inbox() -> FakeInbox:
    return FakeInbox()


@pytest.fixture
def apps() -> FakeApps:
    return FakeApps()


@pytest.fixture
def team() -> OurTeam:
    return OurTeam()


@pytest.fixture
def secrets() -> list[bytes]:
    """The signing secrets; a test may change them."""
    return [SECRET.encode(), OLD_SECRET.encode()]


@pytest.fixture
async def door(
    slack: RunningSlack,
    messenger: SlackMessenger,
    inbox: FakeInbox,
    team: OurTeam,
    secrets: list[bytes],
    apps: FakeApps,
) -> AsyncIterator[TestServer]:
    """The service's HTTP side, as far as Slack sees it."""

    async def ready() -> web.Readiness:
        return web.Readiness()

    bolt = build_app(put=inbox.put, forms=messenger, apps=apps)
    admit = Admission(bolt, team=team)
    mounted = routes(admit, signing_secrets=secrets, clock=lambda: NOON)
    running = TestServer(web.build(routes=mounted, ready=ready))
    await running.start_server()
    slack.driver.events_url = str(running.make_url("/slack/events"))
    yield running
    await running.close()
