"""The value behind a button is ours alone, and of one content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import button
from bot.errors import BadInput, OutOfDate
from tests.builders import KEYS, a_rollback


def test_what_was_signed_verifies_and_tells_its_round() -> None:
    value = button.sign(a_rollback(), "approve", keys=KEYS)

    claim = button.read(value)
    button.verify(claim, "approve", a_rollback(), keys=KEYS)

    assert (claim.rollback_id, claim.round, claim.nonce) == (17, 1, "n0nce")
    assert len(value) <= button.MAX_LENGTH


def test_the_first_key_writes_and_every_key_reads() -> None:
    old = button.sign(a_rollback(), "approve", keys=KEYS[1:])
    new = button.sign(a_rollback(), "approve", keys=KEYS)

    assert new == button.sign(a_rollback(), "approve", keys=KEYS[:1])
    for value in (old, new):
        button.verify(button.read(value), "approve", a_rollback(), keys=KEYS)
    with pytest.raises(OutOfDate):
        button.verify(button.read(old), "approve", a_rollback(), keys=KEYS[:1])


def test_a_reject_button_does_not_approve() -> None:
    value = button.sign(a_rollback(), "reject", keys=KEYS)

    with pytest.raises(OutOfDate):
        button.verify(button.read(value), "approve", a_rollback(), keys=KEYS)


def test_a_button_of_another_content_is_out_of_date() -> None:
    value = button.sign(a_rollback(), "approve", keys=KEYS)

    with pytest.raises(OutOfDate):
        button.verify(
            button.read(value), "approve", a_rollback(content_digest="00" * 32), keys=KEYS
        )


def test_a_button_of_another_rollback_is_out_of_date() -> None:
    value = button.sign(a_rollback(id=18), "approve", keys=KEYS)

    with pytest.raises(OutOfDate):
        button.verify(button.read(value), "approve", a_rollback(), keys=KEYS)


@pytest.mark.parametrize("field", [0, 1, 2, 3])
def test_no_part_of_the_value_can_be_exchanged(field: int) -> None:
    parts = button.sign(a_rollback(), "approve", keys=KEYS).split(".")
    parts[field] = ["18", "2", "another", "0" * 64][field]

    with pytest.raises(OutOfDate):
        button.verify(button.read(".".join(parts)), "approve", a_rollback(), keys=KEYS)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "17",
        "17.1.n0nce",
        "17.1.n0nce." + "0" * 63,
        "017.1.n0nce." + "0" * 64,
        "-1.1.n0nce." + "0" * 64,
        "１７.1.n0nce." + "0" * 64,
        "17.1.n0nce." + "G" * 64,
        "17.1.n0 nce." + "0" * 64,
        "17.1.n0nce." + "0" * 64 + "\n",
        "9" * 3000,
        "99999999999999999999.1.n." + "0" * 64,
    ],
)
def test_any_other_form_can_never_be_read(value: str) -> None:
    with pytest.raises(BadInput):
        button.read(value)


@given(st.text())
def test_no_text_is_ever_more_than_unreadable(text: str) -> None:
    try:
        claim = button.read(text)
    except BadInput:
        return
    with pytest.raises(OutOfDate):
        button.verify(claim, "approve", a_rollback(), keys=KEYS)


def test_without_a_key_nothing_is_signed_and_nothing_verifies() -> None:
    with pytest.raises(ValueError, match="key"):
        button.sign(a_rollback(), "approve", keys=())
    value = button.sign(a_rollback(), "approve", keys=KEYS)
    with pytest.raises(OutOfDate):
        button.verify(button.read(value), "approve", a_rollback(), keys=())


def test_a_nonce_that_would_break_the_form_is_not_signed() -> None:
    with pytest.raises(ValueError, match="nonce"):
        button.sign(a_rollback(nonce="a.b"), "approve", keys=KEYS)
