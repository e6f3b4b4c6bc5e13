"""Columns as all tables have them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index
from sqlalchemy import text as sql_text
from sqlmodel import Field

from store.types import BigId, JsonText, SafeText, UtcDateTime


def row_id() -> Any:
    """The number that the database gives a row."""
    return Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))


def key() -> Any:
    """A text that is the primary key, or a part of it."""
    return Field(sa_column=Column(SafeText, primary_key=True))


def big(*args: Any, **options: Any) -> Any:
    """A whole number of 64 bits."""
    return Field(sa_column=Column(BigInteger, *args, **options))


def text(**options: Any) -> Any:
    """A text that is always there, maybe empty."""
    return Field(sa_column=Column(SafeText, nullable=False, **options))


def maybe_text(**options: Any) -> Any:
    """A text, or none."""
    return Field(default=None, sa_column=Column(SafeText, nullable=True, **options))


def time(*, nullable: bool = False, **options: Any) -> Any:
    """A moment, in UTC."""
    column: Column[Any] = Column(UtcDateTime, nullable=nullable, **options)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def json(*, nullable: bool = False) -> Any:
    """A value that is stored as JSON."""
    column: Column[Any] = Column(JsonText, nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows of *where* alone, a condition that both databases read."""
    condition = sql_text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
