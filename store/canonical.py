"""The one byte form of a JSON value: what is hashed, signed and compared. Pure."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import orjson

from store.records import Json, StoreError

MAX_DEPTH = 64
_EASY = frozenset({bool, type(None)})
_LOOKED_INTO = frozenset({dict, list, float})
_SMALLEST, _LARGEST = 1e-4, 1e16  # where Python begins to write floats with an exponent
MAX_INTEGER_BITS = 8192  # Python itself refuses to print an integer of 4,300 digits


class Unreadable(StoreError, ValueError):
    """A value is not what it claims to be: no JSON, or parts that make no document.

    `str()` names the place and the cause, never the value.
    """


class _Place:
    """Where in a value we are; spelled out only when something is wrong there."""

    __slots__ = ("depth", "step", "up")

    def __init__(self, up: _Place | None, step: str | int) -> None:
        self.up = up
        self.step = step
        self.depth: int = 0 if up is None else up.depth + 1

    def __str__(self) -> str:
        if self.up is None:
            return str(self.step)
        if isinstance(self.step, int):
            return f"{self.up}[{self.step}]"
        return f"{self.up}.{self.step[:80].encode('ascii', 'backslashreplace').decode()}"


def canonical(value: Json) -> bytes:
    """Return the one byte form of *value*: sorted keys, no spaces, UTF-8.

    Keys sort by code point. 1 and 1.0 stay different; a tuple is written as a list.

    Raises:
        Unreadable: Not JSON: NaN or an infinity, a lone surrogate, a key that is not text,
            an object of another type, more than 64 levels, an integer of more than 8,192 bits.
    """
    return encode(plain(value))


def encode(value: Json) -> bytes:
    """Return the byte form of a value that `plain` returned.

    orjson writes the same bytes many times faster, but for very large and very small floats
    (1e16, where Python writes 1e+16) and integers of more than 64 bits: a value with one of them
    is left to Python.
    """
    if not _has_odd_float(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            pass  # a large integer; what is no JSON at all fails there too
    return _encode_slowly(value)


def _has_odd_float(value: Json) -> bool:
    """Whether Python writes some float in *value* with an exponent, or cannot write it."""
    waiting = [value]
    add = waiting.append
    for here in waiting:  # it grows while we go
        kind = here.__class__
        if kind is dict:
            for item in here.values():
                if item.__class__ in _LOOKED_INTO:
                    add(item)
        elif kind is list:
            for item in here:
                if item.__class__ in _LOOKED_INTO:
                    add(item)
        elif kind is float and not (_SMALLEST <= abs(here) < _LARGEST or here == 0):
            return True
    return False


def _encode_slowly(value: Json) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def is_plain(value: Json) -> bool:
    """Whether *value* is what `plain` would return of it; many times quicker than making that."""
    dicts: list[dict[str, Json]] = [value] if value.__class__ is dict else []
    lists: list[list[Json]] = [] if dicts else [[value]]
    for _ in range(MAX_DEPTH + (not dicts)):
        inner_dicts: list[dict[str, Json]] = []
        inner_lists: list[list[Json]] = []
        if not all(key.__class__ is str and _is_text(key) for key in set().union(*dicts)):
            return False
        for item in chain(chain.from_iterable(map(dict.values, dicts)), chain.from_iterable(lists)):
            kind = item.__class__
            if kind is str:
                if not item.isascii() and not _is_text(item):
                    return False
            elif kind is dict:
                inner_dicts.append(item)
            elif kind is list:
                inner_lists.append(item)
            elif kind not in _EASY and not _is_plain_number(item):
                return False
        if not inner_dicts and not inner_lists:
            return True
        dicts, lists = inner_dicts, inner_lists
    return False


def _is_plain_number(value: Json) -> bool:
    kind = value.__class__
    if kind is int:
        return bool(value.bit_length() <= MAX_INTEGER_BITS)
    return kind is float and math.isfinite(value)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def no_collection() -> Iterator[None]:
    """Let the collector rest: it would go through all that is made, again and again, for nothing.

    Parsing 4 MB makes a few hundred thousand objects, and no cycle.
    """
    resting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if resting:
            gc.enable()


def plain(value: Json) -> Json:
    """Return a copy of *value* made of dict, list, str, int, float, bool and None alone.

    Raises:
        Unreadable: As `canonical`.
    """
    return _plain(value, _Place(None, "$"))


def _plain(value: Json, place: _Place) -> Json:
    if isinstance(value, str):
        return _text(value, place)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(int(value), place)
    if isinstance(value, float):
        return _float(float(value), place)
    if place.depth >= MAX_DEPTH:
        raise Unreadable(f"{place}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {_key(key, place): _plain(item, _Place(place, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, _Place(place, index)) for index, item in enumerate(value)]
    raise Unreadable(f"{place}: {type(value).__name__} is not JSON")


def _key(key: object, place: _Place) -> str:
    if not isinstance(key, str):
        raise Unreadable(f"{place}: a key is a {type(key).__name__}, not text")
    return _text(key, place)


def _text(value: str, place: _Place) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unreadable(f"{place}: a lone surrogate is not text") from None
    return value if type(value) is str else str.__str__(value)


def _integer(value: int, place: _Place) -> int:
    if value.bit_length() > MAX_INTEGER_BITS:
        raise Unreadable(f"{place}: an integer of {value.bit_length()} bits")
    return value


def _float(value: float, place: _Place) -> float:
    if not math.isfinite(value):
        raise Unreadable(f"{place}: {value} is not JSON")
    return value
