"""Whether somebody answers where anchors are posted; nothing is posted for it."""

from __future__ import annotations

import aiohttp

from bot.adapters.anchors.client import SYSTEM
from bot.errors import UpstreamDown
from bot.unreachable import why


async def answers(url: str, session: aiohttp.ClientSession) -> None:
    """Return if anything answers at *url*: what it says to HEAD is no matter.

    Raises:
        UpstreamDown: Nothing does.
    """
    try:
        async with session.head(url, allow_redirects=False):
            return
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UpstreamDown(SYSTEM, why(error)) from error
