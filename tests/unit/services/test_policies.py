"""What a policy says, seen at the opening, at the claim, and on the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain import approval, marker
from bot.domain.policy import Policy
from bot.domain.windows import windows
from bot.errors import Frozen, NotAllowed, SelfApproval, UpstreamDown
from bot.ports.store import Store
from bot.services.follow_up import FollowUp
from bot.services.take_in import TakeIn
from store.records import AppEnv, Delivery, FiringStatus, Rollback, State, Step
from store.session import migrate, open_store
from tests.arriving import delivered
from tests.builders import ALICE, BOB, CAROL, DAVE, NOON, PROD, REVIEWERS, a_firing
from tests.proofs.trial import Clock
from tests.unit.services.execution_scene import APP, BAD, GOOD, Died, ExecutionScene, die
from tests.unit.services.scene import POLICY, a_document, a_pending
from tests.unit.services.test_propose import case_of, fire, opened

SRE, OWNERS = "S0SRE", "S0OWNERS"
ALWAYS = windows(["00:00-24:00"], ZoneInfo("UTC"))


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    made = ExecutionScene.of(sqlite_store)
    made.publish(GOOD, BAD)
    return made


def under(scene: ExecutionScene, **changes: Any) -> Policy:
    """Let the environment's policy be the usual one with *changes*."""
    scene.policies["prod"] = replace(POLICY, **changes)
    return scene.policies["prod"]


async def run(scene: ExecutionScene, **changes: Any) -> None:
    while await scene.executor(**changes).step():
        pass


# -- no votes -----------------------------------------------------------------


async def test_where_no_votes_are_needed_what_a_person_asks_for_runs(
    scene: ExecutionScene,
) -> None:
    under(scene, votes=0)

    asked = await scene.asked(1)
    await run(scene)
    await scene.tell()

    after = await scene.rollback(asked)
    assert (asked.state, after.state) == (State.APPROVED, State.COMPLETED)
    assert after.votes == ()
    assert "approved_unasked" in scene.messenger.codes
    (entry,) = await scene.entries("rollback.approve_unasked")
    assert (entry.user_id, entry.what["votes"]) == (DAVE, 0)


async def test_what_an_alert_suggests_there_still_takes_one_vote(scene: ExecutionScene) -> None:
    under(scene, votes=0)
    await fire(scene)

    assert await scene.propose.step()
    await run(scene)

    suggested = await opened(scene)
    assert suggested is not None
    assert suggested.state is State.PENDING_APPROVAL
    assert (await scene.vote(ALICE, suggested)).state is State.APPROVED


@pytest.mark.parametrize(
    "gone", [{"deleted": True}, {"guest": True}, {"team_id": "T0OTHER"}, {"stranger": True}]
)
async def test_who_asked_alone_is_asked_for_afresh_before_it_runs(
    scene: ExecutionScene, gone: dict[str, Any]
) -> None:
    under(scene, votes=0)
    asked = await scene.asked(1)

    scene.directory.change(DAVE, **gone)
    await run(scene)

    after = await scene.rollback(asked)
    assert (after.state, after.outcome) == (State.WITHDRAWN, "requester_lost")
    assert "publish" not in scene.target.calls
    why = {"team_id": "other_team"}.get(next(iter(gone)), next(iter(gone)))
    (entry,) = await scene.entries("rollback.requester_lost")
    assert entry.what == {"app": str(PROD), "why": why}
    await scene.tell()
    told = scene.messenger.replies[-1].note.facts
    assert (told["outcome"], told["facts"]) == ("requester_lost", {"slack_id": DAVE})
    assert told["seconds"] is None
    assert scene.messenger.drawn[-1].state is State.WITHDRAWN


async def test_while_slack_cannot_say_who_asked_nothing_runs(scene: ExecutionScene) -> None:
    under(scene, votes=0)
    asked = await scene.asked(1)
    scene.directory.down = True

    with pytest.raises(UpstreamDown):
        await scene.executor().step()

    assert (await scene.rollback(asked)).state is State.APPROVED


async def test_what_runs_without_votes_is_not_opened_again_on_ground_that_nobody_saw(
    scene: ExecutionScene,
) -> None:
    under(scene, votes=0)
    asked = await scene.asked(1)
    scene.target.publish_document(APP, a_document("A fix."), by="carol")

    await run(scene)
    await scene.propose.step()
    await run(scene)
    await scene.tell()

    assert (await scene.rollback(asked)).state is State.SUPERSEDED
    assert await opened(scene) is None
    assert "publish" not in scene.target.calls
    assert "not_renewed" in scene.messenger.codes


