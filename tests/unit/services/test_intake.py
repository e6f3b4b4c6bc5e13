"""What a webhook brought is said in the log, though a storm of it does not fill the disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.ports.store import Store
from bot.services.intake import LINE_EVERY_S, Intake
from store.records import Delivery
from tests.builders import a_firing


@pytest.fixture
async def seconds(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What is to be done a second later, in place of that second."""
    waits: list[Callable[[], None]] = []
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def call_later(delay: float, callback: Callable[..., None], *told: object) -> object:
        if delay != LINE_EVERY_S:
            return later(delay, callback, *told)
        waits.append(callback)
        return None

    monkeypatch.setattr(loop, "call_later", call_later)
    return waits


def a_delivery(name: str) -> Delivery:
    firings = (a_firing(fingerprint=f"{name}1"), a_firing(fingerprint=f"{name}2"))
    return Delivery("alertmanager", "keyturn", "group", name, 0, firings)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, int, list[str]]]:
    found = [one for one in caplog.records if one.message == "deliveries stored"]
    return [(one.deliveries, one.alerts, one.digests) for one in found]  # type: ignore[attr-defined]


async def test_a_storm_is_one_line_at_once_and_then_one_for_each_second_of_it(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture, seconds: list[Callable[[], None]]
) -> None:
    caplog.set_level(logging.INFO)
    take = Intake(sqlite_store, nudge=lambda: None)

    await take(a_delivery("a"))
    await take(a_delivery("b"))
    await take(a_delivery("c"), a_delivery("d"))
    assert lines(caplog) == [(1, 2, ["a"])]

    seconds.pop()()
    assert lines(caplog)[1:] == [(3, 6, ["b", "c", "d"])]


async def test_what_comes_after_a_quiet_second_is_told_at_once(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture, seconds: list[Callable[[], None]]
) -> None:
    caplog.set_level(logging.INFO)
    take = Intake(sqlite_store, nudge=lambda: None)

    await take(a_delivery("a"))
    seconds.pop()()
    assert seconds == []
    await take(a_delivery("b"))

    assert lines(caplog) == [(1, 2, ["a"]), (1, 2, ["b"])]


async def test_a_line_tells_who_sent_and_how_many_alerts_mean_no_watched_app(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture, seconds: list[Callable[[], None]]
) -> None:
    caplog.set_level(logging.INFO)
    unnamed = replace(a_delivery("a"), firings=(a_firing(), a_firing(where=None)))

    await Intake(sqlite_store, nudge=lambda: None)(unnamed)

    (line,) = [one for one in caplog.records if one.message == "deliveries stored"]
    assert (line.of_no_watched_app, line.sources) == (1, ["alertmanager"])  # type: ignore[attr-defined]
    seconds.pop()
