"""What the demo needs, on loopback: a Slack, a Dify, and the real service between them."""

from __future__ import annotations

import secrets
import socket as socket_module
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from bot.app import Service, build
from bot.config.settings import (
    AlertSettings,
    AppSettings,
    DifySettings,
    Place,
    Settings,
    SlackSettings,
)
from bot.domain.policy import Policy
from bot.playground.dify.releases import NEWEST
from bot.playground.dify.server import RunningDify
from bot.playground.dify.server import start as start_dify
from bot.playground.dify.state import DifyState
from bot.playground.slack import people
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.server import start as start_slack
from bot.playground.story import seed
from bot.playground.story.alerts import Alert, send
from bot.playground.story.workflow import APP
from bot.web import Running
from store.records import AppEnv

LOOPBACK = "127.0.0.1"
WHERE = AppEnv(APP, "prod")
DRILL = AppEnv(seed.DRILL_APP, "prod")  # where `/rollback drill` may practise
VOTERS = (people.ALICE, people.BOB)


@dataclass
class Stage:
    """The running demo; `publish_bad`, `fire` and `resolve` make the story go on."""

    slack: RunningSlack
    dify: RunningDify
    service: Service
    door: Running
    webhook_token: str
    alert: Alert | None = None

    @property
    def by_socket(self) -> bool:
        """Whether Slack sends by Socket Mode."""
        return self.slack.state.sockets.enabled

    async def publish_bad(self) -> None:
        """Publish the change that makes users suffer, and let an editor go on working."""
        seed.publish_bad(self.dify.state)
        seed.leave_work_unpublished(self.dify.state)

    async def fire(self) -> Alert:
        """Send the alert of the app's error rate, as Alertmanager would."""
        self.alert = Alert(APP, WHERE.env, starts_at=self.dify.state.clock())
        await self._send(self.alert.body())
        return self.alert

    async def resolve(self) -> None:
        """Send that the alert has ended; nothing happens when none was fired."""
        if self.alert is not None:
            await self._send(self.alert.body(ended_at=self.dify.state.clock()))

    async def _send(self, body: dict[str, object]) -> None:
        url = f"http://{LOOPBACK}:{self.door.port}/webhooks/alertmanager"
        status = await send(body, url=url, token=self.webhook_token)
        if status != 202:
            raise RuntimeError(f"the webhook answered {status}")


@asynccontextmanager
async def set_up(
    folder: Path, *, socket: bool = False, dify_version: str = NEWEST.version
) -> AsyncIterator[Stage]:
    """Start everything in *folder*, with secrets made for this run alone; stop it at the end.

    Slack sends over HTTP, or with *socket* by Socket Mode. *dify_version* is one of
    `releases.RELEASES`; KeyError for another.
    """
    bot_token, signing_secret = f"xoxb-{secrets.token_hex(12)}", secrets.token_hex(16)
    app_token = f"xapp-1-{secrets.token_hex(12)}" if socket else ""
    password, webhook_token = secrets.token_urlsafe(12), secrets.token_urlsafe(24)
    async with AsyncExitStack() as closing:
        slack = await start_slack(
            host=LOOPBACK,
            port=0,
            signing_secret=signing_secret,
            bot_token=bot_token,
            app_token=app_token,
        )
        closing.push_async_callback(slack.stop)
        dify_state = DifyState.of(dify_version)
        app_id = seed.seed(dify_state, password=password, secret=secrets.token_hex(16))
        drill_id = seed.seed_drill_app(dify_state, secret=secrets.token_hex(16))
        dify = await start_dify(host=LOOPBACK, port=0, state=dify_state)
        closing.push_async_callback(dify.stop)
        port = _free_port()
        settings = _settings(
            folder,
            public_url=f"http://{LOOPBACK}:{port}",
            slack_url=slack.url,
            dify_url=dify.url,
            apps={WHERE: app_id, DRILL: drill_id},
            bot_token=bot_token,
            signing_secret=signing_secret,
            app_token=app_token,
            password=password,
            webhook_token=webhook_token,
        )
        service = await closing.enter_async_context(build(settings))
        door = await service.start(LOOPBACK, port)
        closing.push_async_callback(service.stop, door)
        slack.driver.events_url = f"http://{LOOPBACK}:{door.port}/slack/events"
        if socket:
            await slack.state.until(lambda s: s.sockets.links)
        yield Stage(slack, dify, service, door, webhook_token)


def _free_port() -> int:
    """A port that nobody listens on: links to our pages are made before the door is open."""
    with socket_module.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _settings(
    folder: Path,
    *,
    public_url: str,
    slack_url: str,
    dify_url: str,
    apps: Mapping[AppEnv, str],
    bot_token: str,
    signing_secret: str,
    app_token: str,
    password: str,
    webhook_token: str,
) -> Settings:
    return Settings(
        database_url=SecretStr(f"sqlite:///{folder / 'keyturn.db'}"),
        public_url=public_url,
        secret_keys=(SecretStr(secrets.token_urlsafe(32)),),
        webhook_tokens=(SecretStr(webhook_token),),
        slack=SlackSettings(
            bot_token=SecretStr(bot_token),
            signing_secrets=(SecretStr(signing_secret),),
            app_token=SecretStr(app_token),
            mode="socket" if app_token else "http",
            api_url=slack_url,
            channel=people.INCIDENTS,
            team=people.TEAM,
        ),
        dify={"demo": DifySettings(dify_url, seed.BOT_EMAIL, SecretStr(password))},
        apps={DRILL.app: AppSettings(drill=True)},
        places={
            where: Place(where, "dify.demo", app_id, people.INCIDENTS)
            for where, app_id in apps.items()
        },
        policies={
            WHERE.env: Policy(
                votes=2,
                reviewers=(people.REVIEWERS,),
                requesters=(people.DEVELOPERS,),
                named=True,
            )
        },
        job_managers=(people.ALICE,),
        # nobody waits minutes to see whether the story's alert begins again
        alerts=AlertSettings(usual_for=timedelta(minutes=1), quiet=timedelta(0)),
    )
