"""`keyturn backup`: a copy that is whole, whatever others write meanwhile, or none."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.domain.approval import MOVES
from store.audit import verify
from store.session import open_store
from tests.acceptance.commands import LIMIT_S, ROOT, keyturn
from tests.contract.store.behind import path_of
from tests.contract.store.things import an_entry, an_open_case
from tests.forks.process import Forked

HEAD = re.compile(r"(\d+) entries, head ([0-9a-f]{64})")


async def backup(url: str, file: Path, *words: str) -> tuple[int, str, str]:
    told = await keyturn(
        "backup", str(file), *words, variables={"DATABASE_URL": url}, cwd=file.parent
    )
    return told.returncode, told.stdout, told.stderr


async def filled(url: str, entries: int) -> tuple[int, str]:
    """Put a case and *entries* audit entries into the database; return the chain's head."""
    store = await open_store(url, moves=MOVES)
    try:
        await an_open_case(store)
        async with store.write() as tx:
            await tx.audit.append_many([an_entry(what={"n": n}) for n in range(entries)])
        async with store.read() as tx:
            return await tx.audit.head()
    finally:
        await store.close()


@asynccontextmanager
async def a_writer(url: str) -> AsyncIterator[None]:
    """Another process that writes all the time."""
    process = await Forked.start(
        *("tests.contract.store.another_process", "write", url, "writer"), env=os.environ, cwd=ROOT
    )
    try:
        process.stdin.write(b"go\n")
        before, _ = await head_of(url)
        async with asyncio.timeout(LIMIT_S):
            while (await head_of(url))[0] == before:  # noqa: ASYNC110  # no event crosses over
                await asyncio.sleep(0.02)
        yield
        assert process.returncode is None, "the writer wrote all the time"
    finally:
        process.kill()
        await process.communicate()


async def head_of(url: str) -> tuple[int, str]:
    store = await open_store(url, moves=MOVES)
    try:
        async with store.read() as tx:
            return await tx.audit.head()
    finally:
        await store.close()


def said_head(out: str) -> tuple[int, str]:
    found = HEAD.search(out)
    assert found is not None, out
    return int(found.group(1)), found.group(2)


async def test_the_copy_is_one_private_file_with_all_of_it(sqlite_url: str, tmp_path: Path) -> None:
    head = await filled(sqlite_url, 500)
    file = tmp_path / "copies" / "before upgrade.db"
    file.parent.mkdir()

    code, out, err = await backup(sqlite_url, file)

    assert (code, err) == (0, "")
    assert str(file) in out
    assert said_head(out) == head
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_backup_beside_a_writer_is_one_moment_of_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    await filled(sqlite_url, 5_000)
    file = tmp_path / "copy.db"
    async with a_writer(sqlite_url):
        before, _ = await head_of(sqlite_url)
        code, out, err = await backup(sqlite_url, file)
        after, _ = await head_of(sqlite_url)

    assert code == 0, err
    entries, head = said_head(out)
    assert before <= entries <= after
    store = await open_store(f"sqlite:///{file}", moves=MOVES)
    found = await verify(store)
    await store.close()
    assert (found.ok, found.entries, found.head) == (True, entries, head)


async def test_what_is_there_is_replaced_only_by_force(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    file.write_text("precious")

    refused, _, why = await backup(sqlite_url, file)
    kept = file.read_text()
    code, _, err = await backup(sqlite_url, file, "--force")

    assert (refused, kept) == (2, "precious")
    assert "--force" in why
    assert code == 0, err
    assert file.read_bytes().startswith(b"SQLite format 3")


async def test_the_database_itself_is_never_the_target(sqlite_url: str, tmp_path: Path) -> None:
    head = await filled(sqlite_url, 1)
    link = tmp_path / "link.db"
    link.symlink_to(path_of(sqlite_url))

    code, _, err = await backup(sqlite_url, link, "--force")

    assert code == 2
    assert "is the database itself" in err
    assert await head_of(sqlite_url) == head


async def test_a_broken_chain_makes_no_backup(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url, 5)
    with sqlite3.connect(path_of(sqlite_url)) as sql:
        sql.execute("UPDATE audit_head SET hash = ?", ("0" * 64,))
    sql.close()
    file = tmp_path / "copy" / "it.db"
    file.parent.mkdir()

    code, _, err = await backup(sqlite_url, file)

    assert code == 1
    assert "audit chain" in err
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql://bot:s3cret@db.example/keyturn", "postgresql://bot@db.example/keyturn"),
        (
            "postgres://bot:s3cret@db.example:5433/keyturn?sslmode=require",
            "postgresql://bot@db.example:5433/keyturn?sslmode=require",
        ),
    ],
)
async def test_on_postgresql_its_own_tool_is_named_without_the_password(
    tmp_path: Path, url: str, named: str
) -> None:
    code, out, err = await backup(url, tmp_path / "it.dump")

    assert code == 2
    assert "pg_dump" in err
    assert named in err
    assert "s3cret" not in out + err
