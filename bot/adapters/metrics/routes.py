"""The door for Prometheus: with its bearer at the public one, without at the admin's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry

from bot.adapters.metrics import exposition
from bot.adapters.metrics.exposition import Trouble
from bot.domain.bearer import Bearers
from bot.errors import Unauthorised
from bot.services.figures import Reading
from store.records import Unavailable

PATH = "/metrics"
WITHIN_S = 8.0  # Prometheus gives up after ten, and would then know nothing at all
_log = logging.getLogger(__name__)


def public(page: Handler, *, tokens: Sequence[str]) -> list[web.RouteDef]:
    """The route at the public door; without *tokens* every request gets the 401 of a wrong one."""
    allowed = Bearers(tokens)

    async def guarded(request: web.Request) -> web.StreamResponse:
        if not allowed.open(request.headers.get("Authorization", "")):
            raise Unauthorised
        return await page(request)

    return [web.get(PATH, guarded)]


def page_of(
    registry: CollectorRegistry,
    trouble: Callable[[], Awaitable[Trouble]],
    read: Callable[[], Awaitable[Reading]],
) -> Handler:
    """The page itself: what *registry* holds, what *trouble* there is, and what the database knows.

    A database that is lost or slow does not take the rest with it.
    """

    async def page(_: web.Request) -> web.Response:
        found: Trouble = [("down", "database")]
        reading = None
        try:
            async with asyncio.timeout(WITHIN_S):
                found = await trouble()
                reading = await read()
        except (Unavailable, TimeoutError) as error:
            _log.warning("metrics without the database", extra={"error": type(error).__name__})
        body = await asyncio.to_thread(exposition.text, registry, found, reading)
        return web.Response(body=body, headers={"Content-Type": exposition.CONTENT_TYPE})

    return page
