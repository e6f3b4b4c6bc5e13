"""Who may see, ask and vote."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.domain import policy
from bot.domain.policy import MemberFacts, Policy
from bot.errors import NotEligible
from store.records import PolicySnapshot
from tests.builders import ALICE, BOB, CAROL, DAVE, NOON, REVIEWERS, TEAM, a_policy

GROUPS = {REVIEWERS: frozenset({ALICE, BOB})}


def a_member(slack_id: str = ALICE, **flags: Any) -> MemberFacts:
    return MemberFacts(**{"slack_id": slack_id, "person": slack_id, "team_id": TEAM, **flags})


def why_not(member: MemberFacts, **changes: Any) -> str | None:
    facts: dict[str, Any] = {
        "policy": a_policy(),
        "groups": GROUPS,
        "team_id": TEAM,
        "at_open": frozenset({ALICE, BOB, CAROL}),
        "shared_channel": False,
    }
    return policy.why_not(member, **{**facts, **changes})


def test_a_reviewer_by_group_or_by_name_may_vote() -> None:
    assert why_not(a_member(ALICE)) is None
    by_name = a_policy(reviewers=(CAROL,))
    assert why_not(a_member(CAROL), policy=by_name) is None


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"deleted": True}, "deleted"),
        ({"bot": True}, "bot"),
        ({"guest": True}, "guest"),
        ({"stranger": True}, "stranger"),
        ({"team_id": "T0OTHER"}, "other_team"),
    ],
)
def test_no_account_of_these_kinds_does_anything(flags: dict[str, Any], code: str) -> None:
    member = a_member(**flags)
    rules = a_policy(named=False)

    assert why_not(member) == code
    assert not policy.may_ask(member, policy=rules, groups=GROUPS, team_id=TEAM)
    assert not policy.may_see(member, policy=rules, groups=GROUPS, team_id=TEAM)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"policy": a_policy(named=False)}, "no_policy"),
        ({"policy": a_policy(reviewers=())}, "no_policy"),
        ({"shared_channel": True}, "shared_channel"),
        ({"groups": {REVIEWERS: frozenset({BOB})}}, "not_reviewer"),
        ({"groups": {}}, "not_reviewer"),
        ({"at_open": frozenset({BOB})}, "not_at_open"),
    ],
)
def test_each_reason_has_its_code(changes: dict[str, Any], code: str) -> None:
    assert why_not(a_member(), **changes) == code
    assert NotEligible(code).to_person() != NotEligible("").to_person()


def test_eligibility_at_opening_counts_by_person_not_by_account() -> None:
    second = a_member("U0ALICE2", person=ALICE)

    assert why_not(second, groups={REVIEWERS: frozenset({"U0ALICE2"})}) is None


def test_while_it_is_being_opened_there_is_no_earlier_list() -> None:
    assert why_not(a_member(DAVE), groups={REVIEWERS: frozenset({DAVE})}, at_open=None) is None


def test_requesters_and_reviewers_may_ask() -> None:
    for who, may in ((DAVE, True), (ALICE, True), (CAROL, False)):
        asked = policy.may_ask(a_member(who), policy=a_policy(), groups=GROUPS, team_id=TEAM)
        assert asked is may


def test_viewers_see_and_those_who_may_ask_or_vote_see_too() -> None:
    rules = a_policy(viewers=(CAROL,))
    for who, may in ((CAROL, True), (DAVE, True), (ALICE, True), ("U0EVE", False)):
        seen = policy.may_see(a_member(who), policy=rules, groups=GROUPS, team_id=TEAM)
        assert seen is may


def test_without_a_policy_any_member_may_ask_and_see_and_nobody_votes() -> None:
    rules = a_policy(named=False, reviewers=(), requesters=())
    member = a_member("U0EVE")

    assert policy.may_ask(member, policy=rules, groups={}, team_id=TEAM)
    assert policy.may_see(member, policy=rules, groups={}, team_id=TEAM)
    assert why_not(member, policy=rules) == "no_policy"


def test_a_named_policy_that_names_nobody_lets_nobody_ask() -> None:
    rules = a_policy(reviewers=(), requesters=())
    assert not policy.may_ask(a_member(), policy=rules, groups={}, team_id=TEAM)


def test_groups_are_told_from_people_by_their_ids() -> None:
    assert policy.group_ids((REVIEWERS, ALICE), ("S0OTHER", REVIEWERS), ("W0GRID",)) == (
        "S0OTHER",
        REVIEWERS,
    )


def test_a_persons_groups_are_those_that_hold_them_now() -> None:
    groups = {"S2": frozenset({ALICE}), "S1": frozenset({ALICE, BOB}), "S3": frozenset({BOB})}
    assert policy.groups_of(ALICE, groups) == ("S1", "S2")


def test_somebody_of_another_workspace_is_not_known_here() -> None:
    assert policy.known(a_member(guest=True), team_id=TEAM)
    assert not policy.known(a_member(stranger=True), team_id=TEAM)
    assert not policy.known(a_member(team_id="T0OTHER"), team_id=TEAM)


def test_the_default_is_two_votes_in_half_an_hour_and_nobody_named() -> None:
    snapshot = Policy().snapshot([BOB, ALICE, BOB])

    assert (snapshot.votes, snapshot.open_for_s, snapshot.named) == (2, 1800, False)
    assert snapshot.eligible == (ALICE, BOB)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"votes": -1}, "a policy needs no negative votes, and a reject that ends it"),
        ({"vetoes": 0}, "a policy needs no negative votes, and a reject that ends it"),
        ({"open_for": timedelta(0)}, "a rollback has to stay open for some time"),
    ],
)
def test_a_policy_that_could_never_protect_anything_is_refused(
    wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        Policy(**wrong)


def test_a_policy_may_want_no_votes_and_be_open_for_a_moment() -> None:
    rules = Policy(votes=0, vetoes=1, open_for=timedelta(microseconds=1))

    assert rules.snapshot().votes == 0


@pytest.mark.parametrize(
    ("votes", "criticality", "wanted"),
    [(2, "critical", 3), (2, "low", 2), (2, "unheard of", 2), (0, "unheard of", 0), (4, "low", 4)],
)
def test_an_app_that_matters_more_never_takes_fewer_votes(
    votes: int, criticality: str, wanted: int
) -> None:
    rules = Policy(votes=votes, votes_by_criticality={"critical": 3, "low": 1}, vetoes=2)

    assert rules.of(criticality) == Policy(
        votes=wanted, votes_by_criticality={"critical": 3, "low": 1}, vetoes=2
    )


@pytest.mark.parametrize(
    ("risk", "votes"), [("", 2), ("low", 2), ("medium", 2), ("high", 3), ("critical", 3)]
)
def test_a_risk_takes_the_votes_of_the_highest_one_that_it_reaches(risk: str, votes: int) -> None:
    rules = Policy(votes_by_risk={"low": 1, "high": 3})

    raised = rules.at_risk(rules.snapshot(), risk)

    assert (raised.votes, raised.risk) == (votes, risk if votes > 2 else "")


def test_a_risk_never_takes_fewer_votes_than_a_lower_one_or_than_criticality() -> None:
    rules = Policy(
        votes=1, votes_by_risk={"medium": 4, "high": 2}, votes_by_criticality={"high": 5}
    )

    assert rules.at_risk(rules.snapshot(), "critical").votes == 4
    assert rules.at_risk(rules.of("high").snapshot(), "critical") == rules.of("high").snapshot()


def test_a_snapshot_keeps_what_the_policy_says_and_who_was_in_its_groups() -> None:
    rules = Policy(
        votes=3,
        reviewers=(REVIEWERS,),
        each_of=("S0SRE",),
        backups=(CAROL,),
        requesters=(DAVE,),
        viewers=("U0EVE",),
        vetoes=2,
        open_for=timedelta(minutes=20),
        remind_after=timedelta(minutes=3),
        escalate_after=timedelta(minutes=4),
        named=True,
    )

    assert rules.snapshot([ALICE], members={"S0SRE": [BOB, ALICE, BOB]}) == PolicySnapshot(
        votes=3,
        reviewers=(REVIEWERS,),
        requesters=(DAVE,),
        viewers=("U0EVE",),
        open_for_s=1200,
        named=True,
        eligible=(ALICE,),
        each_of=("S0SRE",),
        members={"S0SRE": (ALICE, BOB)},
        backups=(CAROL,),
        vetoes=2,
        publisher="",
        publisher_person="",
        remind_after_s=180,
        escalate_after_s=240,
    )


def test_people_are_reminded_after_half_of_the_time_and_others_called_after_three_quarters() -> (
    None
):
    snapshot = Policy(open_for=timedelta(minutes=20)).snapshot()

    assert (snapshot.remind_after_s, snapshot.escalate_after_s) == (600, 900)


def test_who_published_is_kept_only_where_they_may_not_vote() -> None:
    publisher = ("carol@example.com", CAROL)

    kept = Policy(exclude_publisher=True).snapshot(publisher=publisher)
    unasked = Policy(exclude_publisher=False).snapshot(publisher=publisher)

    assert (kept.publisher, kept.publisher_person) == publisher
    assert (unasked.publisher, unasked.publisher_person) == ("", "")


@pytest.mark.parametrize(
    ("published", "code"),
    [
        (("", ""), None),  # drift: nobody is known to have published it
        (("alice@example.com", ALICE), "publisher"),
        (("bob@example.com", BOB), None),
        (("alice@example.com", ""), "publisher_unknown"),
    ],
)
def test_who_published_it_does_not_vote_nor_who_cannot_be_told_from_them(
    published: tuple[str, str], code: str | None
) -> None:
    rules = a_policy(publisher=published[0], publisher_person=published[1])

    assert why_not(a_member(ALICE), policy=rules) == code


@pytest.mark.parametrize(
    ("who", "protected", "other"),
    [(ALICE, True, True), (DAVE, False, True), ("U0EVE", False, False)],
)
def test_a_protected_tag_is_the_reviewers_alone_and_any_other_of_whoever_may_ask(
    who: str, protected: bool, other: bool
) -> None:
    rules = Policy(
        reviewers=(REVIEWERS,), requesters=(DAVE,), protected_tags=("stable",), named=True
    )

    def may(name: str, member: MemberFacts) -> bool:
        return policy.may_tag(member, name, policy=rules, groups=GROUPS, team_id=TEAM)

    assert may("stable", a_member(who)) is protected
    assert may("draft-of-may", a_member(who)) is other
    for flags in ({"deleted": True}, {"team_id": "T0OTHER"}):
        assert not may("stable", a_member(who, **flags))
        assert not may("draft-of-may", a_member(who, **flags))


def test_no_other_rollback_is_suggested_until_the_oldest_of_the_last_ones_is_long_ago() -> None:
    rules = Policy(most_suggested=2, cool_down=timedelta(hours=6))
    ends = [NOON + timedelta(hours=n) for n in range(3)]

    assert rules.cools_down_until([]) is None
    assert rules.cools_down_until(ends[:1]) is None
    assert rules.cools_down_until(ends[:2]) == NOON + timedelta(hours=6)
    assert rules.cools_down_until(ends) == NOON + timedelta(hours=7)
