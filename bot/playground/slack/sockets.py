"""Socket Mode on Slack's side: tickets, connections, and envelopes until they are acknowledged.

Rules: docs.slack.dev/apis/events-api/using-socket-mode. That an envelope which nobody
acknowledged comes again, with its id, on whatever connection there is, was seen by many
(slackapi/bolt-js#2487, slackapi/python-slack-sdk#1280).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from bot.playground.slack import people
from bot.playground.slack.things import Json

PATH = "/link/"
ACK_S = 3.0
TICKET_S = 30.0
MOST_LINKS = 10
RETRIES_S = (0.0, 60.0, 300.0)
PING_S = 20.0
LIFETIME_S = 3600
_ACK_KEYS = {"envelope_id", "payload"}


@dataclass
class Envelope:
    """One payload on its way to the app; `sent` names the links that carried it, in order."""

    id: str
    type: str
    payload: Json
    accepts_response: bool
    acknowledged: asyncio.Future[Json]
    sent: list[str] = field(default_factory=list)

    def as_json(self) -> Json:
        said: Json = {"envelope_id": self.id, "type": self.type, "payload": self.payload}
        said["accepts_response_payload"] = self.accepts_response
        if self.type == "events_api":
            retries = len(self.sent)
            said |= {"retry_attempt": retries, "retry_reason": "timeout" if retries else ""}
        return said


class Link:
    """One connection of the app. A test may make it `deaf`: pings are not answered any more."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.id = secrets.token_hex(4)
        self.leaving = False
        self.deaf = False
        self.pongs = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._request = request
        self._socket = socket

    async def say(self, what: Mapping[str, object]) -> None:
        """Send one message; to a connection that is gone it is lost, as it is in life."""
        await self.send(json.dumps(what))

    async def send(self, text: str) -> None:
        """Send these very characters."""
        with suppress(ConnectionError):
            await self._socket.send_str(text)

    async def pong(self, data: bytes) -> None:
        """Answer a ping, unless the link is deaf."""
        if not self.deaf:
            self.pongs += 1
            with suppress(ConnectionError):
                await self._socket.pong(data)

    async def close(self) -> None:
        """End it as Slack does: with a close frame."""
        await self._socket.close()

    def cut(self) -> None:
        """End it as a broken network does: without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()


class Sockets:
    """The connections of one app, which has Socket Mode when `enabled`.

    A test may set `mute` (no hello), `ack_s` and `retries_s`, and read `complaints`: what the app
    did that the protocol does not know.
    """

    def __init__(self, now: Callable[[], float], touch: Callable[[], None]) -> None:
        self.enabled = False
        self.mute = False
        self.disabled_by_admin = False
        self.ack_s = ACK_S
        self.retries_s = RETRIES_S
        self.links: dict[str, Link] = {}
        self.opened = 0  # links that said hello, ever
        self.envelopes: dict[str, Envelope] = {}
        self.complaints: list[str] = []
        self._now = now
        self._touch = touch
        self._tickets: dict[str, float] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._arrived = asyncio.Event()

    # -- connections ----------------------------------------------------------------------------

    def ticket(self) -> str:
        """The right to open one connection, for thirty seconds."""
        ticket = secrets.token_hex(16)
        self._tickets[ticket] = self._now()
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer the app that connects with a ticket, and stay with it to the end."""
        given = self._tickets.pop(request.query.get("ticket", ""), None)
        if given is None or self._now() - given > TICKET_S:
            return web.Response(status=403, text="invalid ticket")
        socket = web.WebSocketResponse(autoping=False, heartbeat=PING_S)
        await socket.prepare(request)
        link = Link(request, socket)
        if refusal := self._refusal():
            await link.say({"type": "disconnect", "reason": refusal})
            await socket.close()
            return socket
        if not self.mute:
            await self._welcome(link)
        try:
            await self._listen(link, socket)
        finally:
            self.links.pop(link.id, None)
            link.ended.set_result(None)
            self._touch()
        return socket

    def _refusal(self) -> str:
        if self.disabled_by_admin or not self.enabled:
            return "link_disabled"
        return "too_many_websockets" if len(self.links) >= MOST_LINKS else ""

    async def _welcome(self, link: Link) -> None:
        self.links[link.id] = link
        self.opened += 1
        await link.say(
            {
                "type": "hello",
                "num_connections": len(self.links),
                "debug_info": {"host": "local", "approximate_connection_time": LIFETIME_S},
                "connection_info": {"app_id": people.APP},
            }
        )
        self._arrived.set()
        self._touch()

    async def _listen(self, link: Link, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.PING:
                await link.pong(message.data)
                self._touch()
            elif message.type is WSMsgType.TEXT:
                self._hear(link, message.data)

    # -- leaving --------------------------------------------------------------------------------

    async def announce(self, reason: str) -> list[Link]:
        """Tell every link that it will be closed, and why; return them, to be closed."""
        leaving = list(self.links.values())
        for link in leaving:
            link.leaving = True
            await link.say(
                {"type": "disconnect", "reason": reason, "debug_info": {"host": "local"}}
            )
        return leaving

    async def stop(self) -> None:
        """Close every link and send nothing again."""
        self.enabled = False
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        for link in list(self.links.values()):
            link.cut()

    # -- envelopes ------------------------------------------------------------------------------

    async def deliver(self, kind: str, payload: Json) -> Json | None:
        """Send *payload* on one link; the acknowledgement's payload, or None within three seconds.

        What was sent and not acknowledged is sent again: at once when its link breaks, and after
        each of `retries_s`. Without any link nothing is sent, and the person learns it at once.
        """
        if not self.links:
            return None
        envelope = Envelope(
            id=secrets.token_hex(16),
            type=kind,
            payload=payload,
            accepts_response=kind != "events_api",
            acknowledged=asyncio.get_running_loop().create_future(),
        )
        self.envelopes[envelope.id] = envelope
        task = asyncio.create_task(self._insist(envelope))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        done, _ = await asyncio.wait([envelope.acknowledged], timeout=self.ack_s)
        return envelope.acknowledged.result() if done else None

    async def _insist(self, envelope: Envelope) -> None:
        for wait_s in (0.0, *self.retries_s):
            await asyncio.sleep(wait_s)
            link = await self._free_link()
            await link.say(envelope.as_json())
            envelope.sent.append(link.id)
            self._touch()
            either = [envelope.acknowledged, link.ended]
            await asyncio.wait(either, timeout=self.ack_s, return_when=asyncio.FIRST_COMPLETED)
            if envelope.acknowledged.done():
                return

    async def _free_link(self) -> Link:
        """The link whose turn it is; one that was told to leave only when there is no other."""
        while not self.links:
            self._arrived.clear()
            await self._arrived.wait()
        links = list(self.links.values())
        staying = [link for link in links if not link.leaving] or links
        self._turn += 1
        return staying[self._turn % len(staying)]

    def _hear(self, link: Link, text: str) -> None:
        """Take an acknowledgement, or complain about what the app said instead."""
        try:
            self._acknowledge(link, json.loads(text))
        except ValueError as error:
            self.complaints.append(f"{error}: {text[:200]}")
        self._touch()

    def _acknowledge(self, link: Link, said: object) -> None:
        if not isinstance(said, dict) or not said.keys() <= _ACK_KEYS:
            raise ValueError("no acknowledgement")
        envelope = self.envelopes.get(str(said.get("envelope_id")))
        if envelope is None or link.id not in envelope.sent:
            raise ValueError("acknowledged what was not sent here")
        if "payload" in said and not envelope.accepts_response:
            raise ValueError(f"{envelope.type} takes no payload")
        if not envelope.acknowledged.done():
            envelope.acknowledged.set_result(said.get("payload") or {})
