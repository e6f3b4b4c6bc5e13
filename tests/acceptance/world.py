"""The outside world of the acceptance tests, and the real service in it.

A local Slack and a local Dify with the story's app run in the test's own loop; the service runs
beside them, in this process (`World.here`) or as `keyturn serve` of its own (`World.serve`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Literal, TypeVar
from uuid import uuid4

from bot.app import Service, build
from bot.config.load import load
from bot.config.settings import Settings
from bot.domain.approval import MOVES
from bot.playground.dify.releases import NEWEST
from bot.playground.dify.server import RunningDify
from bot.playground.dify.server import start as start_dify
from bot.playground.dify.state import DifyState
from bot.playground.dify.workflows import Workflow
from bot.playground.slack import people
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.server import start as start_slack
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message
from bot.playground.story import seed
from bot.playground.story.alerts import Alert, send
from bot.playground.story.workflow import APP, Edition, environment
from store.audit import verify
from store.records import AppEnv, Missing, Rollback, Verification
from store.session import SqlStore, open_store
from tests.acceptance.process import Served

LOOPBACK = "127.0.0.1"
WHERE = AppEnv(APP, "prod")
VOTERS = (people.ALICE, people.BOB)
LIMIT_S = 60.0
LONG_LEASE, SHORT_LEASE = "20s", "2s"  # the short one where a process is killed
LOOK_AGAIN_S = 0.05
NOT_STORED = 503  # what the door says when the machine's disk is slow: send it again
T = TypeVar("T")
Transport = Literal["http", "socket"]

_CONFIG = """
[slack]
channel = "{channel}"
team = "{team}"
[dify.local]
url = "{dify}"
email = "{email}"
password_env = "DIFY_PASSWORD"
[app.{app}]
environments.prod = {{ target = "dify.local", id = "{app_id}" }}
[policy.prod]
votes = 2
reviewers = ["{reviewers}"]
requesters = ["{requesters}"]
[alerts]
for = "1m"
"""


@dataclass(frozen=True)
class Was:
    """What Dify held when the trouble began: hashes of graphs, and how much was published."""

    good: str
    bad: str
    unpublished: str
    versions: int


@dataclass
class World:
    """Slack, Dify, a database and people; `port` is the door of whichever service runs last."""

    slack: RunningSlack
    dify: RunningDify
    store: SqlStore
    database_url: str
    folder: Path
    config: Path
    secrets: dict[str, str]
    port: int = 0
    quiet: timedelta | None = None  # how long an alert stays resolved before that counts
    settled: Was | None = None
    alert: Alert | None = None
    _served: list[Served] = field(default_factory=list)

    # -- the service ----------------------------------------------------------------------------

    def environment(self, **more: str) -> dict[str, str]:
        """The environment variables of the service; *more* go on top."""
        return {
            **self.secrets,
            "DATABASE_URL": self.database_url,
            "KEYTURN_CONFIG": str(self.config),
            "KEYTURN_EXECUTION_LEASE": LONG_LEASE,
            "SLACK_API_URL": self.slack.url,
            **more,
        }

    @asynccontextmanager
    async def moved_to(self, url: str) -> AsyncIterator[None]:
        """Let services and commands use the database at *url* for a while."""
        store = await open_store(url, moves=MOVES)
        before = (self.database_url, self.store)
        self.database_url, self.store = url, store
        try:
            yield
        finally:
            await store.close()
            self.database_url, self.store = before

    def edit(self, **changes: str) -> None:
        """Replace in the configuration: each key's line, or `app` for all tables of apps."""
        text = self.config.read_text(encoding="utf-8")
        for key, line in changes.items():
            pattern = r"\[app\.[^\[]*" if key == "app" else rf"(?m)^{key} = .*$"
            text, found = re.subn(pattern, line.replace("\\", r"\\"), text, count=1)
            assert found, f"no {key} in the configuration"
        self.config.write_text(text, encoding="utf-8")

    def settings(self, **more: str) -> Settings:
        """The settings that the service reads from its environment and file."""
        found = load(self.environment(**more), serving=True)
        if self.quiet is None:
            return found
        return replace(found, alerts=replace(found.alerts, quiet=self.quiet))

    @asynccontextmanager
    async def here(self, **more: str) -> AsyncIterator[Service]:
        """Run the service in this process."""
        async with build(self.settings(**more), reread=lambda: self.settings(**more)) as service:
            door = await service.start(LOOPBACK, 0)
            self.open_door(door.port)
            try:
                await self.linked()
                yield service
            finally:
                await service.stop(door)

    async def serve(self, **more: str) -> Served:
        """Start `keyturn serve` as a process of its own; return when its door is open."""
        return await self._serve(more, forked=True)

    async def serve_cold(self, **more: str) -> Served:
        """The same from a new Python: what is preloaded by *more* is loaded."""
        return await self._serve(more, forked=False)

    async def _serve(self, more: Mapping[str, str], *, forked: bool) -> Served:
        taken_over_soon = {"KEYTURN_EXECUTION_LEASE": SHORT_LEASE, **more}
        given = {**_bare_environment(), **self.environment(**taken_over_soon)}
        served = await Served.start(given, cwd=self.folder, forked=forked)
        self._served.append(served)
        links = self.slack.state.sockets.opened
        self.open_door(await served.port(within=LIMIT_S))
        await self.linked(after=links)
        return served

    def open_door(self, port: int) -> None:
        """Let Slack and Alertmanager send to *port* from now on."""
        self.port = port
        self.slack.driver.events_url = f"http://{LOOPBACK}:{port}/slack/events"

    async def linked(self, *, after: int = 0) -> None:
        """Wait until Slack can send: over HTTP at once, by Socket Mode when there is a link.

        It must be a newer one than those that were opened by the time *after* was counted.
        """
        sockets = self.slack.state.sockets
        if sockets.enabled:
            await self.slack.state.until(
                lambda _: sockets.links and sockets.opened > after, within=LIMIT_S
            )

    async def kill_all(self) -> None:
        """End every process that was started here."""
        for served in self._served:
            await served.kill()

    # -- the story ------------------------------------------------------------------------------

    async def read_history(self) -> None:
        """Wait until the service has read what was published before the story begins."""
        await self.until(self._history_read)

    async def _history_read(self) -> bool:
        async with self.store.read() as tx:
            newest = await tx.versions.newest(WHERE)
        live = self.dify.state.live(APP)
        return newest is not None and live is not None and newest.external_id == live.id

    def break_it(self) -> Was:
        """Publish the bad version, and let an editor go on working in the draft."""
        state = self.dify.state
        good = self.live.hash
        seed.publish_bad(state)
        seed.leave_work_unpublished(state)
        self.settled = Was(good, self.live.hash, self.draft.hash, len(state.versions(APP)))
        return self.settled

    def set_secrets_unpublished(self) -> dict[str, str]:
        """Let the editor change the draft's secret and add one: names and values of both."""
        values = {"HELPDESK_API_KEY": secrets.token_hex(16), "CRM_TOKEN": secrets.token_hex(16)}
        helpdesk, region = environment(Edition(), secret=values["HELPDESK_API_KEY"])
        crm = {**helpdesk, "id": str(uuid4()), "name": "CRM_TOKEN", "value": values["CRM_TOKEN"]}
        self.dify.state.save_draft_as_editor(
            APP, environment_variables=[helpdesk, region, crm], by="carol"
        )
        return values

    async def fire(self, **labels: str) -> Alert:
        """Send the alert of the app's error rate, as Alertmanager would: until it is taken."""
        self.alert = Alert(APP, WHERE.env, starts_at=self.dify.state.clock(), labels=labels)
        while (status := await self.post(self.alert.body())) != 202:
            assert status == NOT_STORED, status
        return self.alert

    async def post(self, body: dict[str, object]) -> int:
        """Post a webhook body; return the HTTP status."""
        url = f"http://{LOOPBACK}:{self.port}/webhooks/alertmanager"
        return await send(body, url=url, token=self.secrets["KEYTURN_WEBHOOK_TOKEN"])

    async def card(self) -> Message:
        """Wait for the card that has buttons."""
        return (await self.slack.state.until(with_button, within=LIMIT_S))[0]

    async def approve(self, who: str) -> None:
        """Press Approve on the card, and again while Slack shows that it got no answer in time."""
        card = await self.card()
        while not (answer := await self.slack.driver.click(who, card.ts, "approve")).ok:
            assert answer.status in {0, NOT_STORED}, answer
            await asyncio.sleep(LOOK_AGAIN_S)

    async def go(self) -> Was:
        """Play it up to the first of the two clicks: history, bad publish, alert, card, key one."""
        was = await self.alarm()
        await self.approve(VOTERS[0])
        return was

    async def alarm(self) -> Was:
        """Play it up to the alert: history, bad publish, alert."""
        await self.read_history()
        was = self.break_it()
        await self.fire()
        return was

    async def turn_key(self, who: str) -> None:
        """Press Approve, and again while it is said not to be stored; no answer is no matter."""
        card = await self.card()
        while (await self.slack.driver.click(who, card.ts, "approve")).status == NOT_STORED:
            pass

    async def turn_second_key(self) -> None:
        """Press Approve as the second person; whether an answer comes is not looked at."""
        await self.turn_key(VOTERS[1])

    # -- what came of it ------------------------------------------------------------------------

    async def ended(self) -> Rollback:
        """Wait until the first rollback has ended and everything about it was told.

        After a superseded one the next one may stand open beside it.
        """
        return await self.until(self._ended)

    async def _ended(self) -> Rollback | None:
        async with self.store.read() as tx:
            all_of_them = await tx.rollbacks.newest()
            waiting = await tx.outbox.waiting()
        first = min(all_of_them, key=lambda rollback: rollback.id, default=None)
        return first if first and not first.open and not waiting else None

    async def until(self, look: Callable[[], Awaitable[T | None]], *, within: float = LIMIT_S) -> T:
        """Return the first truthy answer of *look*, asked after every change that can be seen.

        Another process's commits make no sound: those are looked for again and again.

        Raises:
            TimeoutError: It stayed false; the text says what stands in Slack.
        """
        give_up = time.monotonic() + within
        while not (found := await look()):
            if time.monotonic() > give_up:
                said = [line for served in self._served for line in served.lines[-8:]]
                raise TimeoutError(f"not within {within:g} s; {self.slack.state.summary()}; {said}")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self.slack.state.change()
        return found

    @property
    def live(self) -> Workflow:
        live = self.dify.state.live(APP)
        assert live is not None
        return live

    @property
    def draft(self) -> Workflow:
        draft = self.dify.state.draft(APP)
        assert draft is not None
        return draft

    def published_by(self, rollback: Rollback) -> list[Workflow]:
        """The versions in Dify's history that carry the name of *rollback*, newest first."""
        start = f"rollback-{rollback.id}-"
        versions = self.dify.state.versions(APP)
        return [version for version in versions if version.marked_name.startswith(start)]

    def card_text(self) -> str:
        """All that the newest card says."""
        newest = self.slack.state.messages(people.INCIDENTS)[-1]
        return f"{newest.text} {newest.blocks}"

    async def stored_graphs(self) -> set[str]:
        """The hashes of all graphs in our store, published versions and kept drafts alike."""
        found: set[str] = set()
        async with self.store.read() as tx:
            for version_id in count(1):
                try:
                    document = await tx.versions.document(version_id)
                except Missing:
                    return found
                found.add(graph_hash(document.content["graph"]))
        raise AssertionError("unreachable")

    async def audit(self) -> Verification:
        """Check the whole audit chain."""
        return await verify(self.store)


