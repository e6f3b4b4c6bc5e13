"""`keyturn serve` as a process of its own, and what it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.forks.process import Forked

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Served:
    """A running `keyturn serve`; `lines` is what it has logged so far."""

    process: Forked | asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    _port: asyncio.Future[int] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    _reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, environment: Mapping[str, str], *, cwd: Path, forked: bool = True
    ) -> Served:
        """Start it on a free port of loopback; its door may not be open yet.

        One that is not *forked* takes longer, and what is preloaded into it is.
        """
        words = ("bot", "serve", "--host", "127.0.0.1", "--port", "0")
        env = {**environment, "PYTHONPATH": str(ROOT)}
        served = cls(
            await Forked.start(*words, env=env, cwd=cwd)
            if forked
            else await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *words),
                env=env,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        )
        served._reading = asyncio.create_task(served._read())
        return served

    async def port(self, *, within: float) -> int:
        """Wait until its door is open; return the port.

        Raises:
            AssertionError: It ended instead; the text is what it said.
            TimeoutError: It did neither.
        """
        async with asyncio.timeout(within):
            return await asyncio.shield(self._port)

    async def ended(self, *, within: float) -> int:
        """Wait until it has ended; return its code: the signal's number, negative, if killed."""
        async with asyncio.timeout(within):
            code = await self.process.wait()
            if self._reading is not None:
                await self._reading
        return code

    async def stop(self, *, within: float = 30.0) -> int:
        """Tell it to stop, and wait until it has."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        return await self.ended(within=within)

    async def kill(self) -> None:
        """Kill it, if it still runs."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.ended(within=30.0)

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            self.lines.append(line)
            port = _port_in(line)
            if port is not None and not self._port.done():
                self._port.set_result(port)
        if not self._port.done():
            self._port.set_exception(AssertionError("\n".join(self.lines[-20:])))
            self._port.exception()  # seen: nobody may be waiting for the port any more


def _port_in(line: str) -> int | None:
    """The port in the log line that says that the door is open."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("message") != "serving":
        return None
    port = said.get("port")
    return port if isinstance(port, int) else None
