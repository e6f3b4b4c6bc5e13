"""Every message, dialog and page, each shown to Slack itself: what would it refuse?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import aiohttp

from bot.adapters.slack.validation import SlackValidation
from bot.blockkit import Problem
from bot.errors import Throttled

LIMIT = aiohttp.ClientTimeout(total=15, sock_connect=5)


async def problems(
    drawn: Iterable[tuple[str, Mapping[str, Any]]], *, token: str, base_url: str
) -> AsyncIterator[tuple[str, list[Problem]]]:
    """Yield the name of each that is *drawn* with what Slack would refuse of it; nothing is posted.

    Waits as long as Slack asks for in between.

    Raises:
        TokenRefused, UpstreamDown, UpstreamRefused: Slack did not say.
    """
    async with aiohttp.ClientSession(timeout=LIMIT) as http:
        slack = SlackValidation(token=token, base_url=base_url, session=http)
        for name, what in drawn:
            yield name, await _patiently(slack, what)


async def _patiently(slack: SlackValidation, what: Mapping[str, Any]) -> list[Problem]:
    while True:
        try:
            return await slack.problems(what)
        except Throttled as asked:
            await asyncio.sleep(asked.retry_after_s)
