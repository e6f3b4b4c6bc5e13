"""Votes: judged from the inbox, stored with all that tells of them, or refused with a reason."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import approval, button
from bot.domain.policy import Policy
from bot.domain.words import OutcomeCode
from bot.errors import AlreadyVoted, NotEligible, OutOfDate, SelfApproval
from bot.ports.store import Store
from store.records import AuditEntry, Choice, InboxKind, NewInboxItem, Rollback, State
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, KEYS, REVIEWERS, TEAM
from tests.unit.services.scene import Scene, a_pending

FIRST = 1  # the id of the first item in a fresh store


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


@pytest.fixture
async def rollback(scene: Scene) -> Rollback:
    """A rollback whose card stands in Slack."""
    pending = await a_pending(scene.store)
    await scene.tell()
    return pending


async def votes(scene: Scene, rollback: Rollback) -> list[str]:
    return [vote.person for vote in (await scene.rollback(rollback)).votes]


def codes(entries: list[AuditEntry]) -> list[tuple[str, str, Any]]:
    return [(entry.user_id, entry.status, entry.what.get("code")) for entry in entries]


# -- votes that count -----------------------------------------------------------------------------


async def test_two_reviewers_make_the_quorum_and_wake_the_executor(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve(ALICE, rollback)
    await scene.judge()
    assert (await scene.rollback(rollback)).state is State.PENDING_APPROVAL
    assert scene.nudged == []

    await scene.approve(BOB, rollback)
    await scene.judge()

    after = await scene.rollback(rollback)
    assert after.state is State.APPROVED
    assert after.execution.clicked_at is not None
    assert scene.nudged == [1]


async def test_two_reviewers_at_the_same_instant_make_one_quorum(
    scene: Scene, rollback: Rollback
) -> None:
    for who in (ALICE, BOB, CAROL):
        await scene.approve(who, rollback)

    await asyncio.gather(*(scene.decide(f"w{n}").step() for n in range(3)))

    assert (await scene.rollback(rollback)).state is State.APPROVED
    assert len(await votes(scene, rollback)) == 2
    assert scene.nudged == [1]


async def test_a_vote_is_stored_with_person_account_team_groups_and_digest(
    scene: Scene, rollback: Rollback
) -> None:
    scene.directory.add("U0ALICE2", person=ALICE)
    scene.directory.groups[REVIEWERS] |= {"U0ALICE2"}
    await scene.approve("U0ALICE2", rollback)

    await scene.judge()

    (vote,) = (await scene.rollback(rollback)).votes
    assert (vote.person, vote.slack_id, vote.team_id) == (ALICE, "U0ALICE2", TEAM)
    assert (vote.choice, vote.groups) == (Choice.APPROVE, (REVIEWERS,))
    assert vote.digest == rollback.content_digest


async def test_every_vote_is_in_the_audit_chain_with_what_was_voted_on(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve(ALICE, rollback)
    await scene.judge()

    (entry,) = await scene.entries("vote.")
    assert (entry.user_id, entry.action, entry.status) == (ALICE, "vote.approve", "ok")
    assert entry.resource == f"rollback/{rollback.id}"
    assert (entry.ip_addr, entry.ip_note) == (
        None,
        "Slack does not pass on the person's address",
    )
    assert entry.what["digest"] == rollback.content_digest
    assert (entry.what["round"], entry.what["person"]) == (rollback.round, ALICE)
    assert (entry.what["groups"], entry.what["app"]) == ([REVIEWERS], "support-triage@prod")
    assert entry.trace_id.startswith("inbox/")


async def test_card_thread_and_voter_hear_of_every_vote(scene: Scene, rollback: Rollback) -> None:
    for who in (ALICE, BOB):
        await scene.approve(who, rollback)
        await scene.judge()
    await scene.tell()

    assert scene.messenger.codes == ["vote_approved", "vote_approved"]
    assert [dict(reply.note.facts) for reply in scene.messenger.replies] == [
        {"slack_id": ALICE, "count": 1, "needed": 2, "missing": []},
        {"slack_id": BOB, "count": 2, "needed": 2, "missing": []},
    ]
    assert [vote.slack_id for vote in scene.messenger.drawn[-1].votes] == [ALICE, BOB]
    assert [b.action for b in scene.messenger.drawn[-1].buttons] == ["reject", "difference"]
    assert [(who, code) for who, code, _ in scene.told()] == [
        (ALICE, "vote_counted"),
        (BOB, "vote_counted"),
    ]


async def test_an_approved_rollback_is_stopped_by_one_who_approved_it(
    scene: Scene, rollback: Rollback
) -> None:
    for who in (ALICE, BOB):
        await scene.approve(who, rollback)
    await scene.judge()
    await scene.reject(ALICE, rollback, reason="it was the provider")
    await scene.judge()
    await scene.tell()

    after = await scene.rollback(rollback)
    assert (after.state, after.outcome) == (State.REJECTED, "rejected")
    assert scene.messenger.codes[-1] == "vote_rejected"
    assert [(vote.slack_id, vote.void) for vote in scene.messenger.drawn[-1].votes] == [
        (ALICE, True),
        (BOB, False),
        (ALICE, False),
    ]


async def test_a_reject_ends_it_with_its_reason(scene: Scene, rollback: Rollback) -> None:
    await scene.approve(ALICE, rollback)
    await scene.reject(BOB, rollback, reason="the fix\nis on\x00 its way ")
    await scene.judge()
    await scene.tell()

    after = await scene.rollback(rollback)
    assert (after.state, after.outcome) == (State.REJECTED, OutcomeCode.REJECTED)
    assert after.votes[-1].reason == "the fix is on its way"
    assert scene.messenger.replies[-1].note.facts == {
        "slack_id": BOB,
        "reason": "the fix is on its way",
    }
    (entry,) = await scene.entries("vote.reject")
    assert entry.what["reason"] == "the fix is on its way"


async def test_a_reject_without_a_reason_is_refused(scene: Scene, rollback: Rollback) -> None:
    await scene.reject(BOB, rollback, reason=" \n ")
    await scene.judge()

    assert (await scene.rollback(rollback)).state is State.PENDING_APPROVAL
    assert codes(await scene.entries("vote.reject")) == [(BOB, "refused", "reason_missing")]


async def test_pressing_reject_only_asks_for_the_reason(scene: Scene, rollback: Rollback) -> None:
    await scene.press(BOB, "reject", rollback, kind=InboxKind.CLICK)
    await scene.judge()
    await scene.tell()

    assert (await scene.rollback(rollback)).state is State.PENDING_APPROVAL
    assert scene.told() == []


async def test_the_requester_who_rejects_withdraws(scene: Scene) -> None:
    asked = await a_pending(scene.store, requested_by=DAVE)
    await scene.tell()
    await scene.reject(DAVE, asked, reason="not needed any more")
    await scene.judge()
    await scene.tell()

    after = await scene.rollback(asked)
    assert (after.state, after.outcome) == (State.WITHDRAWN, OutcomeCode.WITHDRAWN)
    assert scene.messenger.codes == ["ended"]
    (entry,) = await scene.entries("rollback.withdraw")
    assert (entry.user_id, entry.status) == (DAVE, "ok")


async def test_a_requester_whose_account_is_gone_withdraws_nothing(scene: Scene) -> None:
    asked = await a_pending(scene.store, requested_by=DAVE)
    await scene.tell()
    scene.directory.change(DAVE, deleted=True)
    await scene.reject(DAVE, asked)
    await scene.judge()

    assert (await scene.rollback(asked)).state is State.PENDING_APPROVAL


# -- votes that are refused -----------------------------------------------------------------------


async def test_nobody_approves_their_own_rollback(scene: Scene) -> None:
    asked = await a_pending(scene.store, requested_by=ALICE)
    await scene.tell()
    await scene.approve(ALICE, asked)
    await scene.judge()
    await scene.tell()

    assert await votes(scene, asked) == []
    assert codes(await scene.entries("vote.")) == [(ALICE, "refused", "self_approval")]
    assert scene.told() == [(ALICE, "refused", SelfApproval.user_message)]


async def test_a_second_click_is_not_a_second_vote(scene: Scene, rollback: Rollback) -> None:
    await scene.approve(ALICE, rollback)
    await scene.approve(ALICE, rollback)
    await scene.judge()
    await scene.tell()

    assert await votes(scene, rollback) == [ALICE]
    assert (ALICE, "refused", AlreadyVoted.user_message) in scene.told()


async def test_one_human_with_two_accounts_has_one_vote(scene: Scene, rollback: Rollback) -> None:
    scene.directory.add("U0ALICE2", person=ALICE)
    scene.directory.groups[REVIEWERS] |= {"U0ALICE2"}
    await scene.approve(ALICE, rollback)
    await scene.approve("U0ALICE2", rollback)
    await scene.judge()

    assert await votes(scene, rollback) == [ALICE]


async def test_equal_refusals_collapse_and_each_is_answered(
    scene: Scene, rollback: Rollback
) -> None:
    for _ in range(6):
        await scene.approve(DAVE, rollback)
    await scene.judge()
    await scene.tell()

    recorded = len(await scene.entries("vote."))
    assert 1 <= recorded <= 2  # two if a minute ended meanwhile
    assert len(scene.told()) == 6


async def test_refusals_of_another_kind_are_recorded_beside_each_other(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve(DAVE, rollback)
    await scene.reject(DAVE, rollback)
    await scene.judge()

    assert codes(await scene.entries("vote.")) == [
        (DAVE, "refused", "not_eligible:not_reviewer"),
        (DAVE, "refused", "not_eligible:not_reviewer"),
    ]


@pytest.mark.parametrize("kind", ["deleted", "bot", "guest"])
async def test_members_of_these_kinds_are_refused_and_recorded(
    scene: Scene, rollback: Rollback, kind: str
) -> None:
    scene.directory.change(ALICE, **{kind: True})
    await scene.approve(ALICE, rollback)
    await scene.judge()
    await scene.tell()

    assert await votes(scene, rollback) == []
    assert codes(await scene.entries("vote.")) == [(ALICE, "refused", f"not_eligible:{kind}")]
    assert scene.told() == [(ALICE, "refused", NotEligible(kind).to_person())]


@pytest.mark.parametrize("flags", [{"stranger": True}, {"team_id": "T0OTHER"}])
async def test_people_of_other_organisations_are_refused_and_only_counted(
    scene: Scene, rollback: Rollback, flags: dict[str, Any]
) -> None:
    scene.directory.change(ALICE, **flags)
    await scene.approve(ALICE, rollback)
    await scene.judge()
    await scene.tell()

    assert await votes(scene, rollback) == []
    assert await scene.entries("vote.") == []
    assert len(scene.told()) == 1


async def test_an_account_that_slack_does_not_know_is_only_counted(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve("U0NOBODY", rollback)
    await scene.judge()

    assert await votes(scene, rollback) == []
    assert await scene.entries("vote.") == []


async def test_a_payload_of_another_workspace_does_not_vote(
    scene: Scene, rollback: Rollback
) -> None:
    case = await scene.case(rollback)
    payload = {
        "value": button.sign(rollback, "approve", keys=KEYS),
        "channel": case.channel,
        "ts": case.card_ts,
    }
    await scene.put_item(
        NewInboxItem("other-team", InboxKind.CLICK, "approve", ALICE, "T0OTHER", payload)
    )
    await scene.judge()

    assert await votes(scene, rollback) == []
    assert await scene.entries("vote.") == []


async def test_who_has_left_the_group_does_not_vote(scene: Scene, rollback: Rollback) -> None:
    scene.directory.leave(ALICE)
    await scene.approve(ALICE, rollback)
    await scene.judge()

    assert codes(await scene.entries("vote.")) == [(ALICE, "refused", "not_eligible:not_reviewer")]


async def test_who_joined_after_it_was_opened_does_not_vote(
    scene: Scene, rollback: Rollback
) -> None:
    scene.directory.groups[REVIEWERS] |= {DAVE}
    await scene.approve(DAVE, rollback)
    await scene.judge()

    assert codes(await scene.entries("vote.")) == [(DAVE, "refused", "not_eligible:not_at_open")]


async def test_no_votes_are_taken_where_other_organisations_can_click(
    scene: Scene, rollback: Rollback
) -> None:
    scene.directory.shared.add(CHANNEL)
    await scene.approve(ALICE, rollback)
    await scene.judge()

    assert codes(await scene.entries("vote.")) == [
        (ALICE, "refused", "not_eligible:shared_channel")
    ]


async def test_without_a_policy_nobody_votes(scene: Scene) -> None:
    unnamed = await a_pending(scene.store, rules=Policy().snapshot([ALICE]))
    await scene.tell()
    await scene.approve(ALICE, unnamed)
    await scene.judge()

    assert codes(await scene.entries("vote.")) == [(ALICE, "refused", "not_eligible:no_policy")]


async def test_after_its_time_a_rollback_takes_no_vote(scene: Scene) -> None:
    late = await a_pending(scene.store, open_for=timedelta(0))
    await scene.tell()
    await scene.approve(ALICE, late)
    await scene.judge()

    assert codes(await scene.entries("vote.")) == [(ALICE, "refused", "rollback_expired")]


async def test_after_the_decision_a_click_is_told_so(scene: Scene, rollback: Rollback) -> None:
    await scene.reject(BOB, rollback)
    await scene.judge()
    await scene.approve(ALICE, rollback)
    await scene.judge()

    assert codes(await scene.entries("vote.approve")) == [(ALICE, "refused", "already_decided")]


# -- buttons --------------------------------------------------------------------------------------


async def test_a_click_on_another_message_is_sent_to_the_right_one(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve(ALICE, rollback, ts="1700000000.000001")
    await scene.approve(ALICE, rollback, channel="C0ELSEWHERE")
    await scene.judge()
    scene.messenger.channels.add("C0ELSEWHERE")
    await scene.tell()

    assert await votes(scene, rollback) == []
    case = await scene.case(rollback)
    link = await scene.messenger.permalink(channel=case.channel, ts=case.card_ts)
    assert [dict(answer.note.facts) for answer in scene.messenger.answers] == [
        {"permalink": link},
        {"permalink": link},
    ]
    assert codes(await scene.entries("vote."))[0] == (ALICE, "refused", "out_of_date")


@pytest.mark.parametrize(
    "value",
    ["", "nonsense", "1.1.nonce." + "0" * 64, "999999.1.nonce." + "0" * 64],
    ids=["empty", "another form", "forged", "of no rollback"],
)
async def test_a_value_that_we_did_not_make_decides_nothing(
    scene: Scene, rollback: Rollback, value: str
) -> None:
    for action in ("approve", "difference"):
        await scene.press(ALICE, action, rollback, kind=InboxKind.CLICK, value=value)
    await scene.judge()
    await scene.tell()

    assert await votes(scene, rollback) == []
    assert [code for _, code, _ in scene.told()] == ["out_of_date", "out_of_date"]
    assert {entry.status for entry in await scene.entries("vote.", "difference.", "button.")} == {
        "refused"
    }


async def test_a_reject_button_cannot_be_sent_in_as_an_approval(
    scene: Scene, rollback: Rollback
) -> None:
    value = button.sign(rollback, "reject", keys=KEYS)
    await scene.approve(ALICE, rollback, value=value)
    await scene.judge()

    assert await votes(scene, rollback) == []
    assert codes(await scene.entries("vote.")) == [(ALICE, "refused", OutOfDate("").code)]


async def test_a_button_of_the_round_before_is_out_of_date(
    scene: Scene, rollback: Rollback
) -> None:

    await scene.approve(ALICE, rollback)
    await scene.judge()
    async with scene.store.write() as tx:
        before = await tx.rollbacks.get(rollback.id, lock=True)
        void = approval.void_votes(before, {ALICE: "not_reviewer"}, at=await tx.now())
        await tx.rollbacks.save(void, was=before.revision, entry=None)
    await scene.approve(BOB, rollback)
    await scene.judge()
    assert codes(await scene.entries("vote."))[-1] == (BOB, "refused", "out_of_date")

    current = await scene.rollback(rollback)
    await scene.approve(BOB, current)
    await scene.approve(ALICE, current)
    await scene.judge()

    assert (await scene.rollback(rollback)).state is State.APPROVED


# -- Slack cannot say -----------------------------------------------------------------------------


async def test_while_slack_cannot_say_who_it_is_nobody_votes(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve(ALICE, rollback)
    scene.directory.down = True
    worker = scene.decide()
    assert await worker.step()
    assert await votes(scene, rollback) == []
    assert await scene.entries("vote.") == []

    scene.directory.down = False
    await scene.judge()

    assert await votes(scene, rollback) == [ALICE]


async def test_an_item_that_waits_does_not_hold_up_the_others(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve(ALICE, rollback)
    scene.directory.down = True
    worker = scene.decide(jitter=lambda: 1.0)
    assert await worker.step()
    scene.directory.down = False
    await scene.approve(BOB, rollback)

    assert await worker.step()

    assert await votes(scene, rollback) == [BOB]
    assert not await worker.step()


async def test_a_look_up_that_slack_refuses_is_told_and_recorded_and_no_vote(
    scene: Scene, rollback: Rollback
) -> None:
    scene.directory.refuses = "missing_scope"
    await scene.approve(ALICE, rollback)
    await scene.judge()
    await scene.tell()

    assert await votes(scene, rollback) == []
    assert codes(await scene.entries("inbox.")) == [(ALICE, "failed", "upstream_refused")]
    assert [code for _, code, _ in scene.told()] == ["refused"]


async def test_a_click_before_the_cards_place_is_stored_waits_for_it(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await scene.approve(ALICE, pending, ts="1764000000.000001")
    worker = scene.decide()
    assert await worker.step()
    assert await votes(scene, pending) == []

    await scene.tell()
    await scene.judge()

    assert await votes(scene, pending) == [ALICE]


async def test_what_could_not_be_judged_for_too_long_is_given_up_and_told(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve(ALICE, rollback)
    await scene.judge(patience=timedelta(seconds=-60))
    await scene.tell()

    assert await votes(scene, rollback) == []
    assert [(who, code) for who, code, _ in scene.told()] == [(ALICE, "failed")]
    assert [entry.status for entry in await scene.entries("inbox.")] == ["failed"]


async def test_a_worker_whose_item_was_taken_over_stores_nothing(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.approve(ALICE, rollback)
    slow = scene.decide("slow")
    look_up = scene.directory.member

    async def take_over(slack_id: str) -> Any:
        scene.directory.member = look_up  # type: ignore[method-assign]
        async with scene.store.write() as tx:
            await tx.inbox.defer(FIRST, owner="slow", delay=timedelta(0), error="stopped")
        assert await scene.decide("quick").step()
        return await look_up(slack_id)

    scene.directory.member = take_over  # type: ignore[method-assign]
    assert await slow.step()

    assert await votes(scene, rollback) == [ALICE]
    assert len([e for e in await scene.entries("vote.") if e.status == "ok"]) == 1


# -- rows that are not of our form ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "action", "payload"),
    [
        (InboxKind.CLICK, "approve", {}),
        (InboxKind.CLICK, "approve", {"value": 7, "channel": CHANNEL, "ts": "1"}),
        (InboxKind.CLICK, "explode", {"value": "", "channel": CHANNEL, "ts": "1"}),
        (InboxKind.SUBMISSION, "approve", {"value": "", "channel": CHANNEL, "ts": "1"}),
        (InboxKind.COMMAND, "/rollback", {"text": "help"}),
    ],
)
async def test_a_row_that_is_not_of_our_form_is_put_aside(
    scene: Scene, kind: InboxKind, action: str, payload: dict[str, Any]
) -> None:
    await scene.put(kind, action, ALICE, **payload)

    await scene.judge()

    assert scene.directory.asked == 0


async def test_an_empty_inbox_is_no_work(scene: Scene) -> None:
    assert not await scene.decide().step()
