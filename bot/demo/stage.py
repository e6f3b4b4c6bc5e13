"""What the demo needs, on loopback: a Slack, a Dify, and the real service between them."""

from __future__ import annotations

import asyncio
import secrets
import socket as socket_module
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from bot.adapters.prometheus.questions import Questions, Templates
from bot.app import Service, build
from bot.assembly.process import Patience
from bot.config.settings import (
    AlertSettings,
    AppSettings,
    DifySettings,
    Place,
    PrometheusSettings,
    Settings,
    SlackSettings,
)
from bot.domain.policy import Policy
from bot.playground.dify.releases import NEWEST
from bot.playground.dify.server import RunningDify
from bot.playground.dify.server import start as start_dify
from bot.playground.dify.state import DifyState
from bot.playground.prometheus.server import LocalPrometheus
from bot.playground.slack import people
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.server import start as start_slack
from bot.playground.story import seed
from bot.playground.story.measured import EVERY_S, RULE, measured
from bot.playground.story.scene import Scene
from bot.playground.story.workflow import APP, ENV
from bot.playground.tales.bad_prompt import BAD_PROMPT
from bot.playground.tales.tale import Tale
from store.records import AppEnv

LOOPBACK = "127.0.0.1"
WHERE = AppEnv(APP, ENV)
VOTERS = (people.ALICE, people.BOB)
PAUSE_S = 0.3  # between two tries: nobody waits half a minute for a Dify that is ill in a story


async def _soon(_: int) -> None:
    await asyncio.sleep(PAUSE_S)


_PATIENCE = Patience(pause=_soon)


@dataclass
class Stage:
    """The running demo: a story's scene, and the service in it."""

    scene: Scene
    service: Service
    tale: Tale

    @property
    def slack(self) -> RunningSlack:
        return self.scene.slack

    @property
    def dify(self) -> RunningDify:
        return self.scene.dify

    @property
    def by_socket(self) -> bool:
        """Whether Slack sends by Socket Mode."""
        return self.slack.state.sockets.enabled


@asynccontextmanager
async def set_up(
    folder: Path,
    *,
    tale: Tale = BAD_PROMPT,
    socket: bool = False,
    dify_version: str = NEWEST.version,
) -> AsyncIterator[Stage]:
    """Start everything for *tale* in *folder*, with secrets made for this run alone; stop it at
    the end.

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
        ids = {APP: seed.seed(dify_state, password=password, secret=secrets.token_hex(16))}
        ids |= {name: seed.add_neighbour(dify_state, name) for name in tale.neighbours}
        drill_id = seed.seed_drill_app(dify_state, secret=secrets.token_hex(16))
        dify = await start_dify(host=LOOPBACK, port=0, state=dify_state)
        closing.push_async_callback(dify.stop)
        prometheus = LocalPrometheus(rules=[RULE])
        if tale.measured:
            now = dify_state.clock()
            prometheus.samples = measured(dict.fromkeys(ids), now=now)
            await closing.enter_async_context(prometheus.here())
        ours = closing.enter_context(_held_port())
        port: int = ours.getsockname()[1]
        settings = _settings(
            folder,
            public_url=f"http://{LOOPBACK}:{port}",
            slack_url=slack.url,
            dify_url=dify.url,
            prometheus_url=prometheus.url,
            ids={**ids, seed.DRILL_APP: drill_id},
            bot_token=bot_token,
            signing_secret=signing_secret,
            app_token=app_token,
            password=password,
            webhook_token=webhook_token,
        )
        service = await closing.enter_async_context(build(settings, patience=_PATIENCE))
        ours.close()
        door = await service.start(LOOPBACK, port)
        closing.push_async_callback(service.stop, door)
        slack.driver.events_url = f"http://{LOOPBACK}:{door.port}/slack/events"
        if socket:
            await slack.state.until(lambda s: s.sockets.links)
        webhook = f"http://{LOOPBACK}:{door.port}/webhooks/alertmanager"
        yield Stage(Scene(slack, dify, webhook, webhook_token, prometheus), service, tale)


def _held_port() -> socket_module.socket:
    """Holds a free port, which links to our pages name, until right before our door opens there."""
    holder = socket_module.socket()
    holder.bind((LOOPBACK, 0))
    return holder


def _settings(
    folder: Path,
    *,
    public_url: str,
    slack_url: str,
    dify_url: str,
    prometheus_url: str,
    ids: Mapping[str, str],
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
        apps={seed.DRILL_APP: AppSettings(drill=True)},
        places={
            where: Place(where, "dify.demo", app_id, people.INCIDENTS)
            for where, app_id in ((AppEnv(app, WHERE.env), app_id) for app, app_id in ids.items())
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
        prometheus=_asked_of(prometheus_url) if prometheus_url else None,
    )


def _asked_of(url: str) -> PrometheusSettings:
    place = '{app="$app",env="$env"}'
    usual = Templates(f"errors{place}", f"latency{place}", f"load{place}")
    return PrometheusSettings(url, Questions(usual), step=timedelta(seconds=EVERY_S))
