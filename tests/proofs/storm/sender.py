"""Who sends webhooks until each is acknowledged, as Alertmanager does, and keeps a journal."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from bot.playground.story.alerts import Alert
from bot.playground.story.workflow import APP
from tests.proofs.storm.alerts import ENV
from tests.proofs.storm.pair import Known
from tests.proofs.storm.witness import ACCEPTED, FIRING, PATH, RESOLVED

MOST = 20  # alerts at once
PAUSE_S = 0.02
AGAIN_S = 0.2
MOST_TRIES = 300  # when all is well
ANSWERED_S = 90.0  # what hangs is no answer
ENDS = 0.3  # of what it sends, this part is that an alert has ended


@dataclass
class Sender:
    """One of several at the same door; `answers` counts what it was told."""

    number: int
    base: str
    token: str
    session: aiohttp.ClientSession
    dice: random.Random
    acknowledged: dict[Known, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    given_up: bool = False
    _sent: int = 0
    _firing: list[Alert] = field(default_factory=list)

    async def go_on(self, over: asyncio.Event) -> None:
        """Send one after the other until it is *over* and the last one is acknowledged."""
        while not over.is_set():
            if self._firing and self.dice.random() < ENDS:
                ended = self._firing.pop(self.dice.randrange(len(self._firing)))
                await self._deliver([ended], over, ended_at=datetime.now(UTC))
            else:
                new = [self._another() for _ in range(self.dice.randint(1, MOST))]
                await self._deliver(new, over)
                self._firing += new
            await asyncio.sleep(PAUSE_S)

    def _another(self) -> Alert:
        self._sent += 1
        instance = f"sender-{self.number}-{self._sent}"
        now = datetime.now(UTC)
        begun = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as Alertmanager keeps it
        return Alert(APP, ENV, starts_at=begun, labels={"instance": instance})

    async def _deliver(
        self, alerts: list[Alert], over: asyncio.Event, *, ended_at: datetime | None = None
    ) -> None:
        bodies = [alert.body(ended_at=ended_at) for alert in alerts]
        body = bodies[0] | {"alerts": [one for each in bodies for one in each["alerts"]]}
        tries = 0
        while (answer := await self._post(body)) != ACCEPTED:
            self.answers[answer] += 1
            tries += over.is_set()
            if tries > MOST_TRIES:
                self.given_up = True
                return
            await asyncio.sleep(AGAIN_S)
        self.answers[answer] += 1
        for alert in alerts:
            self.acknowledged[alert.fingerprint, alert.starts_at] = RESOLVED if ended_at else FIRING

    async def _post(self, body: dict[str, Any]) -> str:
        try:
            async with self.session.post(
                f"{self.base}{PATH}",
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=aiohttp.ClientTimeout(total=ANSWERED_S),
            ) as response:
                return str(response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__
