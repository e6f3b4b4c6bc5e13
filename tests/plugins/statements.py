"""Statements are compiled once a worker, not once a test: half of what a store costs here.

SQLAlchemy keeps what it has compiled with the engine, under a key that its dialect is a part of. A
service opens one engine and keeps it; each test opens one of its own and would compile everything
anew. Here all engines of one kind share what was compiled, and the dialects of one class are taken
for equal: they speak to one SQLite, or to one server.
"""

from __future__ import annotations

import gc
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

_KINDS: tuple[Any, ...] = (PGDialect_asyncpg, SQLiteDialect_aiosqlite)
_compiled: dict[type, Any] = {}


def pytest_configure() -> None:
    """Let engines share what they compile."""
    for kind in _KINDS:
        kind.__eq__ = _of_one_kind
        kind.__hash__ = _by_kind
    event.listen(Engine, "engine_connect", _share)


def pytest_collection_finish() -> None:
    """Do not look through what was imported for garbage again and again: it stays."""
    gc.collect()
    gc.freeze()


def _share(connection: Connection) -> None:
    engine = connection.engine
    if isinstance(engine.dialect, _KINDS):
        kind = type(engine.dialect)
        engine._compiled_cache = _compiled.setdefault(kind, engine._compiled_cache)


def _of_one_kind(one: object, other: object) -> bool:
    return type(one) is type(other)


def _by_kind(one: object) -> int:
    return hash(type(one))
