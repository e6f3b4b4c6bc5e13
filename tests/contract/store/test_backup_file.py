"""A copy of an SQLite file is one moment of it, whole and by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store import backup
from store.records import Corrupt, Unavailable
from store.session import SqlStore
from tests.contract.store import behind
from tests.contract.store.things import a_document, new_version, recorded


def count(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        (found,) = database.execute("SELECT COUNT(*) FROM version").fetchone()
        return int(found)


async def test_a_copy_beside_an_open_store_has_all_that_was_committed(
    sqlite_store: SqlStore, sqlite_url: str, tmp_path: Path
) -> None:
    for n in range(3):
        await recorded(sqlite_store, new_version(f"live-{n}"), a_document(f"{n}" * 5000))
    source, part, file = Path(behind.path_of(sqlite_url)), tmp_path / "part", tmp_path / "copy.db"
    seen: list[tuple[int, int]] = []

    assert backup.in_use(source)
    backup.copy_file(source, part, advance=lambda done, of: seen.append((done, of)))
    backup.seal(part)
    file.write_text("what was there before")
    backup.put_in_place(part, file)

    assert count(file) == 3
    assert seen[-1][0] == seen[-1][1] > 0
    assert not backup.in_use(file)
    assert not part.exists()
    backup.discard(file)
    backup.discard(file)
    assert not file.exists()


async def test_a_damaged_copy_is_not_sealed(
    sqlite_store: SqlStore, sqlite_url: str, tmp_path: Path
) -> None:
    for n in range(30):
        await recorded(sqlite_store, new_version(f"live-{n}"), a_document(f"prompt {n}" * 50))
    copy = tmp_path / "copy.db"
    backup.copy_file(Path(behind.path_of(sqlite_url)), copy, advance=lambda _done, _of: None)
    behind.scratch(f"sqlite:///{copy}")

    with pytest.raises(Corrupt):
        backup.seal(copy)


def test_what_is_not_there_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        backup.copy_file(tmp_path / "no.db", tmp_path / "copy.db", advance=lambda _done, _of: None)
