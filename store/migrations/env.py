"""Run by alembic: one connection, one lock, so that two processes may migrate at once."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import SQLModel

import store.tables  # noqa: F401  # so that the metadata is complete
from store.engine import open_engines
from store.schema import newer

LOCK = 0x6B657974  # any number that nobody else takes for an advisory lock
# Whoever waits for a table makes all others wait behind, who may read it now: a dump that runs
# would stop the service. So it is tried shortly, again and again, for as long as a dump may take.
TABLE_WAIT_S, TRIES, PAUSE_S = 3.0, 40, 5.0
_LOCKED = "55P03"  # lock_not_available
_log = logging.getLogger(__name__)


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        wait = text("SELECT set_config('lock_timeout', :wait, true)")
        connection.execute(wait, {"wait": f"{round(_told('table_wait_s', TABLE_WAIT_S) * 1000)}ms"})
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


def _told(name: str, usual: float) -> float:
    """What a test has set in place of the *usual* one."""
    return float(context.config.attributes.get(name, usual))


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
        for left in reversed(range(TRIES)):
            if await _is_migrated(engine, last=not left):
                break
            _log.warning("a table is in use, by a dump perhaps: trying again")
            await asyncio.sleep(_told("pause_s", PAUSE_S))
    finally:
        await engine.dispose()


async def _is_migrated(engine: AsyncEngine, *, last: bool) -> bool:
    """False when another has a table; the *last* time that is raised."""
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run)
    except DBAPIError as error:
        if last or getattr(error.orig, "sqlstate", None) != _LOCKED:
            raise
        return False
    return True


asyncio.run(_migrate(context.config.attributes["url"]))
