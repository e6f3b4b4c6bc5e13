"""A TCP proxy before a PostgreSQL: it holds, slows, cuts, and swallows the answer to a COMMIT.

It forwards bytes and knows two things of the protocol: a commit as asyncpg sends it, and the
message with which the server ends its answer
(https://www.postgresql.org/docs/current/protocol-message-formats.html).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

LOOPBACK = "127.0.0.1"
COMMIT = b"Q\0\0\0\x0cCOMMIT;\0"
READY = b"Z\0\0\0\x05"
CHUNK = 2**16


@dataclass(eq=False)
class _Link:
    """One client's connection, with the proxy's own one to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    unanswered: bool = False  # its commit is on its way, and the answer shall not arrive
    hold_after: bool = False  # the same, and everything is held once the answer has arrived
    answer: bytes = b""

    def cut(self) -> None:
        """End both connections without another word."""
        self.client.transport.abort()
        self.server.transport.abort()


@dataclass
class Proxy:
    """Well until it is told to be ill; `commits` and `swallowed` count since it was told."""

    socket: str  # the server's
    port: int = 0
    delay_s: float = 0.0  # before each piece, either way
    cut_after: int | None = None  # bytes from the server on, of each connection
    refusing: bool = False
    commits: int = 0
    swallowed: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)
    _swallow: int = 0
    _hold: int = 0
    _passing: asyncio.Event = field(default_factory=asyncio.Event)
    _links: set[_Link] = field(default_factory=set)

    def url(self, direct: str) -> str:
        """The database at *direct*, by way of this proxy."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}{urlsplit(direct).path}"

    def swallow(self, nth: int) -> None:
        """Let the *nth* commit from now on be made, and cut in place of its answer; 0: none."""
        self._swallow, self.commits, self.swallowed = nth, 0, 0

    def hold_after(self, nth: int) -> None:
        """Let nothing pass once the *nth* commit from now on was answered, and set `held`."""
        self._hold, self.commits = nth, 0

    def hold(self) -> None:
        """Let nothing pass any more; nobody is told."""
        self._passing.clear()
        self.held.set()

    def cut(self) -> None:
        """End every connection now."""
        for link in self._links:
            link.cut()

    def well(self) -> None:
        """Let everything pass again, also what was held."""
        self._swallow = self._hold = 0
        self.delay_s, self.cut_after, self.refusing = 0.0, None, False
        self.held.clear()
        self._passing.set()

    # -- what goes through ------------------------------------------------------------------------

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward for one client until either side ends, or this proxy does."""
        if self.refusing:
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_unix_connection(self.socket)
        link = _Link(writer, to_server)
        self._links.add(link)
        ways = (self._requests(link, reader), self._answers(link, from_server))
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._links.discard(link)
            for end in (to_server, writer):
                end.close()

    async def _requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        tail = b""
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self._pass()
                for _ in range((tail + data).count(COMMIT)):
                    self.commits += 1
                    link.unanswered = link.unanswered or self.commits == self._swallow
                    link.hold_after = link.hold_after or self.commits == self._hold
                tail = data[-len(COMMIT) + 1 :]
                link.server.write(data)
                await link.server.drain()

    async def _answers(self, link: _Link, reader: asyncio.StreamReader) -> None:
        sent = 0
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if link.unanswered:
                    link.answer += data
                    if READY in link.answer:  # the commit is made
                        self.swallowed += 1
                        link.cut()
                        return
                    continue
                await self._pass()
                if self.cut_after is not None and sent + len(data) > self.cut_after:
                    link.client.write(data[: self.cut_after - sent])
                    await link.client.drain()
                    link.cut()
                    return
                link.client.write(data)
                sent += len(data)
                await link.client.drain()
                if link.hold_after and READY in data:
                    link.hold_after = False
                    self.hold()

    async def _pass(self) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self._passing.wait()


@asynccontextmanager
async def a_proxy(direct: str) -> AsyncIterator[Proxy]:
    """A proxy before the PostgreSQL whose socket *direct* names (`postgresql://…?host=/folder`)."""
    (folder,) = parse_qs(urlsplit(direct).query)["host"]
    proxy = Proxy(f"{folder}/.s.PGSQL.5432")
    proxy.well()
    server = await asyncio.start_server(proxy.connected, LOOPBACK, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.well()
        proxy.cut()
        await asyncio.sleep(0)
