"""The door for Alertmanager: check the bearer, parse, store, and only then say 202."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Sequence
from functools import partial

from aiohttp import web

from bot import bodies
from bot.adapters.alertmanager import wire
from bot.domain.bearer import Bearers
from bot.domain.naming import LabelMap
from bot.errors import Unauthorised
from bot.log import bound
from store.records import AppEnv, Delivery

PATH = "/webhooks/alertmanager"
THREAD_FROM_BYTES = 128 * 1024  # ten thousand alerts would hold up the loop for a while
_log = logging.getLogger(__name__)

TakeIn = Callable[[Delivery], Awaitable[None]]


def routes(
    *,
    tokens: Sequence[str],
    labels: LabelMap,
    known: Container[AppEnv],
    take_in: TakeIn,
    path: str = PATH,
    source: str = wire.SOURCE,
    version: str = wire.VERSION,
) -> list[web.RouteDef]:
    """The webhook's route.

    Args:
        tokens: Bearer tokens that open the door; several while one is being replaced. Without
            any, every request gets the 401 that a wrong token gets.
        labels: Which labels name app and environment.
        known: The configured apps; alerts of others are handed over with `where` None.
        take_in: Stores a delivery durably, or fails in time; 202 is answered after it returned.
        path, source, version: Of another sender whose bodies have the same form.
    """
    allowed = Bearers(tokens)

    read = partial(wire.parse, labels=labels, known=known, source=source, version=version)

    async def parsed(body: bytes) -> Delivery:
        return read(body) if len(body) < THREAD_FROM_BYTES else await asyncio.to_thread(read, body)

    async def receive(request: web.Request) -> web.Response:
        """Store one notification, then answer 202; what follows from it happens later."""
        if not allowed.open(request.headers.get("Authorization", "")):
            raise Unauthorised
        delivery = await parsed(await bodies.read(request, most=wire.MAX_BYTES))
        await take_in(delivery)
        _tell_odd(delivery, labels, known)
        return web.Response(status=202)

    return [web.post(path, receive)]


def _tell_odd(delivery: Delivery, labels: LabelMap, known: Container[AppEnv]) -> None:
    """Log what somebody has to mend: alerts that cannot be read, and those that belong to nobody.

    Those are of apps that are meant equally; each such set of apps is told once.
    """
    found: set[tuple[str, ...]] = set()
    if labels.match or labels.names:  # without them a label says one app or none
        unknown = (firing for firing in delivery.firings if firing.where is None)
        found = {labels.meaning(firing.labels, known).rivals for firing in unknown} - {()}
    if not found and not delivery.unreadable:
        return
    with bound(delivery=delivery.digest[:16]):
        for rivals in sorted(found):
            _log.warning("labels mean several apps: counted as unknown", extra={"apps": rivals})
        if delivery.unreadable:
            _log.warning("alerts unreadable", extra={"alerts": delivery.unreadable})
