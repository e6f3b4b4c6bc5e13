"""Break-glass: one person's word, never a vote, and a review that two others sign."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain import approval, glass, marker, policy, quorum, reminders
from bot.domain.policy import MemberFacts
from bot.domain.words import OutcomeCode
from bot.errors import (
    AlreadyDecided,
    AlreadySigned,
    GlassRefused,
    NothingToReview,
    OutOfDate,
    ReasonTooShort,
    Refused,
    ReviewRefused,
    RollbackExpired,
)
from store.records import Choice, Execution, Glass, Rollback, Signature, State, Step
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    NOON,
    PROD,
    TEAM,
    a_claim,
    a_policy,
    a_reject,
    a_rollback,
    a_vote,
)

ADMINS = "S0ADMINS"
REASON = "nobody else is awake and the shop answers nobody"
RULES = a_policy(break_glass=(ADMINS, DAVE), breakers=(ALICE, DAVE))
LATER = NOON + timedelta(minutes=5)


def open_one(**changes: Any) -> Rollback:
    return a_rollback(**{"policy": RULES, **changes})


def a_glass(person: str = ALICE, **changes: Any) -> Glass:
    facts: dict[str, Any] = {
        "person": person,
        "slack_id": person,
        "team_id": TEAM,
        "reason": REASON,
        "digest": a_rollback().content_digest,
        "round": 0,
        "nonce": "",
        "at": NOON,
        "way": "card",
    }
    return Glass(**{**facts, **changes})


def shattered(
    rollback: Rollback | None = None,
    said: Glass | None = None,
    *,
    at: datetime = LATER,
    why_not: str | None = None,
    frozen: bool = False,
    **claim: Any,
) -> Rollback:
    of = rollback or open_one()
    given = a_claim(of, **claim)
    return glass.shatter(of, said or a_glass(), at=at, claim=given, why_not=why_not, frozen=frozen)


def ended(state: State = State.COMPLETED, **changes: Any) -> Rollback:
    """One that alice broke the glass of, that began, and that ended as *state* at `LATER`."""
    began = Execution(step=Step.DONE, clicked_at=LATER)
    return replace(shattered(), state=state, execution=began, finished_at=LATER, **changes)


def signed(rollback: Rollback, *people: str, why_not: str | None = None) -> Rollback:
    for who in people:
        name = Signature(who, who, TEAM, NOON)
        rollback = glass.sign(rollback, name, at=LATER, why_not=why_not)
    return rollback


# -- breaking it --------------------------------------------------------------------------------


def test_one_person_starts_it_alone_and_it_is_no_vote() -> None:
    after = shattered()

    assert after.state is State.BROKEN_GLASS
    assert (after.votes, quorum.approvals(after), quorum.reached(after)) == ((), (), False)
    assert after.execution.clicked_at == LATER


def test_the_record_keeps_who_when_why_and_what_was_shown() -> None:
    after = shattered(open_one(round=3), a_glass(at=NOON - timedelta(days=9)))

    (broken,) = after.glass
    assert (broken.person, broken.at, broken.reason) == (ALICE, LATER, REASON)
    assert (broken.round, broken.nonce, broken.digest) == (3, after.nonce, after.content_digest)


@pytest.mark.parametrize("rules", [a_policy(), a_policy(breakers=(ALICE,)), a_policy(named=False)])
def test_it_is_off_where_the_policy_names_nobody(rules: Any) -> None:
    with pytest.raises(GlassRefused) as refused:
        shattered(open_one(policy=rules))
    assert refused.value.why == "glass_off"


def test_who_came_later_cannot_although_they_may_now() -> None:
    with pytest.raises(GlassRefused) as refused:
        shattered(said=a_glass(BOB))
    assert (refused.value.why, refused.value.code) == ("not_at_open", "glass_refused:not_at_open")


def test_who_may_not_as_of_now_cannot() -> None:
    with pytest.raises(GlassRefused) as refused:
        shattered(why_not="guest")
    assert refused.value.to_person() == "Guests cannot break the glass."


@pytest.mark.parametrize("reason", ["", "urgent", "  urgent          now     ", "x" * 19])
def test_a_word_is_no_reason(reason: str) -> None:
    with pytest.raises(ReasonTooShort):
        shattered(said=a_glass(reason=reason))


def test_a_reason_of_just_the_length_is_enough() -> None:
    reason = "x" * glass.REASON_AT_LEAST

    assert shattered(said=a_glass(reason=reason)).glass[0].reason == reason


def test_what_was_void_in_what_is_handed_in_is_not_believed() -> None:
    said = a_glass(voided_at=NOON, voided_why="not_named")

    broken = shattered(said=said)

    assert (broken.glass[0].voided_at, broken.glass[0].voided_why) == (None, "")
    assert broken.broken_by is not None


def test_who_asked_for_it_may_break_the_glass() -> None:
    after = shattered(open_one(requested_by=DAVE), a_glass(DAVE))

    assert after.state is State.BROKEN_GLASS


@pytest.mark.parametrize("old", [{"round": 0}, {"nonce": "other"}, {"rollback_id": 9}])
def test_a_button_of_another_card_breaks_nothing(old: dict[str, Any]) -> None:
    with pytest.raises(OutOfDate):
        shattered(**old)


def test_another_content_than_was_shown_is_not_started() -> None:
    with pytest.raises(OutOfDate):
        shattered(said=a_glass(digest="ff" * 32))


def test_at_the_end_of_its_time_it_is_too_late() -> None:
    with pytest.raises(RollbackExpired, match="rollback 17 expired at"):
        shattered(at=open_one().expires_at)


@pytest.mark.parametrize("state", [s for s in State if s is not State.PENDING_APPROVAL])
def test_only_what_waits_for_approval_is_started_so(state: State) -> None:
    with pytest.raises(AlreadyDecided, match=f"rollback 17 is {state}"):
        shattered(open_one(state=state))


def test_what_is_approved_and_held_by_a_freeze_is_started_so_and_says_it() -> None:
    approved = open_one(state=State.APPROVED, votes=(a_vote(BOB), a_vote(CAROL)))

    after = shattered(approved, frozen=True)

    assert (after.state, after.glass[0].in_freeze) == (State.BROKEN_GLASS, True)


# -- until it starts ----------------------------------------------------------------------------


def test_it_takes_rejects_and_no_approvals_until_it_starts() -> None:
    broken = shattered()
    claim = a_claim(broken)

    with pytest.raises(AlreadyDecided):
        approval.cast(broken, a_vote(BOB), at=LATER, claim=claim, why_not=None)
    after = approval.cast(broken, a_reject(BOB), at=LATER, claim=claim, why_not=None)
    assert (after.state, after.review_open) == (State.REJECTED, False)


def test_one_that_could_not_start_in_time_says_so() -> None:
    after = approval.expire(shattered(), at=open_one().expires_at)

    assert (after.state, after.outcome) == (State.EXPIRED, OutcomeCode.GLASS_NOT_STARTED)
    assert not after.review_open


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        ((), State.PENDING_APPROVAL),
        ((BOB,), State.PENDING_APPROVAL),
        ((BOB, CAROL), State.APPROVED),
    ],
)
def test_a_glass_that_no_longer_counts_leaves_what_the_votes_say(
    votes: tuple[str, ...], state: State
) -> None:
    cast = tuple(map(a_vote, votes))
    before = State.APPROVED if len(votes) == 2 else State.PENDING_APPROVAL
    broken = shattered(open_one(state=before, votes=cast), frozen=True)

    after = glass.void(broken, "not_named", at=LATER)

    assert (after.state, after.votes, after.broken_by) == (state, cast, None)
    assert after.round == broken.round + 1
    assert (after.glass[0].voided_at, after.glass[0].voided_why) == (LATER, "not_named")
    assert (after.execution.clicked_at is None) == (state is State.PENDING_APPROVAL)


def test_it_can_be_broken_again_and_the_first_stays_in_the_record() -> None:
    void = glass.void(shattered(), "not_named", at=LATER)

    again = shattered(void, a_glass(DAVE))

    assert [one.person for one in again.glass] == [ALICE, DAVE]
    assert glass.void(again, "deleted", at=NOON + timedelta(hours=1)).glass[0] == void.glass[0]
    assert again.broken_by is not None
    assert again.broken_by.person == DAVE


@pytest.mark.parametrize("state", [s for s in State if s is not State.BROKEN_GLASS])
def test_only_a_broken_glass_can_be_void(state: State) -> None:
    with pytest.raises(AlreadyDecided, match=f"rollback 17 is {state}"):
        glass.void(replace(shattered(), state=state), "not_named", at=LATER)


def test_dify_is_told_that_nobody_approved() -> None:
    said = marker.comment_of(shattered(), to_number=6)

    assert said == f"Keyturn: back to version 6, by break-glass of {ALICE}, not approved"


# -- the review ---------------------------------------------------------------------------------

ENDED = [State.COMPLETED, State.FAILED, State.NEEDS_ATTENTION, State.SUPERSEDED]


@pytest.mark.parametrize("state", ENDED)
def test_however_it_ended_it_is_open_until_two_others_have_signed(state: State) -> None:
    rollback = ended(state)
    assert rollback.review_open

    once = signed(rollback, BOB)
    assert (once.review_open, once.reviewed_at) == (True, None)
    twice = signed(once, CAROL)
    assert (twice.review_open, twice.reviewed_at, twice.state) == (False, LATER, state)


@pytest.mark.parametrize(
    "rollback",
    [
        open_one(state=State.COMPLETED, finished_at=LATER),
        replace(shattered(), state=State.REJECTED, finished_at=LATER),
        replace(ended(), state=State.EXECUTING, finished_at=None),
    ],
    ids=["nobody broke the glass", "it never began", "it runs still"],
)
def test_there_is_nothing_to_review(rollback: Rollback) -> None:
    assert not rollback.review_open
    with pytest.raises(NothingToReview, match=str(PROD)):
        signed(rollback, BOB)


def test_who_broke_the_glass_does_not_sign_with_any_account() -> None:
    with pytest.raises(ReviewRefused, match=r"^own_glass$"):
        signed(ended(), ALICE)
    other = Signature(ALICE, "U0ALICE2", TEAM, NOON)
    with pytest.raises(ReviewRefused, match="own_glass"):
        glass.sign(ended(), other, at=LATER, why_not=None)


def test_one_person_signs_once_with_any_account() -> None:
    once = signed(ended(), BOB)
    other = Signature(BOB, "U0BOB2", TEAM, NOON)

    with pytest.raises(AlreadySigned, match=f"{BOB} has signed the review of 17"):
        glass.sign(once, other, at=LATER, why_not=None)
    assert once.signatures[0].at == LATER, "when it was judged, not when it was pressed"


def test_who_is_no_reviewer_does_not_sign() -> None:
    with pytest.raises(ReviewRefused, match="not_reviewer"):
        signed(ended(), "U0EVE", why_not="not_reviewer")


def test_a_closed_review_takes_no_third_signature() -> None:
    with pytest.raises(NothingToReview):
        signed(signed(ended(), BOB, CAROL), DAVE)


@pytest.mark.parametrize(("hours", "days"), [(0, 0), (23, 0), (24, 1), (47, 1), (48, 2), (-5, 0)])
def test_people_are_called_to_it_once_a_day(hours: int, days: int) -> None:
    at = LATER + timedelta(hours=hours)

    assert reminders.days_unreviewed(ended(), at=at) == days
    assert reminders.days_unreviewed(signed(ended(), BOB, CAROL), at=at) == 0


def test_who_broke_it_and_who_signed_are_not_called_again() -> None:
    facts = reminders.review_facts(signed(ended(), BOB), ("S0SRE", ALICE, BOB, CAROL), at=LATER)

    assert (facts["voters"], facts["signed"]) == (["S0SRE", CAROL], [BOB])


# -- who may ------------------------------------------------------------------------------------


def why_no_glass(member: MemberFacts, **changes: Any) -> str | None:
    facts: dict[str, Any] = {
        "policy": RULES,
        "groups": {ADMINS: frozenset({ALICE, "U0NEW"})},
        "team_id": TEAM,
        "at_open": frozenset(RULES.breakers),
        "shared_channel": False,
    }
    return policy.why_no_glass(member, **{**facts, **changes})


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({}, None),
        ({"deleted": True}, "deleted"),
        ({"bot": True}, "bot"),
        ({"guest": True}, "guest"),
        ({"stranger": True}, "stranger"),
        ({"team_id": "T0OTHER"}, "other_team"),
        ({"slack_id": BOB, "person": BOB}, "not_named"),
        ({"slack_id": "U0NEW", "person": "U0NEW"}, "not_at_open"),
        ({"slack_id": DAVE, "person": DAVE}, None),
    ],
)
def test_who_may_break_it_is_asked_as_voters_are(flags: dict[str, Any], why: str | None) -> None:
    facts = {"slack_id": ALICE, "person": ALICE, "team_id": TEAM, **flags}

    assert why_no_glass(MemberFacts(**facts)) == why


def test_in_a_shared_channel_and_without_a_policy_nobody_may() -> None:
    alice = MemberFacts(ALICE, ALICE, TEAM)

    assert why_no_glass(alice, shared_channel=True) == "shared_channel"
    assert why_no_glass(alice, policy=a_policy()) == "glass_off"
    assert why_no_glass(alice, policy=replace(RULES, named=False)) == "glass_off"


def test_who_may_break_the_glass_may_ask_and_see_and_not_vote() -> None:
    dave = MemberFacts(DAVE, DAVE, TEAM)
    rules = a_policy(requesters=(), break_glass=(DAVE,), viewers=("U0EVE",))
    common: dict[str, Any] = {"policy": rules, "groups": {}, "team_id": TEAM}

    assert policy.may_ask(dave, **common)
    assert policy.may_see(dave, **common)
    why = policy.why_not(dave, **common, at_open=None, shared_channel=False)
    assert why == "not_reviewer"
    assert policy.why_no_signature(dave, **common, shared_channel=False) == "not_reviewer"


def test_a_vote_of_who_broke_the_glass_counts_as_any_other() -> None:
    """The glass adds nothing to it: with one vote of two it is not approved."""
    voted = open_one(votes=(a_vote(ALICE),))

    after = shattered(voted)

    assert [vote.choice for vote in quorum.approvals(after)] == [Choice.APPROVE]
    assert not quorum.reached(after)
    with pytest.raises(Refused):
        approval.approve_unasked(after, at=LATER)
