"""One person starts a rollback alone; it is loud, it is checked again, and two others review it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain import button, quorum
from bot.domain.policy import Policy
from bot.domain.windows import windows
from bot.domain.words import OutcomeCode
from bot.errors import Frozen, UpstreamDown
from bot.ports.store import Store
from bot.services.eligibility import Eligibility
from bot.services.follow_up import FollowUp
from bot.services.resume import pause_entry
from store.records import InboxKind, PauseOrigin, Rollback, State, Step
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, KEYS, NOON, PROD, REVIEWERS
from tests.unit.services.execution_scene import APP, BAD, GOOD, WIP, WRITES, ExecutionScene
from tests.unit.services.scene import POLICY

ADMINS = "S0ADMINS"
REASON = "nobody else is awake and the shop answers nobody"
BROKEN = replace(POLICY, break_glass=(ADMINS,))
ALWAYS = windows(["00:00-24:00"], ZoneInfo("UTC"))


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    """Dave may break the glass; alice, bob and carol are the reviewers."""
    scene = ExecutionScene.of(sqlite_store)
    scene.directory.groups[ADMINS] = frozenset({DAVE})
    scene.policies["prod"] = BROKEN
    scene.publish(GOOD, BAD)
    scene.target.save_draft(APP, WIP)
    return scene


def rules(scene: ExecutionScene) -> Callable[[Any], Policy]:
    return lambda _: scene.policies["prod"]


async def shown(scene: ExecutionScene, by: str = DAVE) -> Rollback:
    """What *by* asked for, with its card in Slack."""
    rollback = await scene.asked(1, by=by)
    await scene.tell()
    scene.target.calls.clear()
    return await scene.rollback(rollback)


async def presses(
    scene: ExecutionScene, who: str, rollback: Rollback, reason: str = REASON, **changes: Any
) -> Rollback:
    """*who* sends the form of the card's button."""
    await scene.press(
        who, "break_glass", rollback, kind=InboxKind.SUBMISSION, reason=reason, **changes
    )
    return await judged(scene, rollback)


async def types(scene: ExecutionScene, who: str, text: str, rollback: Rollback) -> Rollback:
    await scene.command(who, text)
    return await judged(scene, rollback)


async def judged(scene: ExecutionScene, rollback: Rollback) -> Rollback:
    await scene.judge(policy_of=rules(scene))
    return await scene.rollback(rollback)


async def broken(scene: ExecutionScene) -> Rollback:
    after = await presses(scene, DAVE, await shown(scene))
    assert after.state is State.BROKEN_GLASS
    return after


async def ran(scene: ExecutionScene) -> Rollback:
    after = await scene.run(await broken(scene))
    assert after.state is State.COMPLETED
    return after


async def pause(scene: ExecutionScene) -> None:
    async with scene.store.write() as tx:
        await tx.pause.mark(PauseOrigin.PERSON, "a look", entry=pause_entry("a", restored=False))


def untouched(scene: ExecutionScene) -> bool:
    return scene.live == BAD and not set(scene.target.calls) & set(WRITES)


def refusals(scene: ExecutionScene) -> list[str]:
    return [
        note.note.facts["text"] for note in scene.messenger.answers if "text" in note.note.facts
    ]


# -- breaking it --------------------------------------------------------------------------------


@pytest.mark.parametrize("by_command", [False, True], ids=["card", "command"])
async def test_one_person_starts_it_alone_and_everybody_hears_of_it(
    scene: ExecutionScene, by_command: bool
) -> None:
    rollback = await shown(scene)
    if by_command:
        after = await types(scene, DAVE, f"break-glass {PROD} {REASON}", rollback)
    else:
        after = await presses(scene, DAVE, rollback)

    assert (after.state, after.votes, quorum.approvals(after)) == (State.BROKEN_GLASS, (), ())
    assert (after.glass[0].person, after.glass[0].reason) == (DAVE, REASON)
    assert after.glass[0].way == ("command" if by_command else "card")
    assert scene.nudged
    (entry,) = await scene.entries("rollback.break_glass")
    assert (entry.user_id, entry.status, entry.what["reason"]) == (DAVE, "ok", REASON)
    assert entry.what["digest"] == after.content_digest
    await scene.tell()
    (alarm,) = [r for r in scene.messenger.replies if r.note.code == "glass_broken"]
    assert (alarm.channel, alarm.ts) == (CHANNEL, "")
    assert alarm.note.facts["call"] == [REVIEWERS]
    assert (alarm.note.facts["old"], alarm.note.facts["new"]) == (2, 1)
    assert scene.messenger.answers[-1].note.code == "you_broke_glass"


