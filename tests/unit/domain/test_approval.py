"""What a vote does, and what it may not do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import approval, quorum
from bot.domain.words import OutcomeCode
from bot.errors import (
    AlreadyDecided,
    AlreadyVoted,
    NotAllowed,
    NotEligible,
    NoVote,
    OutOfDate,
    ReasonMissing,
    Refused,
    RollbackExpired,
    SelfApproval,
)
from store.records import Choice, Execution, IllegalMove, Rollback, State, Vote
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    NOON,
    a_claim,
    a_leg,
    a_policy,
    a_reject,
    a_rollback,
    a_vote,
)

LATER = NOON + timedelta(minutes=1)


def cast(rollback: Rollback, vote: Vote, *, why_not: str | None = None) -> Rollback:
    return approval.cast(rollback, vote, at=LATER, claim=a_claim(rollback), why_not=why_not)


def approved() -> Rollback:
    return cast(cast(a_rollback(), a_vote(ALICE)), a_vote(BOB))


# -- votes ----------------------------------------------------------------------------------------


def test_the_first_approval_is_counted_and_leaves_the_rollback_pending() -> None:
    after = cast(a_rollback(), a_vote(ALICE))

    assert after.state is State.PENDING_APPROVAL
    assert [vote.person for vote in after.votes] == [ALICE]
    assert after.revision == a_rollback().revision + 1
    assert not quorum.reached(after)


def test_two_different_people_make_the_quorum() -> None:
    after = approved()

    assert after.state is State.APPROVED
    assert after.revision == a_rollback().revision + 2
    assert after.execution.clicked_at == LATER


def test_a_vote_is_kept_with_the_time_of_the_judge_not_of_the_voter() -> None:
    after = cast(a_rollback(), a_vote(ALICE, at=NOON - timedelta(days=1)))

    assert after.votes[0].at == LATER


def test_a_vote_that_is_cast_stands_whatever_came_with_it() -> None:
    after = cast(a_rollback(), a_vote(ALICE, voided_at=NOON, voided_why="taken_back"))

    assert [(vote.voided_at, vote.voided_why) for vote in after.votes] == [(None, "")]
    assert quorum.approvals(after) == after.votes


def test_one_person_with_two_accounts_has_one_vote() -> None:
    once = cast(a_rollback(), a_vote(ALICE))

    with pytest.raises(AlreadyVoted):
        cast(once, a_vote(ALICE, slack_id="U0ALICE2"))


def test_the_requester_does_not_vote() -> None:
    rollback = a_rollback(requested_by=ALICE)

    for vote in (a_vote(ALICE), a_reject(ALICE)):
        with pytest.raises(SelfApproval):
            cast(rollback, vote)


def test_an_alert_excludes_nobody() -> None:
    assert cast(a_rollback(requested_by=quorum.KEYTURN), a_vote(ALICE)).votes


def test_one_reject_ends_it_with_its_reason() -> None:
    after = cast(cast(a_rollback(), a_vote(ALICE)), a_reject(BOB, "not this one"))

    assert after.state is State.REJECTED
    assert after.outcome == OutcomeCode.REJECTED
    assert after.outcome_facts == {"slack_id": BOB, "reason": "not this one"}
    assert after.finished_at == LATER


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reject_needs_a_reason(reason: str) -> None:
    with pytest.raises(ReasonMissing):
        cast(a_rollback(), a_reject(BOB, reason))


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING_APPROVAL])
def test_only_a_pending_rollback_takes_approvals(state: State) -> None:
    with pytest.raises(AlreadyDecided):
        cast(a_rollback(state=state), a_vote(ALICE))


def test_an_approved_rollback_that_has_not_started_is_stopped_by_one_reject() -> None:
    after = cast(approved(), a_reject(CAROL, "the fix is on its way"))

    assert (after.state, after.outcome) == (State.REJECTED, OutcomeCode.REJECTED)
    assert after.outcome_facts == {"slack_id": CAROL, "reason": "the fix is on its way"}


@pytest.mark.parametrize("state", [s for s in State if s not in approval.NOT_STARTED])
def test_nobody_rejects_what_has_started_or_ended(state: State) -> None:
    with pytest.raises(AlreadyDecided):
        cast(a_rollback(state=state), a_reject(ALICE, "stop"))


@pytest.mark.parametrize("votes", [(ALICE,), (ALICE, BOB)])
def test_who_has_approved_may_reject_after_all_and_the_reject_counts(
    votes: tuple[str, ...],
) -> None:
    rollback = a_rollback()
    for who in votes:
        rollback = cast(rollback, a_vote(who))

    after = cast(rollback, a_reject(ALICE, "I misread it"))

    assert after.state is State.REJECTED
    mine = [(v.choice, v.voided_why) for v in after.votes if v.person == ALICE]
    assert mine == [(Choice.APPROVE, "taken_back"), (Choice.REJECT, "")]
    assert ALICE not in {vote.person for vote in quorum.approvals(after)}


def test_a_click_at_the_very_instant_of_expiry_is_too_late() -> None:
    rollback = a_rollback()
    at = rollback.expires_at

    with pytest.raises(RollbackExpired):
        approval.cast(rollback, a_vote(), at=at, claim=a_claim(), why_not=None)
    just_before = at - timedelta(microseconds=1)
    assert approval.cast(rollback, a_vote(), at=just_before, claim=a_claim(), why_not=None).votes


@pytest.mark.parametrize(
    "stale", [{"round": 0}, {"round": 2}, {"nonce": "other"}, {"rollback_id": 18}]
)
def test_a_button_of_another_card_is_out_of_date(stale: dict[str, object]) -> None:
    with pytest.raises(OutOfDate):
        approval.cast(a_rollback(), a_vote(), at=LATER, claim=a_claim(None, **stale), why_not=None)


def test_a_vote_on_another_content_is_out_of_date() -> None:
    with pytest.raises(OutOfDate):
        cast(a_rollback(), a_vote(digest="00" * 32))


def test_nobody_votes_where_no_policy_is_named() -> None:
    with pytest.raises(NotEligible) as refused:
        cast(a_rollback(policy=a_policy(named=False)), a_vote())
    assert refused.value.why == "no_policy"


def test_what_the_directory_says_against_a_voter_counts() -> None:
    with pytest.raises(NotEligible) as refused:
        cast(a_rollback(), a_vote(), why_not="guest")
    assert refused.value.why == "guest"


def test_who_was_not_eligible_when_it_was_opened_never_is() -> None:
    with pytest.raises(NotEligible) as refused:
        cast(a_rollback(), a_vote(DAVE))
    assert refused.value.why == "not_at_open"


def test_fewer_votes_only_where_the_policy_says_so() -> None:
    assert cast(a_rollback(policy=a_policy(votes=1)), a_vote()).state is State.APPROVED


def test_a_policy_of_no_votes_still_needs_one() -> None:
    assert not quorum.reached(a_rollback(policy=a_policy(votes=0)))


def test_without_a_named_policy_no_votes_make_a_quorum() -> None:
    votes = (a_vote(ALICE), a_vote(BOB))
    assert quorum.reached(a_rollback(votes=votes))
    assert not quorum.reached(a_rollback(votes=votes, policy=a_policy(named=False)))


@pytest.mark.parametrize(
    "worthless",
    [
        a_vote(BOB, choice=Choice.REJECT),
        a_vote(BOB, voided_at=NOON),
        a_vote(BOB, digest="00" * 32),
        a_vote(ALICE, slack_id="U0ALICE2"),
        a_vote(DAVE),
    ],
    ids=["reject", "void", "other content", "same person", "not eligible"],
)
def test_votes_that_found_their_way_in_do_not_make_a_quorum(worthless: Vote) -> None:
    assert not quorum.reached(a_rollback(votes=(a_vote(ALICE), worthless)))


def test_the_requesters_vote_never_counts_however_it_came_in() -> None:
    votes = (a_vote(ALICE), a_vote(BOB))
    assert not quorum.reached(a_rollback(requested_by=BOB, votes=votes))


# -- votes that become void -----------------------------------------------------------------------


def test_a_void_vote_takes_an_approved_rollback_back_to_pending() -> None:
    after = approval.void_votes(approved(), {BOB: "not_reviewer"}, at=LATER)

    assert after.state is State.PENDING_APPROVAL
    assert after.round == a_rollback().round + 1
    assert after.execution.clicked_at is None
    bobs = next(vote for vote in after.votes if vote.person == BOB)
    assert (bobs.voided_at, bobs.voided_why) == (LATER, "not_reviewer")


def test_the_other_vote_stands_and_a_third_person_completes_the_quorum() -> None:
    after = approval.void_votes(approved(), {BOB: "not_reviewer"}, at=LATER)

    assert cast(after, a_vote(CAROL)).state is State.APPROVED


def test_who_is_eligible_again_may_vote_again_and_the_void_vote_stays_on_record() -> None:
    after = approval.void_votes(approved(), {BOB: "not_reviewer"}, at=LATER)

    again = cast(after, a_vote(BOB))

    assert again.state is State.APPROVED
    assert [vote.person for vote in again.votes] == [ALICE, BOB, BOB]


def test_buttons_of_the_card_before_the_void_are_out_of_date() -> None:
    before = approved()
    after = approval.void_votes(before, {BOB: "deleted"}, at=LATER)

    with pytest.raises(OutOfDate):
        approval.cast(after, a_vote(CAROL), at=LATER, claim=a_claim(before), why_not=None)


def test_voiding_a_vote_that_is_not_there_changes_nothing() -> None:
    rollback = approved()

    assert approval.void_votes(rollback, {CAROL: "deleted"}, at=LATER) is rollback


def test_a_rollback_with_votes_to_spare_stays_approved() -> None:
    spare = replace(approved(), votes=(a_vote(ALICE), a_vote(BOB), a_vote(CAROL)))

    after = approval.void_votes(spare, {CAROL: "deleted"}, at=LATER)

    assert after.state is State.APPROVED


def test_votes_of_an_executing_rollback_are_history() -> None:
    with pytest.raises(AlreadyDecided):
        approval.void_votes(a_rollback(state=State.EXECUTING), {BOB: "deleted"}, at=LATER)


# -- other moves ----------------------------------------------------------------------------------


def test_a_draft_is_presented_once() -> None:
    shown = approval.present(a_rollback(state=State.DRAFT))

    assert shown.state is State.PENDING_APPROVAL
    with pytest.raises(IllegalMove):
        approval.present(shown)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.DRAFT, OutcomeCode.EXPIRED),
        (State.PENDING_APPROVAL, OutcomeCode.EXPIRED),
        (State.APPROVED, OutcomeCode.NOT_STARTED),
    ],
)
def test_what_is_not_executing_in_time_expires_and_says_what_was_missing(
    state: State, outcome: OutcomeCode
) -> None:
    rollback = a_rollback(state=state)

    after = approval.expire(rollback, at=rollback.expires_at)

    assert (after.state, after.outcome) == (State.EXPIRED, outcome)
    assert after.finished_at == rollback.expires_at


def test_nothing_expires_early_or_twice_or_while_it_runs() -> None:
    rollback = a_rollback()
    early = rollback.expires_at - timedelta(microseconds=1)

    for other, at in (
        (rollback, early),
        (a_rollback(state=State.EXPIRED), rollback.expires_at),
        (a_rollback(state=State.EXECUTING), rollback.expires_at),
    ):
        assert not approval.overdue(other, at=at)
        with pytest.raises(AlreadyDecided):
            approval.expire(other, at=at)


@pytest.mark.parametrize("state", [State.PENDING_APPROVAL, State.APPROVED])
def test_the_requester_may_withdraw_until_it_executes(state: State) -> None:
    after = approval.withdraw(
        a_rollback(state=state, requested_by=DAVE), person=DAVE, slack_id="U0DAVE2", at=LATER
    )

    assert after.state is State.WITHDRAWN
    assert after.outcome_facts == {"slack_id": "U0DAVE2"}


def test_nobody_else_withdraws_and_nobody_what_runs() -> None:
    with pytest.raises(NotAllowed):
        approval.withdraw(a_rollback(requested_by=DAVE), person=ALICE, slack_id=ALICE, at=LATER)
    running = a_rollback(state=State.EXECUTING, requested_by=DAVE)
    with pytest.raises(AlreadyDecided):
        approval.withdraw(running, person=DAVE, slack_id=DAVE, at=LATER)


def test_changed_content_supersedes() -> None:
    after = approval.supersede(approved(), OutcomeCode.LIVE_CHANGED, at=LATER)

    assert (after.state, after.outcome) == (State.SUPERSEDED, "live_changed")
    assert after.outcome_facts == {}


# -- the table ------------------------------------------------------------------------------------


def test_every_state_has_its_line_and_ends_have_no_exit() -> None:
    assert set(approval.MOVES) == set(State)
    assert {
        State.COMPLETED,
        State.REJECTED,
        State.EXPIRED,
        State.WITHDRAWN,
        State.SUPERSEDED,
        State.FAILED,
        State.NEEDS_ATTENTION,
    } == approval.ENDS


def test_execution_is_reached_from_approved_and_broken_glass_alone() -> None:
    assert [s for s, after in approval.MOVES.items() if State.EXECUTING in after] == [
        State.APPROVED,
        State.BROKEN_GLASS,
    ]


def test_approved_is_reached_from_pending_and_when_a_glass_is_void() -> None:
    assert [s for s, after in approval.MOVES.items() if State.APPROVED in after] == [
        State.PENDING_APPROVAL,
        State.BROKEN_GLASS,
    ]


def test_what_the_table_does_not_know_is_an_illegal_move() -> None:
    with pytest.raises(IllegalMove):
        approval.move(a_rollback(), State.EXECUTING)


def test_the_chart_has_each_move_once() -> None:
    chart = approval.as_mermaid().splitlines()

    assert chart[:2] == ["stateDiagram-v2", "    [*] --> DRAFT"]
    assert len(chart) == len(set(chart))
    assert "    PENDING_APPROVAL --> APPROVED" in chart
    assert "    APPROVED --> PENDING_APPROVAL" in chart
    assert "    COMPLETED --> [*]" in chart
    moves = sum(len(after) for after in approval.MOVES.values())
    assert len(chart) == 2 + moves + len(approval.ENDS)


# -- the content that votes bind to ---------------------------------------------------------------


def test_the_digest_of_a_content_is_frozen() -> None:
    assert approval.content_digest([a_leg()]) == (
        "30bc6b001b9928294dbdb5e3172f14b6a197ffccc9bcb594687952f1d679a10d"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"from_version_id": 13},
        {"to_version_id": 10},
        {"live_root": "00" * 32},
        {"expected_root": "00" * 32},
        {"change_digest": "00" * 32},
        {"secrets": {"kept": [], "from_version": ["API_KEY"]}},
    ],
)
def test_whatever_a_reviewer_was_shown_is_in_the_digest(change: dict[str, object]) -> None:
    assert approval.content_digest([a_leg(**change)]) != approval.content_digest([a_leg()])


def test_the_order_of_keys_is_not_in_the_digest() -> None:
    one = a_leg(secrets={"kept": [], "from_version": ["K"]})
    other = a_leg(secrets={"from_version": ["K"], "kept": []})

    assert approval.content_digest([one]) == approval.content_digest([other])


def test_every_refusal_leaves_its_rollback_as_it_was() -> None:
    rollback = a_rollback(execution=Execution())
    kept = replace(rollback)

    with pytest.raises(Refused):
        cast(rollback, a_vote(DAVE))

    assert rollback == kept


# -- more than one reject, votes taken back, and no votes at all ----------------------------------


def reluctant(**changes: object) -> Rollback:
    return a_rollback(policy=a_policy(vetoes=2), **changes)


def test_where_two_rejects_end_it_one_is_counted_and_it_goes_on() -> None:
    once = cast(reluctant(), a_reject(ALICE))

    assert once.state is State.PENDING_APPROVAL
    assert [vote.person for vote in quorum.rejects(once)] == [ALICE]
    assert cast(once, a_reject(BOB)).state is State.REJECTED


def test_the_same_person_does_not_reject_twice() -> None:
    with pytest.raises(AlreadyVoted):
        cast(cast(reluctant(), a_reject(ALICE)), a_reject(ALICE))


def test_who_rejected_does_not_approve_beside_it() -> None:
    with pytest.raises(AlreadyVoted):
        cast(cast(reluctant(), a_reject(ALICE)), a_vote(ALICE))


def test_a_reject_that_takes_the_quorum_away_sends_an_approved_one_back() -> None:
    approved = cast(cast(reluctant(), a_vote(ALICE)), a_vote(BOB))

    after = cast(approved, a_reject(BOB))

    assert (approved.state, after.state) == (State.APPROVED, State.PENDING_APPROVAL)
    assert after.execution.clicked_at is None
    assert cast(approved, a_reject(CAROL)).state is State.APPROVED


def test_a_vote_is_taken_back_and_given_again_on_a_newer_card() -> None:
    voted = cast(a_rollback(), a_vote(ALICE))

    back = approval.take_back(voted, person=ALICE, at=LATER)

    assert quorum.approvals(back) == ()
    assert back.votes[0].voided_why == approval.TAKEN_BACK
    assert back.round == voted.round + 1
    with pytest.raises(OutOfDate):
        approval.cast(back, a_vote(ALICE), at=LATER, claim=a_claim(voted), why_not=None)
    assert quorum.approvals(cast(back, a_vote(ALICE)))[0].person == ALICE


def test_a_reject_that_stands_alone_is_taken_back_too() -> None:
    back = approval.take_back(cast(reluctant(), a_reject(ALICE)), person=ALICE, at=LATER)

    assert quorum.rejects(back) == ()
    assert cast(back, a_vote(ALICE)).state is State.PENDING_APPROVAL


def test_only_a_vote_of_ones_own_is_taken_back_and_only_in_time() -> None:
    voted = cast(a_rollback(), a_vote(ALICE))

    with pytest.raises(NoVote):
        approval.take_back(voted, person=BOB, at=LATER)
    with pytest.raises(NoVote):
        approval.take_back(
            approval.take_back(voted, person=ALICE, at=LATER), person=ALICE, at=LATER
        )
    with pytest.raises(AlreadyDecided):
        approval.take_back(approved(), person=ALICE, at=LATER)
    with pytest.raises(RollbackExpired):
        approval.take_back(voted, person=ALICE, at=voted.expires_at)


def test_where_no_vote_is_needed_what_a_person_asked_for_is_approved_without_one() -> None:
    asked = a_rollback(policy=a_policy(votes=0), requested_by=DAVE)

    after = approval.approve_unasked(asked, at=LATER)

    assert (after.state, after.votes) == (State.APPROVED, ())
    assert after.execution.clicked_at == LATER


@pytest.mark.parametrize(
    "other",
    [
        a_rollback(policy=a_policy(votes=0)),  # an alert suggested it
        a_rollback(policy=a_policy(votes=1), requested_by=DAVE),
        a_rollback(policy=a_policy(votes=0, named=False), requested_by=DAVE),
        a_rollback(votes=(a_vote(ALICE), a_vote(BOB)), requested_by=DAVE),  # votes have their way
    ],
)
def test_nothing_else_is_approved_without_a_vote(other: Rollback) -> None:
    with pytest.raises(NotAllowed):
        approval.approve_unasked(other, at=LATER)


def test_what_is_decided_is_not_approved_without_a_vote() -> None:
    with pytest.raises(AlreadyDecided):
        approval.approve_unasked(approved(), at=LATER)


def test_who_may_no_longer_ask_loses_what_nobody_else_approved() -> None:
    asked = a_rollback(policy=a_policy(votes=0), requested_by=DAVE, requested_slack_id=DAVE)

    after = approval.lose_requester(approval.approve_unasked(asked, at=LATER), at=LATER)

    assert (after.state, after.outcome) == (State.WITHDRAWN, OutcomeCode.REQUESTER_LOST)
    assert after.outcome_facts == {"slack_id": DAVE}
    assert after.finished_at == LATER


# -- what the operator reads ----------------------------------------------------------------------

VOTED = a_rollback(votes=(a_vote(ALICE),))
OVER = a_rollback().expires_at


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (lambda: cast(a_rollback(state=State.FAILED), a_vote()), "rollback 17 is failed"),
        (lambda: cast(a_rollback(), a_reject(BOB, "")), f"{BOB} rejects rollback 17"),
        (
            lambda: approval.cast(a_rollback(), a_vote(), at=OVER, claim=a_claim(), why_not=None),
            f"rollback 17 expired at {OVER}",
        ),
        (
            lambda: approval.cast(
                a_rollback(), a_vote(), at=LATER, claim=a_claim(round=4), why_not=None
            ),
            "round 4, not 1",
        ),
        (lambda: cast(a_rollback(), a_vote(digest="")), "another content of rollback 17 was shown"),
        (
            lambda: cast(a_rollback(requested_by=ALICE), a_vote(ALICE)),
            f"{ALICE} asked for rollback 17",
        ),
        (lambda: cast(VOTED, a_vote(ALICE)), f"{ALICE} has voted on rollback 17"),
        (
            lambda: approval.take_back(approved(), person=ALICE, at=LATER),
            "rollback 17 is approved",
        ),
        (lambda: approval.take_back(VOTED, person=ALICE, at=OVER), f"expired at {OVER}"),
        (
            lambda: approval.take_back(VOTED, person=BOB, at=LATER),
            f"{BOB} has no vote on rollback 17",
        ),
        (
            lambda: approval.void_votes(a_rollback(state=State.FAILED), {}, at=LATER),
            "rollback 17 is failed",
        ),
        (lambda: approval.approve_unasked(approved(), at=LATER), "rollback 17 is approved"),
        (lambda: approval.approve_unasked(VOTED, at=LATER), "rollback 17 needs 2 votes"),
        (
            lambda: approval.expire(VOTED, at=LATER),
            "rollback 17 is pending_approval and not overdue",
        ),
        (
            lambda: approval.withdraw(VOTED, person=BOB, slack_id=BOB, at=LATER),
            f"{BOB} did not ask for rollback 17",
        ),
        (
            lambda: approval.withdraw(
                a_rollback(state=State.FAILED, requested_by=DAVE),
                person=DAVE,
                slack_id=DAVE,
                at=LATER,
            ),
            "rollback 17 is failed",
        ),
        (
            lambda: approval.present(VOTED),
            "rollback 17 cannot go from pending_approval to pending_approval",
        ),
    ],
)
def test_a_refusal_says_of_whom_and_of_which_rollback(
    refused: Callable[[], Rollback], said: str
) -> None:
    with pytest.raises((Refused, IllegalMove), match=f"(?i){re.escape(said)}"):
        refused()
