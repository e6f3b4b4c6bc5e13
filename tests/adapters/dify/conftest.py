from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.playground.dify.faults import Faults
from bot.playground.dify.server import RunningDify, start
from bot.playground.dify.state import DifyState

BOT, PASSWORD = "bot@example.com", "B0tPassw0rd"
PATIENCE = aiohttp.ClientTimeout(total=60)  # most is not about time; others use the machine
QUICK = aiohttp.ClientTimeout(total=1.0, sock_connect=5)


def a_graph(title: str) -> dict[str, Any]:
    node = {"id": "1700000000001", "type": "custom", "data": {"type": "start", "title": title}}
    return {"nodes": [node], "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}}


def a_secret(value: str, key: str = "38b095ac-9566-4238-bba4-6ba508d29ae5") -> dict[str, Any]:
    return {"id": key, "name": "API_KEY", "value_type": "secret", "description": "", "value": value}


@dataclass
class Dify:
    """The local Dify with one app that has two published versions and a secret."""

    running: RunningDify
    target: DifyTarget
    app_id: str

    @property
    def state(self) -> DifyState:
        return self.running.state

    @property
    def faults(self) -> Faults:
        return self.running.state.faults

    def another_target(self, **settings: Any) -> DifyTarget:
        return a_target(self.running.url, **settings)


def a_target(
    url: str, *, email: str = BOT, password: str = PASSWORD, **settings: Any
) -> DifyTarget:
    usual = {"credentials": Account(email, password), "timeout": PATIENCE}
    return DifyTarget("dify.test", url=url, **{**usual, **settings})


@pytest.fixture
async def dify() -> AsyncIterator[Dify]:
    running = await start()
    state = running.state
    state.add_account("alice@example.com", "Passw0rd123", role="owner")
    state.add_account(BOT, PASSWORD)
    app = state.create_app("support-triage")
    for title in ("one", "two"):
        state.publish_directly(
            app.id, graph=a_graph(title), environment_variables=[a_secret("sk-1")], name=title
        )
    target = a_target(running.url)
    yield Dify(running, target, app.id)
    await target.close()
    await running.stop()
