"""Worlds for the acceptance tests, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.playground.dify.releases import RELEASES
from bot.playground.slack import driver, views
from tests.acceptance.world import Transport, World, a_world

LATE_S = 30.0


@pytest.fixture(autouse=True)
def _a_late_answer_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others use the machine; that Slack waits three seconds has tests of its own."""
    monkeypatch.setattr(driver, "ACK_S", LATE_S)
    monkeypatch.setattr(views, "TRIGGER_S", LATE_S)


@pytest.fixture
async def world(tmp_path: Path, sqlite_url: str) -> AsyncIterator[World]:
    """A world on SQLite."""
    async with a_world(tmp_path, sqlite_url) as made:
        yield made


@pytest.fixture
async def linked_world(tmp_path: Path, sqlite_url: str) -> AsyncIterator[World]:
    """A world on SQLite whose Slack sends by Socket Mode."""
    async with a_world(tmp_path, sqlite_url, "socket") as made:
        yield made
        assert made.slack.state.sockets.complaints == []


@pytest.fixture(params=["http", "socket"])
async def world_by_each(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str
) -> AsyncIterator[World]:
    """A world on SQLite by each of Slack's two ways in."""
    transport: Transport = request.param
    async with a_world(tmp_path, sqlite_url, transport) as made:
        made.slack.state.sockets.ack_s = LATE_S
        yield made
        assert made.slack.state.sockets.complaints == []


@pytest.fixture(params=RELEASES)
async def world_of_each_age(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str
) -> AsyncIterator[World]:
    """A world on SQLite with each release of Dify that was observed."""
    async with a_world(tmp_path, sqlite_url, release=request.param) as made:
        yield made
