"""What is sealed opens under our keys, for the rollback that it was made for, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import SealBroken
from bot.ports.target import SecretValues
from bot.sealing import KeyedSealing

OLD, NEW, OTHER = (bytes([number]) * 32 for number in (1, 2, 3))
VALUES = SecretValues({"38b095ac": "sk-canary-ü-\udcff", "8103624d": ""})


@given(values=st.dictionaries(st.text(), st.text()), number=st.integers(1, 2**62))
def test_what_is_sealed_comes_back_as_it_was(values: dict[str, str], number: int) -> None:
    sealing = KeyedSealing([OLD])

    sealed = sealing.seal(SecretValues(values), rollback_id=number)

    assert sealing.open(sealed, rollback_id=number) == SecretValues(values)


def test_nothing_of_a_value_is_in_the_seal_or_in_what_a_log_would_show() -> None:
    sealed = KeyedSealing([OLD]).seal(SecretValues({"id": "sk-canary"}), rollback_id=1)

    assert b"canary" not in sealed
    assert "canary" not in repr(SecretValues({"id": "sk-canary"}))


def test_the_same_values_are_sealed_into_other_bytes_each_time() -> None:
    sealing = KeyedSealing([OLD])

    assert sealing.seal(VALUES, rollback_id=1) != sealing.seal(VALUES, rollback_id=1)


def test_the_first_key_seals_and_each_of_them_opens() -> None:
    before, rotating, after = KeyedSealing([OLD]), KeyedSealing([NEW, OLD]), KeyedSealing([NEW])

    assert rotating.open(before.seal(VALUES, rollback_id=1), rollback_id=1) == VALUES
    assert after.open(rotating.seal(VALUES, rollback_id=1), rollback_id=1) == VALUES
    with pytest.raises(SealBroken):
        before.open(rotating.seal(VALUES, rollback_id=1), rollback_id=1)


@pytest.mark.parametrize("keys", [[OTHER], []])
def test_without_its_key_a_seal_stays_shut(keys: list[bytes]) -> None:
    sealed = KeyedSealing([OLD]).seal(VALUES, rollback_id=1)

    with pytest.raises(SealBroken):
        KeyedSealing(keys).open(sealed, rollback_id=1)


@pytest.mark.parametrize(("made_for", "put_into"), [(1, 2), (1, 11), (11, 1)])
def test_a_seal_in_another_rollbacks_row_stays_shut(made_for: int, put_into: int) -> None:
    sealing = KeyedSealing([OLD])

    with pytest.raises(SealBroken):
        sealing.open(sealing.seal(VALUES, rollback_id=made_for), rollback_id=put_into)


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\xff" * 40])
def test_what_is_no_seal_does_not_open(damage: bytes) -> None:
    with pytest.raises(SealBroken):
        KeyedSealing([OLD]).open(damage, rollback_id=1)


@pytest.mark.parametrize("place", [0, 9, 40, -1])
def test_a_seal_with_one_other_bit_does_not_open(place: int) -> None:
    sealed = bytearray(KeyedSealing([OLD]).seal(VALUES, rollback_id=1))
    sealed[place] ^= 1

    with pytest.raises(SealBroken):
        KeyedSealing([OLD]).open(bytes(sealed), rollback_id=1)


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(ValueError, match="without a key"):
        KeyedSealing([]).seal(VALUES, rollback_id=1)
