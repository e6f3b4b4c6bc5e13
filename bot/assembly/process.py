"""What one process is, and how long it waits for others."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from aiohttp import ClientTimeout

from bot.adapters.dify.transport import TIMEOUT as DIFY_TIMEOUT
from bot.adapters.slack.link import Limits
from bot.services.stepping import Pause
from bot.services.waiting import backoff


class Role(StrEnum):
    """What a process does: take in what comes from outside, do the work, or both."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


async def _pause(tries: int) -> None:
    await asyncio.sleep(backoff(tries, jitter=random.random()).total_seconds())  # noqa: S311


_LINK = Limits()


@dataclass(frozen=True)
class Patience:
    """How long others are waited for.

    `pause` is between two tries of an execution's step, `call` for one call of Dify's, and `link`
    for the words of a socket to Slack.
    """

    pause: Pause = _pause
    call: ClientTimeout = DIFY_TIMEOUT
    link: Limits = _LINK


@dataclass(frozen=True)
class Process:
    """One process: what it does, the name under which it claims work, and for how long."""

    role: Role
    owner: str
    lease: timedelta
    patience: Patience
