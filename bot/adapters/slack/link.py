"""One WebSocket to Slack, from its hello to its end.

An envelope is acknowledged on the link that brought it, after its row is committed. What cannot
be stored is not acknowledged, and a link that breaks acknowledges nothing more: Slack sends the
envelope again, and the inbox knows it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

import aiohttp
from aiohttp import ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType

from bot.adapters.slack import frames
from bot.adapters.slack.admission import Admit, Answer
from bot.adapters.slack.calls import SYSTEM
from bot.errors import BadInput, BotError, TooLarge, Unauthorised, UpstreamDown
from store.records import StoreError

MAX_FRAME = 4 * 1024 * 1024  # above the size cap: what is too large is refused by its id
MOST_AT_ONCE = 100
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How long a link is waited for, in seconds.

    `connect` is for the connection and its hello. After `ping` without a word Slack is asked for
    one, and the link is dead without an answer in half that time. A link that was told to leave
    is listened to for `retire`; one that lived for `settled` was no failure. `drain` is what
    remains for envelopes at hand when we stop.
    """

    connect: float = 10.0
    ping: float = 10.0
    retire: float = 30.0
    settled: float = 10.0
    drain: float = 5.0


class Link:
    """Reads one connection; made by `connect`."""

    def __init__(self, socket: ClientWebSocketResponse, admit: Admit, limits: Limits) -> None:
        self.alive = True
        self.why = ""  # in short, once it leaves
        self.leaving = asyncio.Event()
        self._socket = socket
        self._admit = admit
        self._limits = limits
        self._opened = time.monotonic()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._at_hand: set[asyncio.Task[None]] = set()

    @property
    def settled(self) -> bool:
        """Whether it has lived long enough not to count as a failure."""
        return time.monotonic() - self._opened >= self._limits.settled

    async def listen(self) -> None:
        """Take what comes until Slack or the network ends it, or this task is cancelled.

        Then what is at hand is finished and acknowledged, as far as that is still possible.
        """
        try:
            async with asyncio.timeout(None) as patience:
                async for message in self._socket:
                    if message.type is WSMsgType.TEXT:
                        await self._hear(message.data, patience)
        except TimeoutError:
            pass  # it was told to leave and Slack has forgotten to end it
        finally:
            self.alive = False
            self._leave(_ending(self._socket))
            await self._finish()

    async def _hear(self, text: str, patience: asyncio.Timeout) -> None:
        try:
            frame = frames.parse(text)
        except BadInput as error:
            _log.warning("a message that is none of Slack's", extra={"why": str(error)})
            return
        if isinstance(frame, frames.Farewell):
            if not self.leaving.is_set():
                patience.reschedule(asyncio.get_running_loop().time() + self._limits.retire)
            self._leave(frame.reason)
        elif isinstance(frame, frames.Enveloped):
            await self._room.acquire()
            task = asyncio.create_task(self._take(frame))
            self._at_hand.add(task)
            task.add_done_callback(self._taken)

    def _taken(self, task: asyncio.Task[None]) -> None:
        self._at_hand.discard(task)
        self._room.release()

    async def _take(self, envelope: frames.Enveloped) -> None:
        """Acknowledge *envelope* once it is kept, or will never be taken; else keep silent."""
        try:
            answer = await self._admit(
                frames.read(envelope), size=envelope.size, digest=frames.digest(envelope)
            )
        except (BadInput, TooLarge, Unauthorised) as error:  # the same the next time
            _log.warning("envelope refused", extra={"why": error.code})
            answer = Answer()
        except (BotError, StoreError) as error:
            why = type(error).__name__
            _log.warning("envelope not kept; Slack sends it again", extra={"why": why})
            return
        except Exception as error:  # noqa: BLE001  # the edge of one envelope: the link goes on
            _log.error("envelope failed", extra={"error": type(error).__name__}, exc_info=error)
            return
        try:
            await self._socket.send_str(frames.acknowledgement(envelope, answer))
        except ConnectionError:
            _log.info("acknowledgement lost with its link; Slack sends the envelope again")

    def _leave(self, why: str) -> None:
        if not self.leaving.is_set():
            self.why = why
            self.leaving.set()

    async def _finish(self) -> None:
        """Finish what is at hand, then say goodbye."""
        if self._at_hand:
            _, late = await asyncio.wait(set(self._at_hand), timeout=self._limits.drain)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._socket.close()


async def connect(
    http: ClientSession, url: str, *, proxy: str | None, admit: Admit, limits: Limits
) -> Link:
    """Open a link at *url*, which holds a ticket and must not be logged.

    Raises:
        UpstreamDown: No hello in time, or another word than hello; the text says which.
    """
    try:
        async with asyncio.timeout(limits.connect):
            socket = await http.ws_connect(
                url,
                heartbeat=limits.ping,
                timeout=ClientWSTimeout(ws_close=limits.drain),
                max_msg_size=MAX_FRAME,
                proxy=proxy,
            )
            try:
                await _hello(socket)
            except BaseException:
                await _cut_off(socket)
                raise
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise UpstreamDown(SYSTEM, f"no hello ({type(error).__name__})") from None
    return Link(socket, admit, limits)


async def _hello(socket: ClientWebSocketResponse) -> None:
    message = await socket.receive()
    try:
        said = frames.parse(message.data) if message.type is WSMsgType.TEXT else None
    except BadInput:
        said = None
    if isinstance(said, frames.Farewell):
        raise UpstreamDown(SYSTEM, said.reason)
    if not isinstance(said, frames.Hello):
        raise UpstreamDown(SYSTEM, "no hello (another word)")


async def _cut_off(socket: ClientWebSocketResponse) -> None:
    """End a connection that was never greeted, without waiting for its side of the goodbye."""
    closing = asyncio.create_task(socket.close())
    await asyncio.wait([closing], timeout=0.1)
    closing.cancel()


def _ending(socket: ClientWebSocketResponse) -> str:
    """In short, how the connection ended."""
    error = socket.exception()
    if isinstance(error, aiohttp.ServerTimeoutError):
        return "no_pong"
    return type(error).__name__ if error else f"closed_{socket.close_code or 'by_us'}"
