"""The database as a whole: backed up, and copied into another one."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bot.opening import opened
from store import backup, transfer
from store.address import shown, translate_url
from store.audit import verify
from store.records import Corrupt, NotEmpty, PauseOrigin
from store.schema import HEAD
from store.session import migrate

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Backup:
    """A copy that was checked: its file, what it holds, and where its audit chain ends."""

    file: Path
    size: int  # bytes
    revision: str  # of the schema
    versions: int
    entries: int
    head: str


async def back_up(url: str, source: Path, file: Path, *, advance: Advance) -> Backup:
    """Copy the SQLite database at *url*, the file *source*, to *file*, also while it is in use.

    The copy is paused: whoever serves from it first compares it with reality. *file* is there
    only when all of it was copied and checked; what was there before is replaced
    then. Nobody but its owner may read it.

    Raises:
        Unavailable: The database cannot be read, or *file* not be written.
        NotMigrated: The database is not at this program's schema.
        Corrupt: The copy is damaged, or its audit chain broken.
    """
    async with opened(url):
        pass  # it is one of ours, and at this schema
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        await asyncio.to_thread(backup.copy_file, source, part, advance=advance)
        made = await _checked(part, file)
        await asyncio.to_thread(backup.seal, part)
        await asyncio.to_thread(backup.put_in_place, part, file)
    finally:
        backup.discard(part)
    return made


@dataclass(frozen=True)
class Copied:
    """What was copied: rows by table, and where the audit chain ends in both."""

    rows: dict[str, int]
    entries: int
    head: str


async def copy_store(source: str, target: str, *, advance: Callable[[int, str], None]) -> Copied:
    """Copy the whole store at *source* to the empty database *target*, which is migrated first.

    All of it or nothing; the copy is paused. Calls *advance* with (rows done, table).

    Raises:
        NotEmpty: *target* holds something, or is *source*.
        StillUsed: A service works with *source*.
        NotMigrated: *source* is not at this program's schema.
        Unavailable: Either does not answer.
        Corrupt: What came over is not what was there.
    """
    if translate_url(source) == translate_url(target):
        raise NotEmpty("it is the database that is copied")
    async with opened(source):
        pass  # it is at this schema
    await transfer.check_unused(source)
    await transfer.check_empty(target)
    await asyncio.to_thread(migrate, target)
    done = await transfer.transfer(source, target, advance=advance)
    return Copied(done.rows, done.entries, done.head)


async def rows_in(url: str) -> int:
    """How many rows the database at *url* has, in all its tables."""
    return await transfer.rows_in(url)


def in_use(file: Path) -> bool:
    """Whether somebody has the SQLite file *file* open, or was killed with it."""
    return backup.in_use(file)


def address_to_show(url: str) -> str:
    """*url* as libpq takes it, without its password."""
    return shown(url)


async def _checked(part: Path, file: Path) -> Backup:
    async with opened(f"sqlite:///{quote(str(part))}") as store:
        async with store.write() as tx:
            await tx.pause.mark(PauseOrigin.BACKUP, "restored from a backup", entry=None)
        found = await verify(store)
        if not found.ok:
            raise Corrupt(
                f"the audit chain of the copy is broken at {found.broken_at}: {found.why}"
            )
        async with store.read() as tx:
            versions = await tx.versions.count()
    found_file = await asyncio.to_thread(part.stat)
    return Backup(file, found_file.st_size, HEAD, versions, found.entries, found.head)
