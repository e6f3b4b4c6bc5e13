"""Two real Alertmanagers that are one cluster on loopback, and tell the same webhook.

Debian's prometheus-alertmanager 0.25. Each alert is posted to both, as Prometheus does; the second
one waits a second for the first, and tells it all the same when it has not heard that it is told.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.alertmanager_world import LOOPBACK, Program

NAMES = ("prometheus-alertmanager", "alertmanager")
LOOK_S = 0.1
TOGETHER_S = 30.0
REPEATED_S = 120  # what a group has said, it says again
Known = tuple[str, datetime]  # a fingerprint, and since when it fires

_CONFIG = """
global: {{resolve_timeout: 6h}}
route: {{receiver: keyturn, group_by: [app, env, cell], group_wait: 1s, group_interval: {interval}s, repeat_interval: {repeat}s}}
receivers:
- name: keyturn
  webhook_configs:
  - url: '{webhook}'
    send_resolved: true
    http_config: {{authorization: {{type: Bearer, credentials_file: webhook_token}}}}
"""  # noqa: E501


def program() -> str | None:
    """Where Alertmanager is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Pair:
    """Both, by their host:port."""

    addresses: Sequence[str]
    _session: aiohttp.ClientSession

    async def tell(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Post *alerts* to both, as Prometheus does; it is not lost when this returns."""
        for address in self.addresses:
            async with self._session.post(_api(address, "alerts"), json=alerts) as response:
                response.raise_for_status()

    async def held(self) -> set[Known]:
        """What fires by the word of one of them."""
        found: set[Known] = set()
        for address in self.addresses:
            async with self._session.get(_api(address, "alerts")) as response:
                response.raise_for_status()
                found |= {known(alert) for alert in await response.json()}
        return found


def known(alert: dict[str, Any]) -> Known:
    """By what an alert of a webhook's body or of the API is known."""
    return str(alert["fingerprint"]), datetime.fromisoformat(alert["startsAt"])


@asynccontextmanager
async def a_pair(
    alertmanager: str, folder: Path, *, webhook: str, token: str, interval_s: int
) -> AsyncIterator[Pair]:
    """Run both below *folder* until the block ends; *webhook* gets all, with *token* as bearer.

    A group that has something new says so every *interval_s* seconds, or tries to until then.
    """
    (folder / "webhook_token").write_text(token)
    text = _CONFIG.format(webhook=webhook, interval=interval_s, repeat=REPEATED_S)
    (folder / "pair.yml").write_text(text)
    timeout = aiohttp.ClientTimeout(total=120)  # others use the machine
    async with AsyncExitStack() as closing:
        session = await closing.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        addresses: list[str] = []
        for name in ("first", "second"):
            peers = [await _member(session, address) for address in addresses]
            command = _command(alertmanager, name, peers)
            one = await closing.enter_async_context(Program.run(command, cwd=folder))
            addresses.append(await one.address())
        async with asyncio.timeout(TOGETHER_S):
            for address in addresses:
                await _has_met_its_peers(session, address, len(addresses))
        yield Pair(addresses, session)


def _command(alertmanager: str, name: str, peers: Sequence[str]) -> list[str]:
    return [
        alertmanager,
        "--config.file=pair.yml",
        f"--storage.path={name}",
        f"--web.listen-address={LOOPBACK}:0",
        f"--web.external-url=http://{name}.example.com",
        f"--cluster.listen-address={LOOPBACK}:0",
        f"--cluster.advertise-address={LOOPBACK}:0",
        *(f"--cluster.peer={peer}" for peer in peers),
        "--cluster.peer-timeout=1s",
        "--cluster.settle-timeout=2s",
        "--log.format=json",
    ]


async def _member(session: aiohttp.ClientSession, address: str) -> str:
    """Where the one at *address* is met by its peers."""
    (peer,) = (await _cluster(session, address))["peers"]
    return str(peer["address"])


async def _has_met_its_peers(session: aiohttp.ClientSession, address: str, number: int) -> None:
    while True:
        if len((await _cluster(session, address))["peers"]) == number:
            return
        await asyncio.sleep(LOOK_S)


async def _cluster(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    async with session.get(_api(address, "status")) as response:
        response.raise_for_status()
        cluster: dict[str, Any] = (await response.json())["cluster"]
        return cluster


def _api(address: str, what: str) -> str:
    return f"http://{address}/api/v2/{what}"
