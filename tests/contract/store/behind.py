"""The database behind the store's back: what only an administrator, an attacker or chance does."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import asyncpg
import zstandard

from store.records import AuditEntry
from store.session import SqlStore

PARTS = "part"
AUDIT = "audit"
HEAD = "audit_head"
SLOTS = "slot"
VOTES = "vote"
CASES = "cases"
HASHES_AS_BYTES: tuple[str, ...] = ()
DAMAGES = ("flipped", "swapped", "gone")
TRIGGERS = {
    "sqlite": ("audit_no_update", "audit_no_delete", "audit_no_replace"),
    "postgres": ("audit_append_only", "audit_no_truncate"),
}


class Sql:
    """SQL with `?` marks on either kind of database, each statement committed at once."""

    def __init__(self, sqlite: sqlite3.Connection | None, postgres: Any) -> None:
        self._sqlite = sqlite
        self._postgres = postgres

    @property
    def kind(self) -> str:
        return "sqlite" if self._sqlite is not None else "postgres"

    async def __call__(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if self._sqlite is not None:
            return list(self._sqlite.execute(statement, values).fetchall())
        for n in range(1, len(values) + 1):
            statement = statement.replace("?", f"${n}", 1)
        return [tuple(row) for row in await self._postgres.fetch(statement, *values)]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Sql]:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(path_of(url), isolation_level=None)
        try:
            yield Sql(connection, None)
        finally:
            connection.close()
        return
    postgres = await asyncpg.connect(url)
    try:
        yield Sql(None, postgres)
    finally:
        await postgres.close()


def path_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


async def count(url: str, table: str) -> int:
    async with connected(url) as sql:
        return int((await sql(f"SELECT count(*) FROM {table}"))[0][0])


async def tables(sql: Sql) -> list[str]:
    found = await sql(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if sql.kind == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    return sorted(name for (name,) in found)


async def sizes(url: str) -> dict[str, int]:
    """How many rows each table has."""
    async with connected(url) as sql:
        return {
            name: int((await sql(f"SELECT count(*) FROM {name}"))[0][0])
            for name in await tables(sql)
        }


async def damage_parts(url: str, how: str) -> None:
    """Do to every stored part what a bad disk does."""
    async with connected(url) as sql:
        rows = await sql(f"SELECT id, data FROM {PARTS}")
        if how == "gone" and sql.kind == "sqlite":
            await sql("PRAGMA foreign_keys = OFF")
        for part_id, data in rows:
            if how == "flipped":
                spoiled = bytearray(data)
                spoiled[len(spoiled) // 2] ^= 1
                await sql(f"UPDATE {PARTS} SET data = ? WHERE id = ?", bytes(spoiled), part_id)
            elif how == "swapped":
                other = zstandard.ZstdCompressor().compress(b'{"other": "content"}')
                await sql(f"UPDATE {PARTS} SET data = ? WHERE id = ?", other, part_id)
            else:
                await sql(f"DELETE FROM {PARTS} WHERE id = ?", part_id)


async def unlock_audit(sql: Sql) -> None:
    """Take the triggers away, as the owner of the database can."""
    on = "" if sql.kind == "sqlite" else f" ON {AUDIT}"
    for trigger in TRIGGERS[sql.kind]:
        await sql(f"DROP TRIGGER {trigger}{on}")


def rehashed(entry: AuditEntry) -> AuditEntry:
    """*entry* with the hash that its fields have, as anybody can compute it."""
    fields = asdict(entry)
    del fields["hash"]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return replace(entry, hash=hashlib.sha256(b"keyturn.audit.v1\n" + text.encode()).hexdigest())


async def insert_audit(sql: Sql, entry: AuditEntry) -> None:
    fields = asdict(entry) | {"what": json.dumps(entry.what)}
    for name in HASHES_AS_BYTES:
        fields[name] = bytes.fromhex(fields[name])
    marks = ", ".join("?" * len(fields))
    await sql(f"INSERT INTO {AUDIT} ({', '.join(fields)}) VALUES ({marks})", *fields.values())


@asynccontextmanager
async def locking(url: str) -> AsyncIterator[None]:
    """Another program that holds what every writer needs."""
    async with connected(url) as sql:
        if sql.kind == "sqlite":
            await sql("BEGIN IMMEDIATE")
        else:
            await sql("BEGIN")
            await sql(f"LOCK TABLE {CASES} IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            await sql("ROLLBACK")


async def cut_connections(url: str) -> None:
    """Do to every connection of a PostgreSQL database what a failing network does."""
    async with connected(url) as sql:
        await sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def renamed(url: str, database: str) -> str:
    """*url* with another database."""
    base, mark, query = url.partition("?")
    return f"{base.rpartition('/')[0]}/{database}{mark}{query}"


async def fill_up(store: SqlStore) -> None:
    """Let the disk under *store* (SQLite) be full: no page more than there is."""
    async with store.write() as tx:
        connection = await tx.audit._session.connection()
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


async def make_room(store: SqlStore) -> None:
    async with store.write() as tx:
        connection = await tx.audit._session.connection()
        await connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")


def scratch(url: str) -> None:
    """Scratch every page of a SQLite file but the first."""
    path = Path(path_of(url))
    content = bytearray(path.read_bytes())
    for at in range(4096, len(content), 4096):
        content[at : at + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))


def overwrite(url: str) -> None:
    """Overwrite all of a SQLite file but its first page."""
    path = Path(path_of(url))
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 200_000)
