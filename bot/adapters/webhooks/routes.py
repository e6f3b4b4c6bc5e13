"""The doors for senders that are mapped: check the bearer, parse, store, and only then say 202."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from bot import bodies
from bot.adapters.webhooks import form as forms
from bot.adapters.webhooks.form import Form
from bot.domain.bearer import Bearers
from bot.domain.naming import LabelMap
from bot.errors import Unauthorised
from bot.log import bound
from store.records import AppEnv, Delivery

THREAD_FROM_BYTES = 128 * 1024
_log = logging.getLogger(__name__)

TakeIn = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True)
class Sender:
    """Whoever sends bodies of *form*, with one of *tokens* as its bearer."""

    form: Form
    tokens: Sequence[str]


def path_of(name: str) -> str:
    """The door of the sender *name*."""
    return f"/webhooks/{name}"


def routes(
    senders: Iterable[Sender], *, labels: LabelMap, known: Container[AppEnv], take_in: TakeIn
) -> list[web.RouteDef]:
    """The route of all senders: which of them there are may change while the service runs.

    Args:
        senders: What they send, and with which token.
        labels: Which labels name app and environment.
        known: The watched apps; alerts of others are handed over with `where` None.
        take_in: Stores a delivery durably, or fails in time; 202 is answered after it returned.
    """
    doors = {one.form.source: _Door(one, labels, known, take_in) for one in senders}

    async def receive(request: web.Request) -> web.Response:
        door = doors.get(request.match_info["name"])
        if door is None:
            raise web.HTTPNotFound
        return await door(request)

    return [web.post(path_of("{name}"), receive)]


class _Door:
    """The door of one sender."""

    def __init__(
        self, sender: Sender, labels: LabelMap, known: Container[AppEnv], take_in: TakeIn
    ) -> None:
        self._form = sender.form
        self._allowed = Bearers(sender.tokens)
        self._labels = labels
        self._known = known
        self._take_in = take_in

    async def __call__(self, request: web.Request) -> web.Response:
        """Store one body, then answer 202; what follows from it happens later."""
        if not self._allowed.open(request.headers.get("Authorization", "")):
            raise Unauthorised
        body = await bodies.read(request, most=forms.MAX_BYTES)
        large = len(body) >= THREAD_FROM_BYTES
        delivery = await asyncio.to_thread(self._read, body) if large else self._read(body)
        await self._take_in(delivery)
        if delivery.unreadable:
            with bound(delivery=delivery.digest[:16]):
                facts = {"source": delivery.source, "alerts": delivery.unreadable}
                _log.warning("alerts unreadable", extra=facts)
        return web.Response(status=202)

    def _read(self, body: bytes) -> Delivery:
        return forms.read(body, self._form, labels=self._labels, known=self._known)
