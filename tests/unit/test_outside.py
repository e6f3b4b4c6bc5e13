"""The outside systems that settings name are made, and closed when nobody uses them any more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from aiohttp import ClientSession, TraceConfig
from pydantic import SecretStr

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.transport import TIMEOUT
from bot.assembly.outside import Outside
from bot.config.settings import DifySettings, PrometheusSettings, Settings
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
        watched, http, TIMEOUT, before, traces=lambda _: [TraceConfig()], clock=lambda: NOON
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
