"""A sink that keeps events in a file, one JSON object a line.

Lines are on the disk when `send` returns. A line that a crash cut off is cut away before the next
one is written: it was not settled, so it comes again.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.domain import cloudevent
from bot.errors import UpstreamDown
from store.records import Announcement

_MODE = 0o600
_LOOK_BACK = 64 * 1024


class EventFile:
    """Appends to a file; when it has grown it is put beside, and a new one is begun."""

    at_once = 100

    def __init__(self, name: str, *, path: Path, most_bytes: int, keep: int, base: str) -> None:
        """Take what writing needs; nothing is opened yet.

        Args:
            name: Of the sink, for people.
            path: The file; its folder must be there.
            most_bytes: The size at which it is put beside as `NAME.1`.
            keep: How many of those there are at most; the oldest goes. 0 keeps all.
            base: Our own public address, for the source of events.
        """
        self._name = name
        self._path = path
        self._most_bytes = most_bytes
        self._keep = keep
        self._base = base

    async def send(self, events: Sequence[Announcement]) -> None:
        lines = [_line(cloudevent.event(one, self._base)) for one in events]
        try:
            await asyncio.to_thread(self._append, b"".join(lines))
        except OSError as error:
            raise UpstreamDown(self._name, _why(error)) from error

    async def greet(self) -> None:
        """Return if the file can be opened to write."""
        try:
            await asyncio.to_thread(self._append, b"")
        except OSError as error:
            raise UpstreamDown(self._name, _why(error)) from error

    async def close(self) -> None:
        """Nothing stays open."""

    def _append(self, lines: bytes) -> None:
        """Write *lines*, all or none; processes of one machine take turns."""
        with _turn(self._path):
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
            try:
                size = _mend(file)
                if size and size + len(lines) > self._most_bytes:
                    self._put_beside()
                    os.close(file)
                    file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
                    size = 0
                _write(file, lines, size)
            finally:
                os.close(file)
            if not size:
                _sync(self._path.parent)

    def _put_beside(self) -> None:
        """`NAME` becomes `NAME.1`, that `NAME.2`, and so on."""
        count = 1
        while self._beside(count).exists():
            count += 1
        for number in range(count - 1, 0, -1):
            if self._keep and number >= self._keep:
                self._beside(number).unlink()
            else:
                self._beside(number).replace(self._beside(number + 1))
        self._path.replace(self._beside(1))

    def _beside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _line(event: object) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Nobody else writes meanwhile; the lock is of a file beside, since *path* changes its name."""
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, _MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _mend(file: int) -> int:
    """Cut away what stands after the last whole line; return the size."""
    size = os.fstat(file).st_size
    end = size
    while end:
        begin = max(end - _LOOK_BACK, 0)
        newline = os.pread(file, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            end = begin + newline + 1
            break
        end = begin
    if end != size:
        os.ftruncate(file, end)
    return end


def _write(file: int, lines: bytes, size: int) -> None:
    """Write *lines* behind *size* bytes; what the disk does not take leaves nothing of them."""
    try:
        done = 0
        while done < len(lines):
            done += os.pwrite(file, lines[done:], size + done)
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _why(error: OSError) -> str:
    return (error.strerror or "it cannot be written").lower()
