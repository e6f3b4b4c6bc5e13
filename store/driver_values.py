"""Values as the drivers are given them: what `store.types` does for SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from store.records import NaiveTime, Unstorable


def utc_of(value: datetime) -> datetime:
    """As `store.types.UtcDateTime` takes it."""
    if value.tzinfo is None:
        raise NaiveTime(f"{value.isoformat()} has no time zone")
    try:
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    except OverflowError:
        raise Unstorable(f"{value.isoformat()} is no time in UTC") from None


def as_text(utc: datetime) -> str:
    """As `store.types.UtcDateTime` stores it on SQLite."""
    return utc.replace(tzinfo=None).isoformat(" ", "microseconds")


def safe_text(value: str) -> str:
    """As `store.types.SafeText` refuses it."""
    if "\0" in value:
        raise Unstorable("text with a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Unstorable("text with half a character (a lone surrogate)") from error
    return value


def json_text(value: Mapping[str, str]) -> str:
    """As `store.types.JsonText` writes it, for texts alone: in a third of the time."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError as error:
        raise Unstorable(f"not JSON: {error}") from error
