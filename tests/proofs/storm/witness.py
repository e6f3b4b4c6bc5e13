"""Who stands between Alertmanager and the service, and notes what was acknowledged.

What is sent goes to the service that runs now, wherever its door is. Where there is none, or it is
killed before it has answered, the sender's connection ends without an answer, as it would.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web

from tests.acceptance.alertmanager_world import LOOPBACK
from tests.proofs.storm.alerts import Alert
from tests.proofs.storm.pair import Known, known

PATH = "/webhooks/alertmanager"
FIRING, RESOLVED = "firing", "resolved"
ACCEPTED, NOT_STORED = "202", "503"
READY_WITHIN_S = 10.0
MOST_BYTES = 64 * 1024 * 1024


@dataclass
class Witness:
    """What went through; `port` is the service's door, 0 while there is none."""

    port: int = 0
    url: str = ""
    acknowledged: dict[Known, str] = field(default_factory=dict)  # the last word on each alert
    heard: dict[str, tuple[datetime, str]] = field(default_factory=dict)  # newest, by instance
    answers: Counter[str] = field(default_factory=Counter)
    just_acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    end_acknowledged: asyncio.Event = field(default_factory=asyncio.Event)  # never sent again
    unanswered: int = 0  # what the service has and has not answered, now
    twice: int = 0  # deliveries that both Alertmanagers sent, and that were acknowledged to both
    _senders: dict[str, set[str]] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None

    def has_heard_of(self, alert: Alert) -> bool:
        """Whether what *alert* is now was acknowledged, and Alertmanager waited to hear so.

        "resolved" is the greater word.
        """
        said = RESOLVED if alert.ends_at else FIRING
        return self.heard.get(alert.instance) == (alert.starts_at, said)

    @property
    def wrong_answers(self) -> list[str]:
        """Statuses that say neither that it is stored nor that it is to be sent again."""
        return [a for a in self.answers if a.isdigit() and a not in {ACCEPTED, NOT_STORED}]

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Hand one webhook on; note what the service says before its sender hears it."""
        body = await request.read()
        status = await self._handed_on(request, body)
        if status is None:
            if request.transport is not None:  # else the sender has gone already
                request.transport.abort()
            return web.Response(status=int(NOT_STORED))  # nobody reads it any more
        self.answers[str(status)] += 1
        if str(status) == ACCEPTED:
            told = json.loads(body)
            self.just_acknowledged.set()
            if any(alert["status"] == RESOLVED for alert in told["alerts"]):
                self.end_acknowledged.set()
            self._note(told, heard=request.transport is not None)
        return web.Response(status=status)

    async def _handed_on(self, request: web.Request, body: bytes) -> int | None:
        if not self.port:
            self.answers["no door"] += 1
            return None
        assert self._session is not None
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
        self.unanswered += 1
        try:
            url = f"http://{LOOPBACK}:{self.port}{PATH}"
            async with self._session.post(url, data=body, headers=headers) as response:
                return response.status
        except aiohttp.ClientConnectorError:
            self.answers["no door"] += 1
        except (aiohttp.ClientError, ConnectionError):
            self.answers["killed before it answered"] += 1
        finally:
            self.unanswered -= 1
        return None

    def _note(self, told: dict[str, Any], *, heard: bool) -> None:
        for alert in told["alerts"]:
            name = known(alert)
            if self.acknowledged.get(name) != RESOLVED:
                self.acknowledged[name] = alert["status"]
            if heard:  # else it is told again
                instance, word = alert["labels"]["instance"], (name[1], self.acknowledged[name])
                self.heard[instance] = max(word, self.heard.get(instance, word))
        content = sorted((*known(alert), alert["status"]) for alert in told["alerts"])
        senders = self._senders.setdefault(f"{told['groupKey']} {content}", set())
        self.twice += bool(senders - {told["externalURL"]})
        senders.add(told["externalURL"])


@asynccontextmanager
async def a_witness() -> AsyncIterator[Witness]:
    """One that listens on a free port until the block ends."""
    witness = Witness()
    application = web.Application(client_max_size=MOST_BYTES)
    application.router.add_post(PATH, witness.receive)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    # a connection that a killed service had is of no use with the next one
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        witness._session = session
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, 0, backlog=1024).start()
            witness.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}{PATH}"
            yield witness
        finally:
            await runner.cleanup()


async def is_ready(session: aiohttp.ClientSession, port: int) -> bool:
    """Whether the service at *port* says so; one that does not answer in time is not."""
    try:
        async with session.get(
            f"http://{LOOPBACK}:{port}/readyz", timeout=aiohttp.ClientTimeout(total=READY_WITHIN_S)
        ) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