async def test_it_runs_and_its_record_says_that_nobody_approved(scene: ExecutionScene) -> None:
    after = await ran(scene)

    assert scene.live == GOOD
    (end,) = await scene.entries("rollback.completed")
    assert (end.what["approved_by"], end.what["broken_by"], end.what["why"]) == ([], DAVE, REASON)
    assert after.review_open
    assert after.outcome_facts["alone"] is True
    assert [e.what["broken_by"] for e in await scene.entries("review.open")] == [DAVE]
    await scene.tell()
    (begun,) = [r.note for r in scene.messenger.replies if r.note.code == "executing"]
    assert {name: begun.facts[name] for name in ("slack_ids", "broken_by", "needed")} == {
        "slack_ids": [],
        "broken_by": DAVE,
        "needed": 2,
    }


async def test_what_slipped_in_is_said_to_have_been_on_one_persons_word(
    scene: ExecutionScene,
) -> None:
    rollback = await broken(scene)
    scene.target.before("publish", scene.save)

    ended = await scene.run(rollback)
    await scene.tell()

    assert ended.state is State.NEEDS_ATTENTION
    notes = [r.note for r in scene.messenger.replies if r.note.code == "edits_slipped_in"]
    assert [note.facts["alone"] for note in notes] == [True]


async def test_it_is_off_unless_the_policy_names_somebody(scene: ExecutionScene) -> None:
    scene.policies["prod"] = POLICY
    after = await presses(scene, DAVE, await shown(scene))

    assert after.state is State.PENDING_APPROVAL
    assert await scene.executor().step() is False
    assert untouched(scene)
    (entry,) = await scene.entries("rollback.break_glass")
    assert (entry.status, entry.what["code"]) == ("refused", "glass_refused:glass_off")


@pytest.mark.parametrize("who", [ALICE, BOB])
async def test_reviewers_cannot_unless_they_are_named(scene: ExecutionScene, who: str) -> None:
    after = await presses(scene, who, await shown(scene))

    assert (after.state, after.glass) == (State.PENDING_APPROVAL, ())
    await scene.tell()
    assert "not among those who may break the glass" in refusals(scene)[-1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.leave(DAVE, ADMINS),
        lambda d: d.change(DAVE, deleted=True),
        lambda d: d.change(DAVE, guest=True),
        lambda d: d.change(DAVE, bot=True),
        lambda d: d.change(DAVE, stranger=True),
        lambda d: d.change(DAVE, team_id="T0OTHER"),
        lambda d: d.shared.add(CHANNEL),
        lambda d: d.persons.update({DAVE: "somebody else"}),
    ],
    ids=["left", "deleted", "guest", "bot", "stranger", "other team", "shared", "alias"],
)
async def test_who_may_no_longer_starts_nothing_at_the_press_nor_at_the_claim(
    scene: ExecutionScene, spoil: Callable[[Any], None]
) -> None:
    after = await broken(scene)
    spoil(scene.directory)

    await scene.executor().step()

    claimed = await scene.rollback(after)
    assert (claimed.state, claimed.broken_by) == (State.PENDING_APPROVAL, None)
    assert untouched(scene)
    assert [entry.status for entry in await scene.entries("rollback.break_glass_void")] == ["ok"]
    again = await presses(scene, DAVE, claimed)
    assert again.state is State.PENDING_APPROVAL
    assert "glass_void" in await scene.told_codes()
    (told,) = [r.note for r in scene.messenger.replies if r.note.code == "glass_void"]
    assert told.facts["slack_id"] == DAVE
    assert told.facts["why"] == claimed.glass[0].voided_why != ""


async def test_who_came_to_it_after_the_opening_cannot(scene: ExecutionScene) -> None:
    rollback = await shown(scene)
    scene.directory.groups[ADMINS] |= {CAROL}

    assert (await presses(scene, CAROL, rollback)).state is State.PENDING_APPROVAL


async def test_while_slack_is_down_nothing_starts(scene: ExecutionScene) -> None:
    after = await broken(scene)
    scene.directory.down = True

    with pytest.raises(UpstreamDown):
        await scene.executor().step()

    assert untouched(scene)
    assert await scene.rollback(after) == after