@asynccontextmanager
async def a_world(
    folder: Path,
    database_url: str,
    transport: Transport = "http",
    *,
    release: str = NEWEST.version,
) -> AsyncIterator[World]:
    """A world whose service is to run on the migrated database at *database_url*.

    Slack sends by *transport*; Dify is of *release*.
    """
    app_token = f"xapp-1-{secrets.token_hex(12)}" if transport == "socket" else ""
    way_in = {"SLACK_APP_TOKEN": app_token} if app_token else _a_signing_secret()
    given = {
        "SLACK_BOT_TOKEN": f"xoxb-{secrets.token_hex(12)}",
        **way_in,
        "KEYTURN_WEBHOOK_TOKEN": secrets.token_urlsafe(24),
        "KEYTURN_SECRET_KEY": secrets.token_urlsafe(32),
        "DIFY_PASSWORD": secrets.token_urlsafe(12),
    }
    async with AsyncExitStack() as closing:
        slack = await start_slack(
            host=LOOPBACK,
            port=0,
            signing_secret=given.get("SLACK_SIGNING_SECRET", ""),
            bot_token=given["SLACK_BOT_TOKEN"],
            app_token=app_token,
        )
        closing.push_async_callback(slack.stop)
        state = DifyState.of(release)
        app_id = seed.seed(state, password=given["DIFY_PASSWORD"], secret=secrets.token_hex(16))
        dify = await start_dify(host=LOOPBACK, port=0, state=state)
        closing.push_async_callback(dify.stop)
        store = await open_store(database_url, moves=MOVES)
        closing.push_async_callback(store.close)
        config = folder / "keyturn.toml"
        config.write_text(_toml(dify.url, app_id), encoding="utf-8")
        world = World(slack, dify, store, database_url, folder, config, given)
        closing.push_async_callback(world.kill_all)
        yield world


def _a_signing_secret() -> dict[str, str]:
    return {"SLACK_SIGNING_SECRET": secrets.token_hex(16)}


def _toml(dify_url: str, app_id: str) -> str:
    return _CONFIG.format(
        channel=people.INCIDENTS,
        team=people.TEAM,
        dify=dify_url,
        email=seed.BOT_EMAIL,
        app=APP,
        app_id=app_id,
        reviewers=people.REVIEWERS,
        requesters=people.DEVELOPERS,
    )


def _bare_environment() -> dict[str, str]:
    """What any program needs, and nothing that would be a setting of ours."""
    return {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
    }


def graph_hash(graph: object) -> str:
    """The hash that Dify gives to a workflow with this graph."""
    text = json.dumps({"graph": graph}, sort_keys=True) + "None"
    return hashlib.sha256(text.encode()).hexdigest()


def with_button(slack: SlackState, action_id: str = "rollback.approve") -> list[Message]:
    """The messages in the incidents channel that have this button now."""
    return [
        message
        for message in slack.messages(people.INCIDENTS)
        if any(
            element.get("action_id") == action_id
            for block in message.blocks
            for element in block.get("elements", ())
        )
    ]
