"""Column types: times that are always aware and in UTC, and JSON that survives every database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from store.records import NaiveTime, Unstorable

_read = json.JSONDecoder().decode
BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts rowids in INTEGER alone


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; `timestamptz` on PostgreSQL, sortable text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(26))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a naive time: nobody could say later what it meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise NaiveTime(f"{value.isoformat()} has no time zone")
        try:
            utc = value.astimezone(UTC)
        except OverflowError:
            raise Unstorable(f"{value.isoformat()} is no time in UTC") from None
        if dialect.name != "sqlite":
            return utc
        return utc.replace(tzinfo=None).isoformat(" ", "microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        stored: datetime = value
        if stored.tzinfo is None:  # asyncpg keeps the first and the last moment as infinity
            return stored.replace(tzinfo=UTC)
        return stored.astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """A JSON value as text, keys sorted; what no database can keep is refused by name."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        try:
            text = json.dumps(
                value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
            )
            text.encode()  # half a character (a lone surrogate) is no text
        except (TypeError, ValueError) as error:
            raise Unstorable(f"not JSON: {error}") from error
        return text

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else _read(value)  # orjson rounds long integers


class SafeText(TypeDecorator[str]):
    """Text without NUL and lone surrogates, which PostgreSQL refuses in the middle of things."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Unstorable("text with half a character (a lone surrogate)") from error
        if "\0" in value:
            raise Unstorable("text with a NUL character")
        return value