async def test_a_group_that_slack_does_not_know_only_turns_it_off(scene: ExecutionScene) -> None:
    scene.policies["prod"] = replace(BROKEN, break_glass=("S0TYPO",), requesters=(DAVE,))
    del scene.directory.groups[ADMINS]
    eligible = await Eligibility(scene.directory).at_open(scene.policies["prod"], requested_by=DAVE)

    assert (eligible.breakers, eligible.eligible) == ((), (ALICE, BOB, CAROL))


async def test_a_word_is_no_reason(scene: ExecutionScene) -> None:
    after = await presses(scene, DAVE, await shown(scene), reason="urgent")

    assert after.state is State.PENDING_APPROVAL
    await scene.tell()
    assert "20 characters" in refusals(scene)[-1]


async def test_a_button_of_another_action_is_out_of_date(scene: ExecutionScene) -> None:
    rollback = await shown(scene)
    approve = button.sign(rollback, "approve", keys=KEYS)

    assert (await presses(scene, DAVE, rollback, value=approve)).state is State.PENDING_APPROVAL
    assert (await presses(scene, DAVE, rollback, ts="1.2")).state is State.PENDING_APPROVAL


async def test_a_second_copy_of_the_card_starts_nothing_and_leads_to_the_right_one(
    scene: ExecutionScene,
) -> None:
    rollback = await shown(scene)

    after = await presses(scene, DAVE, rollback, ts="1764000000.999999")
    await scene.tell()

    case = await scene.case(rollback)
    told = scene.messenger.answers[-1].note
    assert (after.state, told.code) == (State.PENDING_APPROVAL, "out_of_date")
    assert told.facts["permalink"].endswith(case.card_ts.replace(".", ""))


async def test_without_an_open_rollback_the_command_says_how_to_ask(scene: ExecutionScene) -> None:
    await scene.snapshot.refresh(PROD)
    await scene.command(DAVE, f"break-glass {PROD} {REASON} <!channel>")
    await scene.judge(policy_of=rules(scene))
    await scene.tell()

    assert f"/rollback to {PROD} VERSION" in refusals(scene)[-1]
    assert "<!channel>" not in refusals(scene)[-1]


async def test_a_command_typed_before_the_rollback_was_opened_does_not_mean_it(
    scene: ExecutionScene,
) -> None:
    await scene.snapshot.refresh(PROD)
    await scene.command(DAVE, f"break-glass {PROD} {REASON}")

    after = await judged(scene, await shown(scene))

    assert (after.state, after.glass) == (State.PENDING_APPROVAL, ())


async def test_a_command_does_not_mean_what_has_no_card_yet(scene: ExecutionScene) -> None:
    rollback = await scene.asked(1)

    after = await types(scene, DAVE, f"break-glass {PROD} {REASON}", rollback)

    assert (after.state, after.glass) == (State.PENDING_APPROVAL, ())


async def test_while_keyturn_is_paused_nobody_breaks_the_glass_and_nothing_runs(
    scene: ExecutionScene,
) -> None:
    waiting = await shown(scene)
    await pause(scene)

    assert (await presses(scene, DAVE, waiting)).state is State.PENDING_APPROVAL


async def test_a_pause_stops_what_the_glass_started_and_its_review(scene: ExecutionScene) -> None:
    reviewed = await ran(scene)
    await pause(scene)

    assert (await sign(scene, BOB, reviewed)).signatures == ()
    assert await scene.executor().step() is False
    assert await FollowUp(scene.store).remind_of_reviews() == 0


# -- freezes ------------------------------------------------------------------------------------


async def test_it_goes_through_a_freeze_in_which_nobody_else_opens_anything(
    scene: ExecutionScene,
) -> None:
    scene.policies["prod"] = replace(BROKEN, freeze=ALWAYS)
    with pytest.raises(Frozen):
        await scene.asked(1, by=ALICE)

    after = await presses(scene, DAVE, await shown(scene))

    assert after.glass[0].in_freeze
    until = datetime(2030, 1, 1, tzinfo=UTC)
    assert await scene.executor(frozen=lambda *_: until).step()
    assert (await scene.rollback(after)).state is State.COMPLETED


# -- until it starts, and after a crash ---------------------------------------------------------


