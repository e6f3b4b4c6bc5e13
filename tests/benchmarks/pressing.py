"""Sends webhooks as fast as they are answered, from a process of its own.

    python -m tests.benchmarks.pressing '{"port": 3000, "seconds": 5, …}'

Each connection sends the next request when the one before is answered; with a `rate`, not before
its time. Bare sockets and bytes that are made beforehand, so that this is never the limit: the
share of a core that it took is told with what it found, as one JSON object.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from asyncio import create_subprocess_exec, subprocess
from dataclasses import asdict, dataclass, field

MARK = b"fedcba9876543210"  # in a body: stands for a number that no other request has
_BATCH = 256 * 1024


@dataclass(frozen=True)
class Press:
    """What to send; `path` and `token` are the door's, `body` holds `MARK` once an alert."""

    port: int
    path: str
    token: str
    body: str
    seconds: float
    connections: int = 16
    rate: float = 0.0  # requests a second over all connections; 0 for as many as go
    first: int = 0  # where the numbers begin: what was sent before is not sent again


@dataclass(frozen=True)
class Found:
    """Answers within the time, and how long each took."""

    answers: int
    refused: int  # with another status than 2xx
    per_second: float
    p50_ms: float
    p99_ms: float
    sender_share: float  # of one core
    cpu_us: float = 0.0  # of who answered, for one request; told by who knows them


async def press(what: Press) -> Found:
    """Let another process send; return what it found."""
    told = json.dumps(asdict(what))
    process = await create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.pressing", told, stdout=subprocess.PIPE
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:  # nobody waits for it any more
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return Found(**json.loads(out))


@dataclass
class _Line:
    """One connection."""

    socket: socket.socket
    due: float = 0.0
    began: float = 0.0
    waits: bool = False
    seen: bytes = b""


@dataclass
class _Sender:
    what: Press
    lines: list[_Line] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        what = self.what
        parts = what.body.encode().split(MARK)
        self._parts = parts
        length = sum(map(len, parts)) + len(MARK) * (len(parts) - 1)
        self._head = (
            f"POST {what.path} HTTP/1.1\r\nHost: 127.0.0.1:{what.port}\r\n"
            f"User-Agent: Alertmanager/0.25.0\r\nContent-Length: {length}\r\n"
            f"Authorization: Bearer {what.token}\r\nContent-Type: application/json\r\n\r\n"
        ).encode()
        self._number = what.first
        self._selector = selectors.DefaultSelector()
        for n in range(what.connections):
            late = n / what.rate if what.rate else 0.0
            line = _Line(self._connected(), due=time.perf_counter() + late)
            self.lines.append(line)
            self._selector.register(line.socket, selectors.EVENT_READ, line)

    def _connected(self) -> socket.socket:
        connected = socket.create_connection(("127.0.0.1", self.what.port))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def _reconnect(self, line: _Line) -> None:
        """A server may close a connection after any answer; what it did not answer is sent anew."""
        self._selector.unregister(line.socket)
        line.socket.close()
        line.socket, line.seen = self._connected(), b""
        self._selector.register(line.socket, selectors.EVENT_READ, line)
        if line.waits:
            line.socket.sendall(self.request())

    def request(self) -> bytes:
        pieces = [self._head, self._parts[0]]
        for part in self._parts[1:]:
            self._number += 1
            pieces += (b"%016x" % self._number, part)
        return b"".join(pieces)

    def run(self) -> None:
        """Send until the time is over, then wait for what was not answered yet."""
        until = time.perf_counter() + self.what.seconds
        step = self.what.connections / self.what.rate if self.what.rate else 0.0
        while (now := time.perf_counter()) < until or any(line.waits for line in self.lines):
            for line in self.lines:
                if not line.waits and line.due <= now < until:
                    self._send(line, now, step)
            for key, _ in self._selector.select(timeout=0.001):
                self._receive(key.data)
                line = key.data
                if not step and not line.waits and (now := time.perf_counter()) < until:
                    self._send(line, now, step)

    def _send(self, line: _Line, now: float, step: float) -> None:
        line.began, line.waits = (line.due if step else now), True
        line.due += step
        line.socket.sendall(self.request())

    def _receive(self, line: _Line) -> None:
        try:
            came = line.socket.recv(_BATCH)
        except ConnectionError:
            came = b""
        if not came:
            self._reconnect(line)
            return
        line.seen += came
        head = line.seen.find(b"\r\n\r\n")
        if head < 0:
            return
        at = line.seen.lower().find(b"content-length:", 0, head)
        length = int(line.seen[at + 15 : line.seen.index(b"\r\n", at)]) if at >= 0 else 0
        if len(line.seen) < head + 4 + length:
            return
        self.refused += line.seen[9:10] != b"2"
        self.taken.append(time.perf_counter() - line.began)
        line.seen, line.waits = b"", False


def main() -> None:
    what = Press(**json.loads(sys.argv[1]))
    sender = _Sender(what)
    began, used = time.perf_counter(), time.process_time()
    sender.run()
    seconds = time.perf_counter() - began
    taken = sorted(sender.taken)
    found = Found(
        answers=len(taken),
        refused=sender.refused,
        per_second=len(taken) / seconds,
        p50_ms=taken[len(taken) // 2] * 1000,
        p99_ms=taken[int(len(taken) * 0.99)] * 1000,
        sender_share=(time.process_time() - used) / seconds,
    )
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
