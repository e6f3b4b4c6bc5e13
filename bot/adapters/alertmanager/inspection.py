"""Whether an Alertmanager answers at its address."""

from __future__ import annotations

import json

import aiohttp

from bot.errors import AnswerUnreadable, TokenRefused, UpstreamDown
from bot.unreachable import why

SYSTEM = "Alertmanager"
_PATH = "/api/v2/status"  # https://prometheus.io/docs/alertmanager/latest/alerts_api/
_MOST = 64 * 1024


async def version(url: str, session: aiohttp.ClientSession, *, token: str = "") -> str:
    """The version of the Alertmanager at *url*, "" when it names none.

    Raises:
        UpstreamDown: It does not answer.
        TokenRefused: It wants a token, or another one.
        AnswerUnreadable: What answers is no Alertmanager.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = f"{url}{_PATH}"
    try:
        async with session.get(address, headers=headers, allow_redirects=False) as response:
            status, body = response.status, await response.content.read(_MOST)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UpstreamDown(SYSTEM, why(error)) from error
    if status in {401, 403}:
        raise TokenRefused(SYSTEM, f"HTTP {status}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise AnswerUnreadable(SYSTEM, f"HTTP {status} without JSON at {_PATH}") from None
    info = answer.get("versionInfo") if isinstance(answer, dict) else None
    if status != 200 or not isinstance(info, dict):
        raise AnswerUnreadable(SYSTEM, f"HTTP {status} without its version at {_PATH}")
    return str(info.get("version") or "")[:40]
