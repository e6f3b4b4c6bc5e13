"""Who may vote is asked afresh each time; Slack's silence makes nobody eligible."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.policy import Policy
from bot.errors import UpstreamDown, UpstreamRefused
from bot.services.eligibility import Eligibility
from store.records import Rollback
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, REVIEWERS, a_policy, a_rollback, a_vote
from tests.fakes.people import FakeDirectory

KEYTURN = "keyturn"


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


def voted(*people: str, **changes: Any) -> Rollback:
    votes = tuple(a_vote(person) for person in people)
    return a_rollback(votes=votes, **changes)


async def void(directory: FakeDirectory, rollback: Rollback) -> dict[str, str]:
    return await Eligibility(directory).of_voters(rollback, channel=CHANNEL)


# -- when a rollback is opened ------------------------------------------------------------------


async def test_the_members_of_the_groups_and_the_people_named_are_eligible(
    directory: FakeDirectory,
) -> None:
    rules = Policy(reviewers=(REVIEWERS, DAVE), named=True)

    snapshot = await Eligibility(directory).at_open(rules, requested_by=KEYTURN)

    assert snapshot.eligible == (ALICE, BOB, CAROL, DAVE)
    assert directory.asked == 1, "a group of any size is one question"


async def test_the_requester_is_not(directory: FakeDirectory) -> None:
    directory.persons = {CAROL: BOB}
    rules = Policy(reviewers=(REVIEWERS,), named=True)

    snapshot = await Eligibility(directory).at_open(rules, requested_by=BOB)

    assert snapshot.eligible == (ALICE,)


async def test_without_a_policy_nobody_is_and_nobody_is_asked(directory: FakeDirectory) -> None:
    snapshot = await Eligibility(directory).at_open(Policy(), requested_by=KEYTURN)

    assert (snapshot.eligible, snapshot.named, snapshot.votes) == ((), False, 2)
    assert directory.asked == 0


async def test_each_group_is_asked_for_once(directory: FakeDirectory) -> None:
    groups = await Eligibility(directory).groups((REVIEWERS, ALICE), (REVIEWERS,))

    assert groups == {REVIEWERS: frozenset({ALICE, BOB, CAROL})}
    assert directory.asked == 1


@pytest.mark.parametrize(("down", "refuses"), [(True, ""), (False, "no_such_subteam")])
async def test_a_group_that_slack_does_not_tell_is_no_empty_group(
    directory: FakeDirectory, down: bool, refuses: str
) -> None:
    directory.down, directory.refuses = down, refuses

    with pytest.raises(UpstreamDown if down else UpstreamRefused):
        await Eligibility(directory).groups((REVIEWERS,))


# -- when it is executed ------------------------------------------------------------------------


async def test_those_who_still_may_have_nothing_against_them(directory: FakeDirectory) -> None:
    assert await void(directory, voted(ALICE, BOB)) == {}


async def test_an_answer_is_never_remembered(directory: FakeDirectory) -> None:
    eligibility = Eligibility(directory)
    assert await eligibility.of_voters(voted(ALICE, BOB), channel=CHANNEL) == {}

    directory.leave(BOB)

    found = await eligibility.of_voters(voted(ALICE, BOB), channel=CHANNEL)
    assert found == {BOB: "not_reviewer"}


async def test_whoever_came_after_the_opening_is_not_counted_at_all(
    directory: FakeDirectory,
) -> None:
    rollback = voted(ALICE, DAVE, policy=a_policy(reviewers=(REVIEWERS, DAVE)))

    assert await void(directory, rollback) == {}


async def test_an_account_that_slack_does_not_know_any_more_is_deleted(
    directory: FakeDirectory,
) -> None:
    del directory.members[BOB]

    assert await void(directory, voted(ALICE, BOB)) == {BOB: "deleted"}


async def test_an_account_that_is_another_persons_now_does_not_vote_for_the_first(
    directory: FakeDirectory,
) -> None:
    directory.persons = {BOB: CAROL}

    assert await void(directory, voted(ALICE, BOB)) == {BOB: "not_reviewer"}


async def test_a_refused_look_up_is_no_reason_against_anybody(directory: FakeDirectory) -> None:
    async def refused(slack_id: str) -> Any:
        raise UpstreamRefused("slack", "missing_scope", "missing_scope")

    directory.member = refused  # type: ignore[method-assign]

    with pytest.raises(UpstreamRefused):
        await void(directory, voted(ALICE, BOB))


async def test_while_slack_is_down_nobody_is_known_to_be_eligible(
    directory: FakeDirectory,
) -> None:
    directory.down = True

    with pytest.raises(UpstreamDown):
        await void(directory, voted(ALICE, BOB))
