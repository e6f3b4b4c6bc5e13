"""The name under which a rollback publishes."""

from __future__ import annotations

import pytest

from bot.domain import marker
from store.records import Execution
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


def test_what_is_put_back_has_a_name_of_its_own_and_is_known_as_ours() -> None:
    forward = a_rollback(nonce=NONCE)
    back = a_rollback(nonce=NONCE, execution=Execution(back_because="target_down"))
    names = [marker.name_of(forward), marker.name_of(back)]

    assert len(set(names)) == 2
    assert all(len(name) <= marker.NAME_LIMIT for name in names)
    assert [marker.rollback_id_in(name) for name in names] == [forward.id, forward.id]
    assert all(marker.is_of(name, rollback) for name in names for rollback in (forward, back))
    assert [marker.puts_back(name) for name in names] == [False, True]
    assert marker.comment_of(back, to_number=7).startswith("Keyturn: version 7 put back")
