"""Run `python -m …` by a fork of a process that has everything imported; see `server`."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import BinaryIO

from tests.forks.server import Order

ROOT = Path(__file__).resolve().parents[2]


class Forked:
    """A forked program, as `asyncio.subprocess.Process` is one; its three streams are pipes."""

    def __init__(
        self,
        told: asyncio.StreamReader,
        stdin: asyncio.StreamWriter,
        stdout: asyncio.StreamReader,
        stderr: asyncio.StreamReader,
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.pid = 0
        self.returncode: int | None = None
        self._told = told
        self._ending: asyncio.Task[int] | None = None
        self._read_to_the_end: list[asyncio.Event] = []

    @classmethod
    async def start(
        cls,
        module: str,
        *words: str,
        env: Mapping[str, str],
        cwd: Path,
        prepared: tuple[str, ...] = (),
    ) -> Forked:
        """Run *module* as a program; returns when it has begun.

        The modules *prepared* have been imported for it; without any, all of `bot` and `store`.
        """
        ours, theirs = zip(*(_pipe(read=read) for read in (False, True, True, True)), strict=True)
        _send(Order(module, words, dict(env), str(cwd)), theirs, prepared)
        stdin, stdout, stderr, told = ours
        read = [await _reader(one) for one in (told, stdout, stderr)]
        readers, ends = zip(*read, strict=True)
        forked = cls(readers[0], await _writer(stdin), readers[1], readers[2])
        forked._read_to_the_end = list(ends)
        forked.pid = int(await forked._told.readline())
        forked._ending = asyncio.create_task(forked._end(), name=f"forked-{forked.pid}")
        return forked

    async def _end(self) -> int:
        code = int(await self._told.readline())
        self.stdin.close()
        for end in self._read_to_the_end:
            await end.wait()
        self.returncode = code
        return code

    async def wait(self) -> int:
        """Wait until it has ended; return its code: the signal's number, negative, if killed."""
        assert self._ending is not None
        return await asyncio.shield(self._ending)

    async def communicate(self, said: bytes | None = None) -> tuple[bytes, bytes]:
        """Say *said* and no more; return the rest of what it says, when it has ended."""
        if said:
            self.stdin.write(said)
        self.stdin.close()
        out, errors, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, errors

    def send_signal(self, number: int) -> None:
        """Raises `ProcessLookupError` when it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def kill(self) -> None:
        """As `send_signal`."""
        self.send_signal(signal.SIGKILL)


def run(
    module: str,
    *words: str,
    env: Mapping[str, str],
    cwd: Path,
    within_s: float,
    prepared: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run *module* as a program that is told nothing; wait for its end.

    Raises:
        TimeoutError: It took longer than *within_s*; it goes on.
    """

    async def ran() -> subprocess.CompletedProcess[str]:
        async with asyncio.timeout(within_s):
            process = await Forked.start(module, *words, env=env, cwd=cwd, prepared=prepared)
            out, errors = await process.communicate()
        assert process.returncode is not None
        return subprocess.CompletedProcess(words, process.returncode, out.decode(), errors.decode())

    return asyncio.run(ran())


@cache
def _server(prepared: tuple[str, ...]) -> socket.socket:
    """The server of this very process that has these imported, and ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = subprocess.Popen(
        (sys.executable, "-m", "tests.forks.server", str(theirs.fileno()), *prepared),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
    )
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


def _send(order: Order, descriptors: tuple[int, ...], prepared: tuple[str, ...]) -> None:
    try:
        socket.send_fds(_server(prepared), [json.dumps(asdict(order)).encode()], descriptors)
    finally:
        for one in descriptors:
            os.close(one)


def _pipe(*, read: bool) -> tuple[BinaryIO, int]:
    """Our end, and the descriptor of theirs."""
    reading, writing = os.pipe()
    ours, theirs = (reading, writing) if read else (writing, reading)
    return open(ours, "rb" if read else "wb", buffering=0), theirs


class _Reading(asyncio.StreamReaderProtocol):
    """Says when nothing more will come."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self.ended = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ended.set()


async def _reader(file: BinaryIO) -> tuple[asyncio.StreamReader, asyncio.Event]:
    reader = asyncio.StreamReader()
    protocol = _Reading(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, file)
    return reader, protocol.ended


async def _writer(file: BinaryIO) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), file
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)