async def test_a_reject_stops_it_before_it_starts_and_nothing_is_to_review(
    scene: ExecutionScene,
) -> None:
    after = await broken(scene)
    await scene.reject(ALICE, after, "the fix is live in a minute")
    stopped = await judged(scene, after)

    assert (stopped.state, stopped.review_open) == (State.REJECTED, False)
    assert await scene.executor().step() is False
    assert untouched(scene)


async def test_what_changed_under_it_is_not_started(scene: ExecutionScene) -> None:
    after = await broken(scene)
    scene.publish_by_hand()

    await scene.executor().step()

    ended = await scene.rollback(after)
    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)
    assert not ended.review_open


async def test_whoever_takes_over_asks_again_for_who_broke_the_glass(
    scene: ExecutionScene,
) -> None:
    left = await scene.stands_at(await broken(scene), Step.CLAIMED)
    scene.directory.leave(DAVE, ADMINS)

    await scene.executor().step()

    ended = await scene.rollback(left)
    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.APPROVAL_LAPSED)
    assert ended.review_open  # it had begun
    assert untouched(scene)


async def test_whoever_takes_over_goes_on_also_in_a_freeze(scene: ExecutionScene) -> None:
    left = await scene.stands_at(await broken(scene), Step.CLAIMED)

    assert await scene.executor(frozen=lambda *_: NOON + timedelta(days=9999)).step()

    assert (await scene.rollback(left)).state is State.COMPLETED


# -- the review ---------------------------------------------------------------------------------


async def sign(
    scene: ExecutionScene, who: str, rollback: Rollback, remark: str = "", **changes: Any
) -> Rollback:
    await scene.press(
        who, "sign_review", rollback, kind=InboxKind.SUBMISSION, reason=remark, **changes
    )
    return await judged(scene, rollback)


async def test_two_others_sign_and_close_it_each_with_their_entry(scene: ExecutionScene) -> None:
    rollback = await ran(scene)
    await scene.tell()
    (asked,) = [r for r in scene.messenger.replies if r.note.code == "review_open"]
    assert (asked.ts, asked.note.facts["voters"]) == ("", [REVIEWERS])

    once = await sign(scene, BOB, rollback, "it was <!channel> right", ts="9.9")
    assert (once.review_open, len(once.signatures)) == (True, 1)
    twice = await types(scene, CAROL, f"review {PROD}", rollback)

    assert (twice.review_open, twice.state) == (False, State.COMPLETED)
    assert [s.remark for s in twice.signatures] == ["it was <!channel> right", ""]
    signed = await scene.entries("review.")
    assert [(e.action, e.user_id) for e in signed] == [
        ("review.open", "keyturn"),
        ("review.sign", BOB),
        ("review.sign", CAROL),
        ("review.close", "keyturn"),
    ]
    assert signed[-1].what["signed_by"] == [BOB, CAROL]
    codes = await scene.told_codes()
    assert codes[-2:] == ["review_signed", "review_closed"]


async def test_the_command_signs_the_oldest_that_one_has_not_signed(
    scene: ExecutionScene,
) -> None:
    first = await ran(scene)
    await sign(scene, BOB, first, ts="9.9")
    second = await scene.asked(2, by=DAVE, reason="it was the provider, not we")
    await scene.tell()
    second = await scene.run(await presses(scene, DAVE, await scene.rollback(second)))

    after = await types(scene, BOB, f"review {PROD}", second)

    assert [signature.person for signature in after.signatures] == [BOB]


async def test_who_brought_it_live_alone_does_not_vote_on_its_undo(scene: ExecutionScene) -> None:
    scene.policies["prod"] = replace(
        scene.policies["prod"], exclude_publisher=True, break_glass=(BOB,)
    )
    rollback = await presses(scene, BOB, await shown(scene))
    await scene.run(rollback)

    undo = await scene.asked(2, by=DAVE, reason="it was the provider, not we")

    assert undo.policy.publishers == (BOB,)
    assert BOB in undo.policy.eligible, "named, and kept from this one vote alone"


