"""INSERT … ON CONFLICT, which SQLite and PostgreSQL share but SQLAlchemy spells per dialect."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel


def insert(session: AsyncSession, table: type[SQLModel] | Table) -> Any:
    """Return an INSERT into *table* that takes `on_conflict_do_…` on the session's database."""
    dialect = session.get_bind().dialect.name
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_new(session: AsyncSession, table: Table, *, returning: tuple[str, ...] = ()) -> Any:
    """Return an INSERT of rows that are not there yet, which are given beside it.

    It is made once: SQLAlchemy compiles a statement that it knows three times as fast.
    """
    return _insert_new(session.get_bind().dialect.name, table, returning)


@cache
def _insert_new(dialect: str, table: Table, returning: tuple[str, ...]) -> Any:
    made = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    made = made.on_conflict_do_nothing()
    return made.returning(*(table.c[name] for name in returning)) if returning else made


def skip_locked(session: AsyncSession, query: Any) -> Any:
    """Let *query* take rows that nobody else holds; SQLite has one writer at a time anyway."""
    if session.get_bind().dialect.name == "sqlite":
        return query
    return query.with_for_update(skip_locked=True)
