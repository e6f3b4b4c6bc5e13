"""The raw bytes of a request, before anybody has looked at them."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bot.errors import TooLarge

WITHIN_S = 20.0


async def read(request: web.Request, *, most: int) -> bytes:
    """All of them, read in time and within the application's limit, also without a length.

    Raises:
        TooLarge: More than *most* bytes are announced.
        web.HTTPRequestTimeout: The sender has not ended after `WITHIN_S`.
        web.HTTPRequestEntityTooLarge: More than the application takes came.
    """
    if (request.content_length or 0) > most:
        raise TooLarge(f"more than {most} bytes announced")
    if request.content.is_eof():  # it came with its head
        return await request.read()
    try:
        async with asyncio.timeout(WITHIN_S):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
