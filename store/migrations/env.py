"""Run by alembic: one connection, one lock, so that two processes may migrate at once."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL
from sqlmodel import SQLModel

import store.tables  # noqa: F401  # so that the metadata is complete
from store.engine import open_engines
from store.schema import newer

LOCK = 0x6B657974  # any number that nobody else takes for an advisory lock


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if newer(_revision(connection)):
        return
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        render_item=_render,
    )
    with context.begin_transaction():
        context.run_migrations()


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


def _render(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Let new revisions name our column types by where they are."""
    if kind == "type" and type(item).__module__ == "store.types":
        return f"types.{type(item).__name__}()"
    return False


async def _migrate(url: URL) -> None:
    engine, _ = open_engines(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


asyncio.run(_migrate(context.config.attributes["url"]))
