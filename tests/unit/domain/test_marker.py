"""The name under which a rollback publishes."""

from __future__ import annotations

import pytest

from bot.domain import marker
from tests.builders import ALICE, BOB, NOON, a_policy, a_rollback, a_vote

NONCE = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("rollback_id", [1, 9, 10, 99, 12345, 99_999_999])
def test_our_own_name_is_known_again_whatever_the_id(rollback_id: int) -> None:
    name = marker.name_of(a_rollback(id=rollback_id, nonce=NONCE))

    assert len(name) <= marker.NAME_LIMIT
    assert marker.rollback_id_in(name) == rollback_id


@pytest.mark.parametrize("name", ["", "rollback", "rollback-1", "Rollback-1-ab", "rollback-1-xyz"])
def test_other_names_claim_nothing(name: str) -> None:
    assert marker.rollback_id_in(name) is None


def test_the_comment_names_who_approved_and_fits() -> None:
    void = a_vote(BOB, voided_at=NOON)
    rollback = a_rollback(votes=(void, a_vote(ALICE)))
    crowd = tuple(f"U{n:010}" for n in range(30))
    many = a_rollback(votes=tuple(map(a_vote, crowd)), policy=a_policy(eligible=crowd))

    assert marker.comment_of(rollback, to_number=7).endswith(f"version 7, approved by {ALICE}")
    assert len(marker.comment_of(many, to_number=7)) == marker.COMMENT_LIMIT


def test_where_nobody_had_to_approve_the_comment_names_who_asked() -> None:
    asked = a_rollback(policy=a_policy(votes=0), requested_by="U0DAVE", requested_slack_id="U0DAVE")

    assert marker.comment_of(asked, to_number=7).endswith("version 7, asked by U0DAVE")