async def test_where_one_vote_is_missing_who_may_ask_alone_takes_the_suggestions_place(
    scene: ExecutionScene,
) -> None:
    under(scene, votes=0)
    await fire(scene)
    await scene.propose.step()
    suggested = await opened(scene)
    assert suggested is not None

    asked = await scene.asked(1)

    assert asked.content_digest == suggested.content_digest
    assert asked.state is State.APPROVED
    assert (await scene.rollback(suggested)).state is State.SUPERSEDED


async def test_who_takes_over_asks_for_the_requester_afresh(scene: ExecutionScene) -> None:
    under(scene, votes=0)
    asked = await scene.asked(1)
    left = await left_behind(scene, asked)
    scene.directory.change(DAVE, deleted=True)

    await run(scene)

    after = await scene.rollback(left)
    assert (after.state, after.outcome) == (State.FAILED, "approval_lapsed")
    assert after.outcome_facts == {"expired": False, "requester": "deleted", "not_eligible": {}}
    assert "publish" not in scene.target.calls


async def test_what_was_published_without_votes_is_verified_whoever_asked_and_left(
    scene: ExecutionScene,
) -> None:
    under(scene, votes=0)
    asked = await scene.asked(1)
    scene.target.before("history", die)  # it reads back what it published
    with pytest.raises(Died):
        await scene.executor("w1").step()
    left = await scene.let_lease_run_out(asked)
    scene.directory.down = True

    await run(scene)

    assert (await scene.rollback(left)).state is State.COMPLETED


async def left_behind(scene: ExecutionScene, approved: Rollback) -> Rollback:
    """Claimed by an executor that died before its first write."""
    left = await scene.stands_at(approved, Step.CLAIMED)
    return await scene.let_lease_run_out(left)


# -- how many and of whom -----------------------------------------------------------------


async def test_an_app_that_matters_more_needs_more_votes(scene: ExecutionScene) -> None:
    under(scene, votes_by_criticality={"critical": 3, "low": 1})

    scene.criticality = {PROD.app: "critical"}
    assert (await scene.asked(1)).policy.votes == 3
    scene.criticality = {PROD.app: "low"}
    assert under(scene, votes_by_criticality={"low": 1}).of("low").votes == 2


async def mixed(scene: ExecutionScene) -> Rollback:
    """One of the SREs (alice, bob) and one of the owners (carol) have to approve."""
    under(scene, reviewers=(), each_of=(SRE, OWNERS))
    scene.directory.groups |= {SRE: frozenset({ALICE, BOB}), OWNERS: frozenset({CAROL})}
    return await scene.asked(1)


async def press(scene: ExecutionScene, who: str, rollback: Rollback) -> Rollback:
    await scene.tell()
    await scene.approve(who, rollback)
    await scene.judge()
    return await scene.rollback(rollback)


async def test_two_of_one_group_wait_for_one_of_the_other(scene: ExecutionScene) -> None:
    asked = await mixed(scene)

    await press(scene, ALICE, asked)
    both = await press(scene, BOB, asked)
    await scene.tell()

    assert both.state is State.PENDING_APPROVAL
    assert scene.messenger.replies[-1].note.facts["missing"] == [OWNERS]
    assert scene.messenger.drawn[-1].missing == (OWNERS,)
    assert (await press(scene, CAROL, asked)).state is State.APPROVED


async def test_who_left_the_group_they_voted_for_is_void_at_execution(
    scene: ExecutionScene,
) -> None:
    asked = await mixed(scene)
    await press(scene, ALICE, asked)
    await press(scene, CAROL, asked)

    scene.directory.leave(CAROL, OWNERS)
    scene.directory.groups[SRE] |= {CAROL}  # still one who may vote, but not for the owners
    await run(scene)

    after = await scene.rollback(asked)
    assert after.state is State.PENDING_APPROVAL
    assert [vote.voided_why for vote in after.votes] == ["", "left_group"]
    assert "publish" not in scene.target.calls


async def test_who_joins_a_group_to_vote_does_not_stand_for_it(scene: ExecutionScene) -> None:
    asked = await mixed(scene)

    scene.directory.groups[OWNERS] |= {BOB}
    await press(scene, ALICE, asked)

    assert (await press(scene, BOB, asked)).state is State.PENDING_APPROVAL


async def test_backups_may_vote_from_the_start(scene: ExecutionScene) -> None:
    under(scene, reviewers=(ALICE,), backups=(BOB,))
    asked = await scene.asked(1)

    await press(scene, ALICE, asked)

    assert (await press(scene, BOB, asked)).state is State.APPROVED


