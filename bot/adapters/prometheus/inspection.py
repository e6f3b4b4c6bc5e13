"""Whether a Prometheus answers at its address."""

from __future__ import annotations

import json

import aiohttp

from bot.adapters.prometheus.client import NOT_TAKEN, headers
from bot.adapters.prometheus.wire import SYSTEM
from bot.errors import AnswerUnreadable, TokenRefused, UpstreamDown
from bot.unreachable import why

_PATH = "/api/v1/status/buildinfo"  # https://prometheus.io/docs/prometheus/latest/querying/api/
_MOST = 64 * 1024


async def version(url: str, session: aiohttp.ClientSession, *, authorization: str = "") -> str:
    """The version of the Prometheus at *url*, "" when it names none.

    Raises:
        UpstreamDown: It does not answer.
        TokenRefused: It wants another *authorization*.
        AnswerUnreadable: What answers is no Prometheus.
    """
    try:
        async with session.get(
            f"{url}{_PATH}", headers=headers(authorization), allow_redirects=False
        ) as response:
            status, body = response.status, await response.content.read(_MOST)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UpstreamDown(SYSTEM, why(error)) from error
    if status in NOT_TAKEN:
        raise TokenRefused(SYSTEM, f"HTTP {status}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise AnswerUnreadable(SYSTEM, f"HTTP {status} without JSON at {_PATH}") from None
    data = answer.get("data") if isinstance(answer, dict) else None
    if status != 200 or not isinstance(data, dict):
        raise AnswerUnreadable(SYSTEM, f"HTTP {status} without its version at {_PATH}")
    return str(data.get("version") or "")[:40]
