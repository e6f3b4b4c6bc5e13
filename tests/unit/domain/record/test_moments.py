"""What happened stands in its order, with every move, vote and call."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.record.moments import Moment, What, moments, moves
from store.records import Execution, FiringStatus, Glass, Rollback, Signature, State, Step
from tests.builders import (
    ALICE,
    BOB,
    NOON,
    TEAM,
    a_firing,
    a_leg,
    a_reject,
    a_rollback,
    a_vote,
)


def later(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def at(rollback: Rollback, step: Step, state: State = State.EXECUTING, **facts: object) -> Rollback:
    return replace(rollback, state=state, execution=Execution(step=step, **facts))  # type: ignore[arg-type]


def told(found: tuple[Moment, ...]) -> list[str]:
    return [str(one.facts.get("step") or one.facts.get("state") or one.what) for one in found]


def test_the_way_of_an_incident_is_told_from_the_alert_to_the_end() -> None:
    draft = a_rollback(state=State.DRAFT)
    pending = replace(draft, state=State.PENDING_APPROVAL)
    lived = [
        (NOON, draft),
        (NOON, pending),
        (NOON + later(20), at(pending, Step.NONE, State.APPROVED)),
        (NOON + later(21), at(pending, Step.CLAIMED)),
        (NOON + later(22), at(pending, Step.STAGING, kept_draft_id=8)),
        (NOON + later(23), at(pending, Step.PUBLISHING, staged_token="t")),
        (NOON + later(24), at(pending, Step.VERIFYING, State.VERIFYING)),
        (NOON + later(25), at(pending, Step.RETURNING, State.VERIFYING, published_id="p")),
        (NOON + later(26), at(pending, Step.DONE, State.COMPLETED)),
    ]
    votes = (a_vote(at=NOON + later(10)), a_vote(BOB, at=NOON + later(20)))
    firing = a_firing(
        starts_at=NOON - later(60), status=FiringStatus.RESOLVED, ends_at=NOON + later(90)
    )
    onset = NOON - later(300), NOON - later(240)

    found = moments(a_rollback(votes=votes), lived, [firing], onset)

    assert told(found) == [
        "onset",
        "fired",
        "opened",
        "PENDING_APPROVAL",
        "approved",
        "approved",
        "APPROVED",
        "EXECUTING",
        "claimed",
        "staging",
        "publishing",
        "VERIFYING",
        "verifying",
        "returning",
        "COMPLETED",
        "resolved",
    ]
    assert found[9].facts["kept"] == 8
    assert moves(lived)[0] == (NOON, State.DRAFT)
    assert moves(lived)[-1] == (NOON + later(26), State.COMPLETED)


def test_a_vote_that_no_longer_counts_is_told_twice_with_its_reason() -> None:
    voided = a_vote(at=NOON, voided_at=NOON + later(5), voided_why="left_group")
    against = replace(a_reject(BOB), at=NOON + later(7))

    found = moments(a_rollback(votes=(voided, against)), [], [], None)

    assert [(one.what, dict(one.facts)) for one in found] == [
        (What.APPROVED, {"by": ALICE}),
        (What.VOIDED, {"by": ALICE, "why": "left_group"}),
        (What.REJECTED, {"by": BOB, "reason": "the fix is on its way"}),
    ]


def test_a_process_that_takes_over_is_told_and_renewing_a_lease_is_not() -> None:
    began = a_rollback(state=State.EXECUTING, execution=Execution(Step.STAGING, lease_epoch=1))
    renewed = replace(began, execution=replace(began.execution, lease_until=NOON))
    taken = replace(renewed, execution=replace(renewed.execution, lease_epoch=2))

    found = moments(began, [(NOON, began), (NOON, renewed), (NOON + later(40), taken)], [], None)

    assert [one.what for one in found] == [What.OPENED, What.TAKEN_OVER]


def test_of_several_apps_each_call_names_its_own_and_which_way_it_goes() -> None:
    other = a_leg(where=replace(a_leg().where, app="kb-search"))
    both = a_rollback(legs=(a_leg(), other), state=State.EXECUTING)
    forth = at(both, Step.CLAIMED, position=1)
    back = at(both, Step.CLAIMED, position=1, back_because="target_down")

    found = moments(both, [(NOON, both), (NOON, forth), (NOON, back)], [], None)

    assert [(one.facts["where"], one.facts["back"]) for one in found[1:]] == [
        ("kb-search@prod", False),
        ("kb-search@prod", True),
    ]


def test_a_broken_glass_and_its_review_are_told_by_name() -> None:
    glass = Glass(ALICE, ALICE, TEAM, "nobody else awake", "d", 1, "n", NOON, "card")
    signed = Signature(BOB, BOB, TEAM, NOON + later(60), "it was right")
    done = a_rollback(glass=(glass,), signatures=(signed,), reviewed_at=NOON + later(61))

    found = moments(done, [], [], None)

    assert [one.what for one in found] == [What.GLASS, What.SIGNED, What.REVIEWED]
    assert found[0].facts["reason"] == "nobody else awake"
