"""Whether what answers at an address is what it should be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp

from bot.checkup.finding import Finding, failed, ok
from bot.errors import AnswerUnreadable, TokenRefused, UpstreamDown
from bot.unreachable import why

Version = Callable[[str, aiohttp.ClientSession], Awaitable[str]]


async def answering(what: str, url: str, version: Version, http: aiohttp.ClientSession) -> Finding:
    """Ask for the *version* of the service of the table *what* at *url*."""
    try:
        return ok(what, f"{await version(url, http) or 'some version'} at {url}")
    except AnswerUnreadable as error:
        return failed(what, f"something else answers ({error})", f"correct [{what}] url")
    except TokenRefused as error:
        mend = f"give Keyturn a token, or a user and password, in [{what}]"
        return failed(what, f"{url} does not let us in ({error})", mend)
    except UpstreamDown as error:
        mend = f"check [{what}] url, the network, and that it runs"
        return failed(what, f"{url} does not answer ({error})", mend)


async def silence(url: str, http: aiohttp.ClientSession) -> str:
    """Why nobody answers at *url*; "" when anybody does: what is said to HEAD is no matter."""
    try:
        async with http.head(url, allow_redirects=False):
            return ""
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return why(error)
