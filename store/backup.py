"""A copy of an SQLite file while others write to it, by SQLite's own backup.

See https://www.sqlite.org/backup.html. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from store.faults import named_faults
from store.records import Corrupt

PAGES = 500  # between two looks at the bar
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file that is in use
Advance = Callable[[int, int], None]


def copy_file(source: Path, target: Path, *, advance: Advance) -> None:
    """Copy the database *source*, as it is at one moment, into the empty file *target*.

    Calls *advance* with (pages done, pages in all) on the way.

    Raises:
        Unavailable: It cannot be read or written.
        Corrupt: *source* is damaged.
    """

    def told(_status: int, left: int, total: int) -> None:
        advance(total - left, total)

    with named_faults(), closing(_reading(source)) as original:
        # The moment: with it held, what others write does not make the copying begin anew.
        original.execute("BEGIN")
        original.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            original.backup(copy, pages=PAGES, progress=told)


def seal(file: Path) -> None:
    """Check every page of *file*, make it one file with no log beside it, all of it on the disk.

    Raises:
        Corrupt: It is damaged.
        Unavailable: It cannot be read or written.
    """
    with named_faults():
        with closing(sqlite3.connect(file, isolation_level=None)) as copy:
            said = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if said != "ok":
                raise Corrupt(f"the copy is damaged ({str(said)[:120]})")
            copy.execute("PRAGMA journal_mode = DELETE")
        _sync(file)


def put_in_place(file: Path, target: Path) -> None:
    """Give *file* the name *target*, in the same folder, instead of what has it now."""
    with named_faults():
        file.replace(target)
        _sync(target.parent)


def in_use(file: Path) -> bool:
    """Whether *file* has a log beside it: somebody has it open, or was killed with it."""
    return any(file.with_name(file.name + end).exists() for end in BESIDE)


def discard(file: Path) -> None:
    """Remove *file* and what SQLite keeps beside it, as far as they are there."""
    for end in ("", *BESIDE):
        file.with_name(file.name + end).unlink(missing_ok=True)


def _reading(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
