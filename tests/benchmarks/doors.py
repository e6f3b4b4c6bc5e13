"""Programs with a door on loopback, run beside a benchmark."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LAST_BYTES = 2000
_START_S, _WARM_S, _IDLE_SHARE = 60.0, 60.0, 0.15


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as asked:
        asked.bind((LOOPBACK, 0))
        port: int = asked.getsockname()[1]
    return port


@asynccontextmanager
async def running(
    *command: str, port: int, env: Mapping[str, str], cwd: Path
) -> AsyncIterator[Process]:
    """Run *command*, which is to listen on *port*, until the block ends.

    Where it ends by itself, the last of what it said stands on standard error.
    """
    said = cwd / f"said-{port}.log"
    with said.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, env=dict(env), stdout=out, stderr=out
        )
    try:
        async with asyncio.timeout(_START_S):
            while not await _answers(port):
                assert process.returncode is None, f"{command} did not start"
                await asyncio.sleep(0.2)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        else:
            last = said.read_bytes()[-_LAST_BYTES:].decode(errors="replace")
            print(f"{command[:4]} ended with {process.returncode}: {last}", file=sys.stderr)
        await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


async def quiet(pid: int) -> None:
    """Wait until the process takes little of a core, as it does once it has warmed up."""
    until = time.monotonic() + _WARM_S
    before = cpu_seconds(pid)
    while time.monotonic() < until:
        await asyncio.sleep(1)
        now = cpu_seconds(pid)
        if now - before < _IDLE_SHARE:
            return
        before = now


def cpu_seconds(pid: int) -> float:
    """How long the process has run on any core so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
