"""Look into parsed JSON: each getter returns the type it promises or names the place. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

import orjson

from bot.errors import AnswerUnreadable
from store.document import no_collection
from store.records import Json

SYSTEM = "Dify"

T = TypeVar("T")
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LARGE_INTEGER = b"0" * 19  # of 20 digits and more some have over 64 bits


def unreadable(place: str, what: str) -> AnswerUnreadable:
    """Return the error for an answer that is not of its form; the value itself is not quoted."""
    return AnswerUnreadable(SYSTEM, f"{place}: {what}")


def parse_json(data: bytes, place: str) -> Json:
    """Read *data* as JSON. Raises AnswerUnreadable for HTML, half an answer, NaN, deep nesting."""
    if _LARGE_INTEGER not in data.translate(_DIGITS):  # orjson would read it as a float
        try:
            with no_collection():
                return orjson.loads(data)
        except orjson.JSONDecodeError:
            pass  # no JSON, or half a surrogate somewhere: one name shall not hold up the others
    try:
        return json.loads(data, parse_constant=_no_such_number)
    except (ValueError, RecursionError) as error:
        looks = "a page, not JSON" if data.lstrip()[:1] == b"<" else "no JSON"
        raise unreadable(place, looks) from error


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def mapping(value: Json, place: str) -> Mapping[str, Json]:
    """*value* as a JSON object."""
    if not isinstance(value, dict):
        raise unreadable(place, "not an object")
    return value


def field(value: Json, key: str, place: str) -> Json:
    """What stands under *key*, which must be there."""
    here = mapping(value, place)
    if key not in here:
        raise unreadable(f"{place}.{key}", "missing")
    return here[key]


def text(value: Json, key: str, place: str) -> str:
    """The text under *key*."""
    found = field(value, key, place)
    if not isinstance(found, str):
        raise unreadable(f"{place}.{key}", "not a text")
    return found


def filled(value: Json, key: str, place: str) -> str:
    """The text under *key*, which is not empty."""
    found = text(value, key, place)
    if not found:
        raise unreadable(f"{place}.{key}", "empty")
    return found


def whole(value: Json, key: str, place: str) -> int:
    """The integer under *key*; a bool is none."""
    found = field(value, key, place)
    if not isinstance(found, int) or isinstance(found, bool):
        raise unreadable(f"{place}.{key}", "not an integer")
    return found


def moment(value: Json, key: str, place: str) -> datetime:
    """The time under *key*, which is in seconds since 1970."""
    try:
        return datetime.fromtimestamp(whole(value, key, place), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise unreadable(f"{place}.{key}", "not a time") from error


def flag(value: Json, key: str, place: str) -> bool:
    """The bool under *key*."""
    found = field(value, key, place)
    if not isinstance(found, bool):
        raise unreadable(f"{place}.{key}", "not true or false")
    return found


def items(value: Json, key: str, place: str) -> list[Json]:
    """The list under *key*."""
    found = field(value, key, place)
    if not isinstance(found, list):
        raise unreadable(f"{place}.{key}", "not a list")
    return found


def each(found: list[Json], place: str, read: Callable[[Json, str], T]) -> list[T]:
    """Read every element with its place."""
    return [read(item, f"{place}[{index}]") for index, item in enumerate(found)]
