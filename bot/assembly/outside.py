"""The outside systems as the settings name them: made, or kept where nothing of them changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from aiohttp import ClientSession, ClientTimeout, TraceConfig

from bot import catalogues
from bot.adapters.alertmanager.client import Alertmanager
from bot.adapters.anchors.client import SYSTEM as ANCHORS
from bot.adapters.anchors.client import AnchorHook
from bot.adapters.dify.client import DifyTarget
from bot.adapters.prometheus.look_back import PrometheusLookBack
from bot.adapters.slack.client import SlackMessenger
from bot.adapters.slack.directory import SlackDirectory
from bot.adapters.slack.languages import Languages
from bot.config.settings import DifySettings, Settings
from bot.language import settle
from bot.opening import dify_target, event_sink, look_back
from bot.ports.events import Sink
from bot.renewal.watched import Watched
from bot.services.places import Places
from bot.voice import OURS, Voice


class Before(Protocol):
    """What was in force until now."""

    @property
    def settings(self) -> Settings:
        """The settings that it was made of."""
        ...

    @property
    def outside(self) -> Outside:
        """Its outside systems."""
        ...


@dataclass(frozen=True)
class Outside:
    """The outside systems, as far as the settings name them; `reach` are places once watched."""

    messenger: SlackMessenger
    directory: SlackDirectory
    targets: dict[str, DifyTarget]
    places: Places
    reach: Places
    look_back: PrometheusLookBack | None = None  # where a Prometheus is named
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    alertmanagers: Mapping[str, Alertmanager] = field(default_factory=dict)  # by their addresses
    anchors: AnchorHook | None = None  # where an address for them is named

    @classmethod
    def of(
        cls,
        watched: Watched,
        http: ClientSession,
        call: ClientTimeout,
        before: Before | None,
        *,
        traces: Callable[[str], Sequence[TraceConfig]],
        clock: Callable[[], datetime],
        anchor_keys: Sequence[bytes],
    ) -> Outside:
        """Make them; what has the same settings as *before* goes on, with its sessions.

        *traces* makes what measures and records the requests to the system of a name; *clock* is
        the time; *anchor_keys* sign what is told to whoever keeps the anchors.
        """
        settings = watched.settings
        targets = {
            f"dify.{name}": _same_target(before, name, dify)
            or dify_target(name, dify, timeout=call, traces=traces(f"dify.{name}"))
            for name, dify in settings.dify.items()
        }
        places = {
            where: (targets[place.target], place.id) for where, place in settings.places.items()
        }
        former = {
            where: (targets[place.target], place.id) for where, place in watched.former.items()
        }
        at_once = {w for w, place in settings.places.items() if place.rolls_back_config}
        messenger, directory = _slack_of(settings, http, before)
        return cls(
            messenger=messenger,
            directory=directory,
            targets=targets,
            places=Places(places, rolls_back_config=at_once),
            reach=Places({**former, **places}, rolls_back_config=at_once),
            look_back=look_back(settings, traces=traces("prometheus")),
            sinks={
                name: _same_sink(before, name, settings)
                or event_sink(
                    name,
                    sink,
                    base=settings.public_url,
                    clock=clock,
                    traces=traces(f"events.{name}"),
                )
                for name, sink in settings.events.items()
            },
            alertmanagers=_alertmanagers(settings, traces=traces("alertmanager")),
            anchors=_anchors(settings, keys=anchor_keys, clock=clock, traces=traces(ANCHORS)),
        )

    async def close(self, *, but: Outside | None = None) -> None:
        """Close the connections that were opened here, except what *but* goes on using."""
        kept = {id(target) for target in but.targets.values()} if but else set()
        for target in self.targets.values():
            if id(target) not in kept:
                await target.close()
        if self.look_back is not None:
            await self.look_back.close()
        used = {id(sink) for sink in but.sinks.values()} if but else set()
        for sink in self.sinks.values():
            if id(sink) not in used:
                await sink.close()
        for alertmanager in self.alertmanagers.values():
            await alertmanager.close()
        if self.anchors is not None:
            await self.anchors.close()


def _same_sink(before: Before | None, name: str, settings: Settings) -> Sink | None:
    """The sink of *before* when nothing of it changed, with what it has opened."""
    if before is None or before.settings.public_url != settings.public_url:
        return None
    same = before.settings.events.get(name) == settings.events[name]
    return before.outside.sinks.get(name) if same else None


def _alertmanagers(
    settings: Settings, *, traces: Sequence[TraceConfig]
) -> Mapping[str, Alertmanager]:
    token = settings.alertmanager.token
    return {
        url: Alertmanager(
            url,
            labels=settings.alerts.labels,
            known=settings.places,
            token=token.get_secret_value() if token else "",
            traces=traces,
        )
        for url in settings.alertmanager.urls
    }


def _anchors(
    settings: Settings,
    *,
    keys: Sequence[bytes],
    clock: Callable[[], datetime],
    traces: Sequence[TraceConfig],
) -> AnchorHook | None:
    if not settings.anchor_url:
        return None
    return AnchorHook(settings.anchor_url, keys=keys, clock=clock, traces=traces)


def _slack_of(
    settings: Settings, http: ClientSession, before: Before | None
) -> tuple[SlackMessenger, SlackDirectory]:
    """Those of *before* when nothing of Slack changed; else new ones that know the workspace."""
    slack, old = settings.slack, before.settings.slack if before else None
    if before and old == slack and _people(before.settings) == _people(settings):
        return before.outside.messenger, before.outside.directory
    team = slack.team
    if before and old and (old.bot_token, old.api_url) == (slack.bot_token, slack.api_url):
        team = team or before.outside.directory.team_id
    token = slack.bot_token.get_secret_value() if slack.bot_token else ""
    catalogues.keep()
    ours = not slack.templates and slack.language == OURS.language
    voice = OURS if ours else Voice(slack.templates, slack.language)
    settle(voice.language)
    languages = Languages(voice.language)
    messenger = SlackMessenger(
        token=token, base_url=slack.api_url, session=http, voice=voice, languages=languages
    )
    return messenger, SlackDirectory(
        token=token,
        base_url=slack.api_url,
        session=http,
        team_id=team,
        aliases=settings.people,
        authors=settings.authors,
        languages=languages,
    )


def _people(settings: Settings) -> object:
    return settings.people, settings.authors


def _same_target(before: Before | None, name: str, dify: DifySettings) -> DifyTarget | None:
    """The target of *before* for the same account: its login, or its refusal, stays known."""
    old = before.settings.dify.get(name) if before else None
    if before is None or old is None or replace(old, include=None) != replace(dify, include=None):
        return None
    return before.outside.targets[f"dify.{name}"]
