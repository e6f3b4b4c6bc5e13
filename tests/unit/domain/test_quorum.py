"""When votes are enough: how many, of whom, and each person for one group alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import quorum
from store.records import Rollback
from tests.builders import ALICE, BOB, CAROL, DAVE, a_policy, a_rollback, a_vote

SRE, OWNERS = "S0SRE", "S0OWNERS"


def a_mixed(
    groups: Mapping[str, Sequence[str]],
    *voters: str,
    votes: int = 2,
    members: Mapping[str, Sequence[str]] | None = None,
    requested_by: str = quorum.KEYTURN,
) -> Rollback:
    """A rollback that needs one of each of *groups*, with approvals by *voters*."""
    at_open = groups if members is None else members
    policy = a_policy(
        votes=votes,
        each_of=tuple(groups),
        members={entry: tuple(some) for entry, some in at_open.items()},
    )
    cast = tuple(
        a_vote(who, groups=tuple(entry for entry, some in groups.items() if who in some))
        for who in voters
    )
    return a_rollback(policy=policy, votes=cast, requested_by=requested_by)


def test_two_of_one_group_do_not_stand_for_the_other() -> None:
    rollback = a_mixed({SRE: [ALICE, BOB], OWNERS: [CAROL]}, ALICE, BOB)

    assert not quorum.reached(rollback)
    assert quorum.unrepresented(rollback, quorum.approvals(rollback)) == (OWNERS,)


def test_one_of_each_is_enough() -> None:
    assert quorum.reached(a_mixed({SRE: [ALICE, BOB], OWNERS: [CAROL]}, BOB, CAROL))


def test_one_person_stands_for_one_group_alone() -> None:
    both = a_mixed({SRE: [ALICE], OWNERS: [ALICE]}, ALICE, BOB)

    assert not quorum.reached(both)
    assert len(quorum.unrepresented(both, quorum.approvals(both))) == 1


def test_who_is_in_both_makes_room_for_who_is_in_one() -> None:
    for voters in permutations((ALICE, BOB)):
        assert quorum.reached(a_mixed({SRE: [ALICE, BOB], OWNERS: [ALICE]}, *voters))


def test_who_joined_the_group_after_the_opening_does_not_stand_for_it() -> None:
    rollback = a_mixed(
        {SRE: [ALICE], OWNERS: [BOB]}, ALICE, BOB, members={SRE: [ALICE], OWNERS: []}
    )

    assert not quorum.reached(rollback)


def test_who_had_left_the_group_when_they_voted_does_not_stand_for_it() -> None:
    rollback = a_mixed(
        {SRE: [ALICE], OWNERS: []}, ALICE, BOB, members={SRE: [ALICE], OWNERS: [BOB]}
    )

    assert not quorum.reached(rollback)


def test_a_person_may_be_named_like_a_group() -> None:
    rollback = a_mixed({BOB: [BOB], SRE: [ALICE]}, ALICE, BOB)

    assert quorum.reached(rollback)
    assert not quorum.reached(a_mixed({CAROL: [CAROL]}, ALICE, BOB))


@pytest.mark.parametrize(
    ("votes", "asked_by", "needed"),
    [(0, DAVE, 0), (0, quorum.KEYTURN, 1), (2, DAVE, 2), (3, quorum.KEYTURN, 3)],
)
def test_an_alert_alone_changes_nothing_whatever_the_policy_says(
    votes: int, asked_by: str, needed: int
) -> None:
    rollback = a_rollback(policy=a_policy(votes=votes), requested_by=asked_by)

    assert quorum.needed(rollback) == needed
    assert quorum.reached(rollback) == (needed == 0)


def test_without_a_policy_nothing_is_enough_not_even_nothing() -> None:
    unnamed = a_rollback(policy=a_policy(votes=0, named=False), requested_by=DAVE)

    assert not quorum.reached(unnamed)


def test_an_entry_whose_members_nobody_knew_at_the_opening_is_represented_by_nobody() -> None:
    rollback = a_mixed({SRE: [ALICE], OWNERS: [BOB]}, ALICE, BOB, members={SRE: [ALICE]})

    assert quorum.unrepresented(rollback, quorum.approvals(rollback)) == (OWNERS,)


def test_where_nobody_has_to_approve_nobody_has_to_be_represented() -> None:
    asked = a_mixed({SRE: [ALICE]}, votes=0, requested_by=DAVE)

    assert quorum.reached(asked)
    assert not quorum.reached(a_mixed({SRE: [ALICE]}, votes=0))  # an alert alone asks for one


def test_a_part_of_the_votes_is_enough_only_by_itself() -> None:
    rollback = a_rollback(votes=(a_vote(ALICE), a_vote(BOB)))

    assert quorum.reached(rollback, rollback.votes)
    assert not quorum.reached(rollback, rollback.votes[:1])
    assert not quorum.reached(rollback, ())


PEOPLE = [f"U0P{n}" for n in range(5)]
GROUPS = [f"S0G{n}" for n in range(3)]


@given(
    st.dictionaries(st.sampled_from(GROUPS), st.sets(st.sampled_from(PEOPLE)), min_size=1),
    st.sets(st.sampled_from(PEOPLE)),
)
def test_groups_are_represented_exactly_when_people_can_be_shared_out(
    groups: dict[str, set[str]], voters: set[str]
) -> None:
    """Held against trying every way to give each group a person of its own."""
    policy = a_policy(
        votes=1,
        eligible=tuple(PEOPLE),
        each_of=tuple(groups),
        members={entry: tuple(some) for entry, some in groups.items()},
    )
    votes = tuple(
        a_vote(who, groups=tuple(e for e, some in groups.items() if who in some)) for who in voters
    )
    rollback = a_rollback(policy=policy, votes=votes)
    possible = any(
        all(person in groups[entry] for entry, person in zip(groups, some, strict=True))
        for some in permutations(sorted(voters), len(groups))
    )

    assert (not quorum.unrepresented(rollback, votes)) == possible
