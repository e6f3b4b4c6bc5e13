"""The card is a pure function of what the store holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import approval
from bot.domain.card import CardAlert, CardView
from bot.domain.card_view import CHANGES_SHOWN, build, seconds_to_verified
from bot.domain.diff.changes import Change, ChangeKind, ChangeList, ChangeOp
from bot.domain.dry_run import Hitch, Severity, facts_of
from store.records import Choice, Execution, FiringStatus, Rollback, State
from tests.builders import (
    ALICE,
    BOB,
    DAVE,
    NOON,
    REVIEWERS,
    a_case,
    a_finding,
    a_firing,
    a_leg,
    a_policy,
    a_rollback,
    a_version,
    a_vote,
)

HEAD = (41, "ee" * 32)
VERSIONS = {
    11: a_version(id=11, number=1, author="bob", published_at=NOON - timedelta(days=2)),
    12: a_version(),
}


def some_changes(n: int = 1) -> ChangeList:
    return ChangeList(
        tuple(
            Change(ChangeKind.PROMPT, ChangeOp.CHANGED, f"LLM {i}", f"nodes/{i}/prompt", "a", "b")
            for i in range(n)
        )
    )


def a_shown_rollback(changes: ChangeList | None = None, **facts: Any) -> Rollback:
    """A rollback whose votes bind to *changes*."""
    digest = (changes or some_changes()).digest
    return a_rollback(**{"legs": (a_leg(change_digest=digest),), **facts})


def signed(rollback: Rollback, action: str) -> str:
    return f"{action}:{rollback.id}:{rollback.round}"


def view(rollback: Rollback | None, **changes: Any) -> CardView:
    facts: dict[str, Any] = {
        "versions": VERSIONS,
        "changes": [some_changes()] if rollback else [],
        "firings": (),
        "head": HEAD,
        "sign": signed,
    }
    case = changes.pop("case", a_case(finding=a_finding()))
    return build(case, rollback, **{**facts, **changes})


def actions(card: CardView) -> list[str]:
    return [button.action for button in card.buttons]


def test_without_a_rollback_the_card_has_the_facts_and_no_button() -> None:
    card = view(None, case=a_case(finding=a_finding(code="no_change", facts={"newest": 2})))

    assert (card.state, card.rollback_id, card.buttons) == (None, None, ())
    assert (card.finding_code, card.finding_facts) == ("no_change", {"newest": 2})
    assert (card.app, card.env) == ("support-triage", "prod")
    assert (card.audit_seq, card.audit_head) == HEAD


def test_a_case_without_a_finding_is_still_being_looked_at() -> None:
    assert view(None, case=a_case()).finding_code == "looking"


def test_alerts_are_shown_with_their_severity_and_whether_they_fire() -> None:
    done = a_firing(fingerprint="f2", status=FiringStatus.RESOLVED, labels={"alertname": "Slow"})

    card = view(None, firings=[a_firing(), done])

    start = NOON - timedelta(minutes=5)
    assert card.alerts == (
        CardAlert("WrongAnswers", "f1d2c3b4a5968778", start, firing=True, severity="page"),
        CardAlert("Slow", "f2", start, firing=False),
    )


def test_a_pending_rollback_can_be_approved_rejected_looked_at_and_replaced() -> None:
    card = view(a_shown_rollback())

    assert [(b.action, b.value) for b in card.buttons] == [
        ("approve", "approve:17:1"),
        ("reject", "reject:17:1"),
        ("difference", "difference:17:1"),
        ("another", "another:17:1"),
    ]


def test_the_card_says_what_goes_where_and_who_has_a_say() -> None:
    rollback = a_shown_rollback(requested_by=DAVE, requested_slack_id=DAVE, reason="wrong answers")

    card = view(rollback)

    assert (card.from_number, card.to_number) == (2, 1)
    assert (card.from_author, card.to_author) == ("carol", "bob")
    assert card.to_published_at == NOON - timedelta(days=2)
    assert (card.requested_slack_id, card.reason) == (DAVE, "wrong answers")
    assert (card.votes_needed, card.reviewers, card.policy_named) == (2, (REVIEWERS,), True)
    assert card.expires_at == rollback.expires_at
    assert card.digest == approval.content_digest(rollback.legs)
    assert (card.secrets_kept, card.secrets_from_version) == (("API_KEY",), ())
    assert (card.outcome_code, card.outcome_facts, card.seconds) == ("", None, None)


def test_votes_are_shown_also_when_they_are_void() -> None:
    void = a_vote(BOB, voided_at=NOON, voided_why="not_reviewer")

    card = view(a_shown_rollback(votes=(a_vote(ALICE), void)))

    assert [(v.slack_id, v.choice, v.void, v.void_why) for v in card.votes] == [
        (ALICE, Choice.APPROVE, False, ""),
        (BOB, Choice.APPROVE, True, "not_reviewer"),
    ]


def test_until_an_approved_rollback_has_started_it_can_be_stopped() -> None:
    assert actions(view(a_shown_rollback(state=State.APPROVED))) == ["reject", "difference"]


@pytest.mark.parametrize(
    "state", [s for s in State if s not in approval.NOT_STARTED and s is not State.COMPLETED]
)
def test_past_voting_only_looking_is_left(state: State) -> None:
    assert actions(view(a_shown_rollback(state=state))) == ["difference"]


def test_what_was_carried_out_can_be_undone() -> None:
    assert actions(view(a_shown_rollback(state=State.COMPLETED))) == ["difference", "undo"]


def test_without_a_policy_nobody_is_asked_to_approve() -> None:
    card = view(a_shown_rollback(policy=a_policy(named=False)))

    assert (card.policy_named, actions(card)) == (False, ["difference", "another"])


def test_nobody_is_asked_to_approve_a_difference_that_the_votes_do_not_bind_to() -> None:
    shown = actions(view(a_shown_rollback(), changes=[some_changes(2)]))

    assert shown == ["difference", "another"]


def test_without_its_difference_a_card_has_no_button() -> None:
    card = view(a_shown_rollback(), changes=[])

    assert (card.buttons, card.changes, card.change_counts) == ((), (), None)


def test_the_most_important_changes_are_shown_and_the_others_counted() -> None:
    changes = some_changes(CHANGES_SHOWN + 3)

    card = view(a_shown_rollback(changes), changes=[changes])

    assert len(card.changes) == CHANGES_SHOWN
    assert card.changes_left == 3
    assert card.change_counts == {"prompt": CHANGES_SHOWN + 3}
    assert card.summary == changes.summary()


def test_what_a_dry_run_found_stands_on_the_card() -> None:
    missing = Hitch(Severity.WARNS, "model", "gpt-4o", "openai", ("Answer",))
    rollback = a_shown_rollback()
    leg = replace(rollback.leg, dry_run=facts_of((missing,)))

    warned, quiet = view(replace(rollback, legs=(leg,))), view(rollback)

    assert warned.dry_run.endswith("model gpt-4o (node Answer)")
    assert (warned.dry_run_warns, quiet.dry_run, quiet.dry_run_warns) == (True, "", False)


def test_nothing_that_a_dry_run_finds_voids_a_vote() -> None:
    leg = a_rollback().leg
    found = replace(leg, dry_run=facts_of((Hitch(Severity.WARNS, "model", "gpt-4o"),)))

    assert approval.content_digest((found,)) == approval.content_digest((leg,))


def test_a_version_that_is_not_stored_leaves_its_place_empty() -> None:
    card = view(a_shown_rollback(), versions={})

    assert (card.from_number, card.to_number, card.from_author) == (None, None, "")


def test_the_end_is_shown_with_the_seconds_from_the_click_to_the_read_back() -> None:
    run = Execution(clicked_at=NOON, verified_at=NOON + timedelta(seconds=3.204))
    ended = a_shown_rollback(
        state=State.COMPLETED, execution=run, outcome="completed", outcome_facts={"number": 3}
    )

    card = view(ended)

    assert (card.outcome_code, card.outcome_facts) == ("completed", {"number": 3})
    assert card.seconds == 3.2


def test_what_was_never_verified_has_no_seconds() -> None:
    clicked = replace(a_rollback(), execution=Execution(clicked_at=NOON))

    assert seconds_to_verified(clicked) is None
    assert seconds_to_verified(a_rollback()) is None


def test_the_same_state_gives_the_same_card() -> None:
    assert view(a_shown_rollback()) == view(a_shown_rollback())


BREAKERS = a_policy(break_glass=("S0ADMINS",), breakers=("U0ALICE",))


@pytest.mark.parametrize("state", State)
def test_only_what_waits_for_approval_can_be_started_alone_where_somebody_may(state: State) -> None:
    may = actions(view(a_shown_rollback(state=state, policy=BREAKERS)))

    assert ("break_glass" in may) == (state is State.PENDING_APPROVAL)
    assert "break_glass" not in actions(view(a_shown_rollback(state=state)))