# -- who published it -----------------------------------------------------------------


async def test_who_published_what_is_live_does_not_vote(scene: ExecutionScene) -> None:
    under(scene, exclude_publisher=True)
    scene.target.publish_document(APP, BAD, by="carol", email="Carol@Example.com")
    scene.directory.authors = {"carol@example.com": CAROL}

    asked = await scene.asked(1)
    await press(scene, CAROL, asked)
    await scene.tell()

    assert (await scene.rollback(asked)).votes == ()
    assert scene.told()[-1][2].startswith("You published what is live")
    assert len((await press(scene, ALICE, asked)).votes) == 1


async def test_what_a_rollback_brought_back_anybody_who_may_votes_on(
    scene: ExecutionScene,
) -> None:
    """Its publisher is our own account: nobody's change is judged by who made it."""
    scene.publish(GOOD, BAD)
    done = await scene.approved()
    await run(scene)
    assert (await scene.rollback(done)).state is State.COMPLETED
    under(scene, exclude_publisher=True)

    undo = await scene.asked(2, reason="it was right")

    assert undo.policy.publisher == ""
    assert len((await press(scene, ALICE, undo)).votes) == 1


async def test_who_cannot_be_told_from_the_publisher_does_not_vote_either(
    scene: ExecutionScene,
) -> None:
    under(scene, exclude_publisher=True)
    scene.target.publish_document(APP, BAD, by="carol", email="carol@example.com")

    asked = await scene.asked(1)
    await press(scene, ALICE, asked)

    assert (await scene.rollback(asked)).votes == ()
    assert scene.messenger.drawn[-1].publisher_unknown


async def test_without_the_option_the_publisher_is_not_even_asked_for(
    scene: ExecutionScene,
) -> None:
    scene.target.publish_document(APP, BAD, by="carol", email="carol@example.com")

    assert (await scene.asked(1)).policy.publisher == ""


async def test_who_rejected_beside_the_quorum_is_not_said_to_have_approved(
    scene: ExecutionScene,
) -> None:
    under(scene, vetoes=2)
    asked = await scene.asked(1)
    await scene.tell()
    await scene.reject(CAROL, asked)
    await scene.judge()
    for who in (ALICE, BOB):
        await press(scene, who, asked)
    await run(scene)

    after = await scene.rollback(asked)
    (entry,) = await scene.entries("rollback.completed")
    assert after.state is State.COMPLETED
    assert entry.what["approved_by"] == [ALICE, BOB]
    assert CAROL not in marker.comment_of(after, to_number=1)


# -- times -----------------------------------------------------------------


async def test_in_a_freeze_nobody_opens_one_and_is_told_until_when(scene: ExecutionScene) -> None:
    under(scene, freeze=ALWAYS)

    with pytest.raises(Frozen) as refused:
        await scene.asked(1)

    assert "until" in refused.value.to_person()
    assert await opened(scene) is None


async def test_in_a_freeze_a_suggestion_is_facts_alone_and_is_looked_at_again(
    scene: ExecutionScene,
) -> None:
    soon = windows(["2026-11-24/2099-01-01"], ZoneInfo("UTC"))
    under(scene, freeze=soon)
    await fire(scene)

    assert await scene.propose.step()

    case = await case_of(scene)
    assert case.finding is not None
    assert (case.finding.code, case.rollback_id) == ("frozen", None)
    assert case.finding.facts["until"].startswith("2099-01-02")
    assert case.assess_at is not None


async def test_what_was_approved_before_a_freeze_waits_and_says_so_once(
    scene: ExecutionScene,
) -> None:
    approved = await scene.approved()
    until = approved.expires_at.astimezone(ZoneInfo("Europe/Berlin"))

    def frozen(_where: AppEnv, _at: datetime) -> datetime:
        return until

    executor = scene.executor(frozen=frozen)
    for _ in range(3):
        assert not await executor.step()
    assert not await scene.executor(frozen=frozen).step()
    await scene.tell()

    assert (await scene.rollback(approved)).state is State.APPROVED
    assert scene.messenger.codes.count("waiting_for_thaw") == 1
    (told,) = [r.note for r in scene.messenger.replies if r.note.code == "waiting_for_thaw"]
    assert told.facts == {"until": approved.expires_at.isoformat()}
    await run(scene)
    assert (await scene.rollback(approved)).state is State.COMPLETED


