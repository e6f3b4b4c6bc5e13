"""The outside systems that settings name are made, and closed when nobody uses them any more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import ClientSession, TraceConfig
from pydantic import SecretStr

from bot.adapters.anchors.client import AnchorHook
from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.transport import TIMEOUT
from bot.adapters.eventfile.client import EventFile
from bot.assembly.outside import Outside
from bot.config.settings import DifySettings, EventSink, PrometheusSettings, Settings
from bot.language import CHINESE, ENGLISH, current, settle
from bot.renewal.watched import Watched
from tests.builders import NOON

SETTINGS = Settings(
    dify={name: DifySettings(f"https://{name}", "a@b", SecretStr("x")) for name in ("one", "two")},
    prometheus=PrometheusSettings("https://prometheus"),
)


@dataclass(frozen=True)
class Before:
    settings: Settings
    outside: Outside


def made(settings: Settings, http: ClientSession, before: Before | None = None) -> Outside:
    watched = Watched(settings, {})
    return Outside.of(
        watched,
        http,
        TIMEOUT,
        before,
        traces=lambda _: [TraceConfig()],
        clock=lambda: NOON,
        anchor_keys=[b"k" * 32],
    )


async def test_what_looks_back_is_made_where_a_prometheus_is_named() -> None:
    async with ClientSession() as http:
        assert made(replace(SETTINGS, prometheus=None), http).look_back is None
        outside = made(SETTINGS, http)

        assert outside.look_back is not None
        await outside.close()


async def test_what_new_settings_go_on_using_stays_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[str] = []

    async def close(target: DifyTarget) -> None:
        closed.append(target.name)

    monkeypatch.setattr(DifyTarget, "close", close)
    async with ClientSession() as http:
        old = made(SETTINGS, http)
        changed = replace(SETTINGS.dify["two"], email="c@d")
        settings = replace(SETTINGS, dify={**SETTINGS.dify, "two": changed})
        new = made(settings, http, Before(SETTINGS, old))
        await old.close(but=new)

    assert closed == ["dify.two"]


async def test_another_language_is_spoken_from_the_next_reading_of_the_settings_on() -> None:
    chinese = replace(SETTINGS, slack=replace(SETTINGS.slack, language=CHINESE))
    async with ClientSession() as http:
        old = made(SETTINGS, http)
        try:
            new = made(chinese, http, Before(SETTINGS, old))
            assert new.messenger.language_of("U0NOBODY001") == CHINESE
            assert current() == CHINESE
        finally:
            settle(ENGLISH)
            await old.close()


async def test_a_sink_that_stays_the_same_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[EventFile] = []

    async def close(sink: EventFile) -> None:
        closed.append(sink)

    monkeypatch.setattr(EventFile, "close", close)
    one, two = (EventSink("file", path=Path(name)) for name in ("one", "two"))
    before = replace(SETTINGS, events={"one": one, "two": two})
    after = replace(SETTINGS, events={"one": one, "two": replace(two, keep=3)})
    moved = replace(after, public_url="https://another.example.com")
    async with ClientSession() as http:
        old = made(before, http)
        new = made(after, http, Before(before, old))
        elsewhere = made(moved, http, Before(after, new))
        await old.close(but=new)

    assert new.sinks["one"] is old.sinks["one"]
    assert closed == [old.sinks["two"]]
    assert elsewhere.sinks["one"] is not new.sinks["one"]  # an event's source is another one


async def test_whoever_keeps_anchors_has_connections_of_their_own_that_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[AnchorHook] = []

    async def close(keeper: AnchorHook) -> None:
        closed.append(keeper)

    monkeypatch.setattr(AnchorHook, "close", close)
    async with ClientSession() as http:
        assert made(SETTINGS, http).anchors is None
        old = made(replace(SETTINGS, anchor_url="https://anchors"), http)
        await old.close()

    assert closed == [old.anchors]
