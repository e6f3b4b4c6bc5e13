from __future__ import annotations

import json
import math
from collections import OrderedDict
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.canonical import MAX_DEPTH, is_plain, plain
from store.document import Unreadable, canonical, encode
from tests.unit.store.odd_documents import values


class Colour(StrEnum):
    RED = "red"


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def test_keys_are_sorted_and_nothing_is_spaced_or_escaped() -> None:
    assert canonical({"b": [1, 2.5, None], "a": "é\n"}) == '{"a":"é\\n","b":[1,2.5,null]}'.encode()


def test_an_integer_is_not_its_float() -> None:
    assert canonical(1) != canonical(1.0)


def test_a_text_that_is_an_enum_member_is_its_text() -> None:
    assert canonical({Colour.RED: Colour.RED}) == b'{"red":"red"}'


@given(values)
def test_the_bytes_read_back_are_the_value(value: object) -> None:
    assert canonical(json.loads(canonical(value))) == canonical(value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [0, math.nan]}, "$.a[1]: nan"),
        ({"a": math.inf}, "$.a: inf"),
        ({"a": {"b": "\ud800"}}, "$.a.b: a lone surrogate"),
        ({"\udfff": 1}, "$: a lone surrogate"),
        ({"a": {1: 2}}, "$.a: a key is a int"),
        ({"a": b"bytes"}, "$.a: bytes"),
        ({"a": {1, 2}}, "$.a: set"),
        ({"a": 1 << 9000}, "$.a: an integer of 9001 bits"),
        (nested(65), "nested deeper than 64"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: object, place: str) -> None:
    with pytest.raises(Unreadable) as refused:
        canonical(value)

    assert place in str(refused.value)


def test_sixty_four_levels_are_not_too_deep() -> None:
    assert canonical(nested(64)) == b"[" * 64 + b"1" + b"]" * 64


def test_a_place_never_shows_a_value_and_survives_any_key() -> None:
    with pytest.raises(Unreadable) as refused:
        canonical({"k\u202e" * 100: {"x": math.nan, "password": "hunter22"}})

    assert "hunter22" not in str(refused.value)
    assert str(refused.value).isascii()


floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.one_of(values, floats, st.lists(st.floats(1e-6, 1e-3)), st.lists(st.floats(1e14, 1e18))))
def test_the_quick_way_writes_what_python_writes(value: Any) -> None:
    """The form is frozen: roots and audit hashes of years are over it."""
    dumped = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert encode(value) == dumped.encode()


@pytest.mark.parametrize("power", range(-325, 308))
def test_floats_of_every_size_are_written_as_python_writes_them(power: int) -> None:
    for digits in ("1", "5", "1.5", "9.301334780237422", "1.2345678901234567"):
        value = float(f"{digits}e{power}")

        assert encode(value) == repr(value).encode()


@given(values)
def test_what_is_plain_is_known_without_making_it(value: object) -> None:
    assert is_plain(plain(value))


@pytest.mark.parametrize(
    "value",
    [
        *((1,), {"a": (1,)}, {1: "a"}, {"a": {None: 1}}, [float("nan")], {"a": -float("inf")}),
        *("\ud800", ["\udfff"], {"\ud800": 1}, [{"a": {"\ud800": 1}}], {"a": object()}, b"a"),
        *(2**8192, [2**9000], OrderedDict(a=1), [Colour.RED], {"a": Colour.RED}),
        *(nested(MAX_DEPTH + 1), [nested(MAX_DEPTH)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_not_taken_for_it(value: Any) -> None:
    assert not is_plain(value)


@pytest.mark.parametrize("value", [nested(MAX_DEPTH), "é", 1, None, [], {}, [[], {}], 2**8000])
def test_what_is_plain_up_to_the_limits_is(value: Any) -> None:
    assert is_plain(value)
    assert plain(value) == value