async def test_who_broke_it_a_second_account_and_strangers_do_not_close_it(
    scene: ExecutionScene,
) -> None:
    scene.directory.groups[REVIEWERS] |= {DAVE, "U0BOB2", "U0DAVE2"}
    scene.directory.add("U0BOB2", person=BOB)
    scene.directory.add("U0DAVE2", person=DAVE)
    scene.directory.add("U0EVE")
    rollback = await ran(scene)

    for who in (BOB, "U0BOB2", DAVE, "U0DAVE2", "U0EVE"):
        rollback = await sign(scene, who, rollback)

    assert [s.slack_id for s in rollback.signatures] == [BOB]
    assert rollback.review_open
    refused = [e.what["code"] for e in await scene.entries("review.sign") if e.status == "refused"]
    assert refused == [
        "already_signed",
        "review_refused:own_glass",
        "review_refused:own_glass",
        "review_refused:not_reviewer",
    ]


async def test_who_may_sign_is_whom_the_policy_lets_vote_now(scene: ExecutionScene) -> None:
    rollback = await ran(scene)
    scene.directory.add("U0NEW")
    scene.directory.groups[REVIEWERS] = frozenset({"U0NEW", ALICE})

    rollback = await sign(scene, BOB, rollback)
    assert rollback.signatures == ()
    rollback = await sign(scene, "U0NEW", rollback)
    assert [s.slack_id for s in rollback.signatures] == ["U0NEW"]


async def test_a_signature_pressed_elsewhere_or_with_another_button_does_not_count(
    scene: ExecutionScene,
) -> None:
    rollback = await ran(scene)

    rollback = await sign(scene, BOB, rollback, channel="C0OTHER")
    assert rollback.signatures == ()
    other = button.sign(rollback, "break_glass", keys=KEYS)
    assert (await sign(scene, BOB, rollback, value=other)).signatures == ()
    assert (await sign(scene, BOB, rollback, value="nonsense")).signatures == ()


async def test_without_a_review_the_command_says_so(scene: ExecutionScene) -> None:
    rollback = await shown(scene)
    await types(scene, BOB, f"review {PROD} fine", rollback)
    await scene.tell()

    assert "No review" in refusals(scene)[-1]


async def test_status_shows_it_until_it_is_closed(scene: ExecutionScene) -> None:
    rollback = await sign(scene, BOB, await ran(scene))
    await scene.command(CAROL, "status")
    await judged(scene, rollback)
    await sign(scene, CAROL, rollback)
    await scene.command(CAROL, "status")
    await judged(scene, rollback)
    await scene.tell()

    rows = [a.note.facts["rows"] for a in scene.messenger.answers if a.note.code == "status"]
    want = {"rollback": rollback.id, "slack_id": DAVE, "count": 1, "needed": 2}
    assert [row[0]["reviews"] for row in rows] == [[want], []]


async def test_it_is_asked_for_once_a_day_by_whatever_process(scene: ExecutionScene) -> None:
    rollback = await ran(scene)
    told = []
    for days in (0, 1, 1, 5):
        await backdated(scene, rollback, days)
        jobs = [FollowUp(scene.store, voters=lambda _: (REVIEWERS, ALICE)) for _ in range(2)]
        told.append([await job.remind_of_reviews() for job in jobs])

    assert told == [[0, 0], [1, 0], [0, 0], [1, 0]]
    assert await FollowUp(scene.store, quiet=lambda *_: True).remind_of_reviews() == 0
    assert [e.what["called"] for e in await scene.entries("review.remind")] == [
        [REVIEWERS, ALICE],
        [REVIEWERS, ALICE],
    ]
    await scene.tell()
    asked = [r.note for r in scene.messenger.replies if r.note.code == "review_still_open"]
    assert [note.facts["days"] for note in asked] == [1, 5]
    assert all(note.facts["value"] for note in asked)


async def test_what_is_told_after_the_review_was_closed_has_no_button(
    scene: ExecutionScene,
) -> None:
    rollback = await ran(scene)
    for who in (BOB, CAROL):
        rollback = await sign(scene, who, rollback)
    await scene.tell()

    (asked,) = [r.note for r in scene.messenger.replies if r.note.code == "review_open"]
    assert (asked.facts["value"], asked.facts["signed"]) == ("", [BOB, CAROL])


async def backdated(scene: ExecutionScene, rollback: Rollback, days: int) -> None:
    """Let it have ended *days* ago."""
    async with scene.store.write() as tx:
        current = await tx.rollbacks.get(rollback.id, lock=True)
        ended = await tx.now() - timedelta(days=days, minutes=1)
        after = current.moved(current.state, finished_at=ended)
        await tx.rollbacks.save(after, was=current.revision, entry=None)