async def test_who_may_go_through_a_freeze_is_told_where_to(scene: ExecutionScene) -> None:
    scene.directory.groups["S0ADMINS"] = frozenset({DAVE})
    scene.policies["prod"] = replace(POLICY, break_glass=("S0ADMINS",))
    await scene.approved()

    assert not await scene.executor(frozen=lambda _, at: at + timedelta(hours=1)).step()
    await scene.tell()

    (told,) = [r.note for r in scene.messenger.replies if r.note.code == "waiting_for_thaw"]
    assert told.facts["where"] == str(PROD)


@pytest.fixture
async def timed(tmp_path: Path) -> AsyncIterator[tuple[ExecutionScene, Clock]]:
    """A scene whose database's clock the test moves."""
    url = f"sqlite:///{tmp_path / 'timed.db'}"
    await asyncio.to_thread(migrate, url)
    clock = Clock(NOON)
    store = await open_store(url, moves=approval.MOVES, clock=clock, durable=False)
    yield ExecutionScene.of(store), clock
    await store.close()


async def test_who_takes_over_in_a_freeze_publishes_nothing(scene: ExecutionScene) -> None:
    left = await left_behind(scene, await scene.approved())

    await run(scene, frozen=lambda _, at: at + timedelta(hours=1))

    after = await scene.rollback(left)
    assert (after.state, after.outcome) == (State.FAILED, "approval_lapsed")
    assert after.outcome_facts == {"expired": False, "frozen": True, "not_eligible": {}}
    assert "publish" not in scene.target.calls


async def test_after_a_freeze_nothing_is_suggested_for_an_alert_that_is_over(
    scene: ExecutionScene,
) -> None:
    under(scene, freeze=ALWAYS)
    await fire(scene)
    assert await scene.propose.step()
    await it_is_over(scene)
    under(scene)

    assert await scene.propose.step()

    assert await opened(scene) is None
    assert (await case_of(scene)).assess_at is None


async def it_is_over(scene: ExecutionScene) -> None:
    """The alert of `fire` resolves, and the case is due."""
    over = a_firing(
        starts_at=NOON,
        ends_at=NOON + timedelta(minutes=10),
        status=FiringStatus.RESOLVED,
        fingerprint=f"{PROD}f1",
    )
    delivery = Delivery("alertmanager", "keyturn", "group", "over", 0, (over,))
    await delivered(scene.store, delivery)
    await TakeIn(scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None).step()
    async with scene.store.write() as tx:
        case = await tx.cases.get((await case_of(scene)).id, lock=True)
        await tx.cases.save(replace(case, assess_at=await tx.now()), was=case.revision)


async def test_a_reminder_and_an_escalation_come_once_each(
    timed: tuple[ExecutionScene, Clock],
) -> None:
    scene, clock = timed
    rules = replace(POLICY, backups=(DAVE,)).snapshot([ALICE, BOB, CAROL, DAVE])
    await a_pending(scene.store, rules=rules)

    counts = []
    for minutes in (14, 15, 20, 23, 29, 30):
        clock.now = NOON + timedelta(minutes=minutes)
        counts.append(await FollowUp(scene.store).remind() + await FollowUp(scene.store).remind())
    await scene.tell()

    assert counts == [0, 1, 0, 1, 0, 0]
    assert scene.messenger.codes == ["reminder", "escalated"]
    reminder, escalated = (reply.note.facts for reply in scene.messenger.replies)
    assert (reminder["voters"], escalated["voters"]) == ([REVIEWERS], [DAVE])
    entries = await scene.entries("rollback.reminder", "rollback.escalated")
    assert [entry.what["called"] for entry in entries] == [[REVIEWERS], [DAVE]]


async def test_in_quiet_hours_nobody_is_called(timed: tuple[ExecutionScene, Clock]) -> None:
    scene, clock = timed
    await a_pending(scene.store)
    clock.now = NOON + timedelta(minutes=20)

    assert await FollowUp(scene.store, quiet=lambda *_: True).remind() == 0
    assert await FollowUp(scene.store).remind() == 1


async def test_who_asks_is_never_among_those_who_vote(scene: ExecutionScene) -> None:
    under(scene, reviewers=(REVIEWERS, DAVE), backups=(DAVE,), each_of=(DAVE,))

    asked = await scene.asked(1)

    assert DAVE not in asked.policy.eligible
    assert asked.policy.members == {DAVE: ()}
    with pytest.raises(SelfApproval):
        await scene.vote(DAVE, asked)


async def test_who_may_only_look_does_not_ask(scene: ExecutionScene) -> None:
    under(scene, requesters=(), viewers=(DAVE,))

    with pytest.raises(NotAllowed):
        await scene.asked(1)
