"""Where approval and execution meet: who may still vote, what is live, and who executes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot import spans
from bot.adapters.traces.recorder import OtelRecorder
from bot.domain.approval import MOVES
from bot.domain.words import OutcomeCode
from bot.errors import (
    AccountLocked,
    AnswerUnreadable,
    BotError,
    LoginRefused,
    UnknownApp,
    UpstreamDown,
    UpstreamRefused,
)
from bot.ports.store import Store
from bot.services.stepping import PATIENCE
from store.records import AppEnv, Rollback, State, Step
from store.session import open_store
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, NOON, PROD
from tests.contract.store import raw
from tests.proofs.trial import Clock
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    HAPPY,
    WIP,
    WRITES,
    ExecutionScene,
)
from tests.unit.services.scene import ENTRY

OTHER = AppEnv("billing", "prod")
DOWN = UpstreamDown("dify.test", "no answer")


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


Timed = tuple[ExecutionScene, Clock]


@pytest.fixture
async def timed(sqlite_url: str) -> AsyncIterator[Timed]:
    """A scene whose database's clock the test moves."""
    clock = Clock(NOON)
    store = await open_store(sqlite_url, moves=MOVES, clock=clock, durable=False)
    yield ExecutionScene.of(store), clock
    await store.close()


def untouched(scene: ExecutionScene) -> bool:
    return scene.live == BAD and scene.draft == WIP and not set(scene.target.calls) & set(WRITES)


async def with_another(scene: ExecutionScene) -> Rollback:
    """A second app, approved to go back too, in a target of its own."""
    other = ExecutionScene.of(scene.store)
    other.target.name = "dify.other"
    scene.places[OTHER] = (other.target, APP)
    scene.channels[OTHER] = CHANNEL
    for document in (GOOD, BAD):
        other.target.publish_document(APP, document)
    pending = await scene.asked(1, where=OTHER)
    for who in (ALICE, BOB):
        pending = await scene.vote(who, pending)
    return pending


# -- it fails closed ----------------------------------------------------------------------------


async def test_without_slack_nobody_is_eligible_and_nothing_is_executed(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.directory.down = True

    with pytest.raises(UpstreamDown):
        await scene.executor().step()

    assert untouched(scene)
    assert await scene.rollback(rollback) == rollback
    scene.directory.down = False
    assert (await scene.run(rollback)).state is State.COMPLETED


async def test_a_refusal_by_slack_voids_nobodys_vote(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    member = scene.directory.member

    async def refused(slack_id: str) -> Any:
        await member(slack_id)
        raise UpstreamRefused("slack", "missing_scope", "missing_scope")

    scene.directory.member = refused  # type: ignore[method-assign]

    with pytest.raises(UpstreamRefused):
        await scene.executor().step()

    assert untouched(scene)
    assert (await scene.rollback(rollback)).state is State.APPROVED


@pytest.mark.parametrize(
    ("error", "code", "facts"),
    [
        (DOWN, "waiting_for_target", {}),
        (AnswerUnreadable("dify.test", "not JSON"), "waiting_for_target", {}),
        (LoginRefused("dify.test", "wrong password"), "waiting_for_login", {}),
        (AccountLocked("dify.test", "too many tries"), "waiting_for_login", {}),
        (
            UpstreamRefused("dify.test", "gone", "app_not_found"),
            "waiting_though_refused",
            {"upstream_code": "app_not_found"},
        ),
    ],
)
async def test_without_the_target_it_waits_and_says_so_once(
    scene: ExecutionScene, error: BotError, code: str, facts: dict[str, str]
) -> None:
    rollback = await scene.approved()
    scene.always("live", error, times=3)

    for _ in range(3):
        with pytest.raises(type(error)):
            await scene.executor().step()

    assert untouched(scene)
    assert (await scene.rollback(rollback)).state is State.APPROVED
    assert await scene.told_codes() == [code]
    assert scene.messenger.replies[0].note.facts == {"system": "dify.test", **facts}


async def test_one_that_cannot_be_claimed_does_not_hold_up_others(scene: ExecutionScene) -> None:
    first = await scene.approved()
    second = await with_another(scene)
    scene.always("live", DOWN)

    assert (await scene.run(second)).state is State.COMPLETED
    with pytest.raises(UpstreamDown):
        await scene.executor().step()
    assert (await scene.rollback(first)).state is State.APPROVED


async def test_one_whose_target_hangs_does_not_hold_up_others(scene: ExecutionScene) -> None:
    first = await scene.approved()
    second = await with_another(scene)
    entered, gate = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        entered.set()
        await gate.wait()

    scene.target.before("live", hang)
    executor = scene.executor()
    hanging = asyncio.create_task(executor.step())
    await asyncio.wait_for(entered.wait(), 20)

    assert await executor.step()
    assert not await executor.step(), "what is at hand is not asked for a second time"

    assert (await scene.rollback(second)).state is State.COMPLETED
    assert tuple(scene.target.calls) == ("live",)
    gate.set()
    assert await hanging
    assert (await scene.rollback(first)).state is State.COMPLETED


async def test_an_app_that_is_no_longer_configured_does_not_hold_up_others(
    scene: ExecutionScene,
) -> None:
    first = await scene.approved()
    second = await with_another(scene)
    del scene.places[PROD]

    assert (await scene.run(second)).state is State.COMPLETED
    with pytest.raises(UnknownApp):
        await scene.executor().step()
    assert (await scene.rollback(first)).state is State.APPROVED


# -- who may still vote -------------------------------------------------------------------------


def leave_group(scene: ExecutionScene) -> None:
    scene.directory.leave(BOB)


def forget(scene: ExecutionScene) -> None:
    del scene.directory.members[BOB]


def become_somebody_else(scene: ExecutionScene) -> None:
    scene.directory.persons[BOB] = CAROL


def flag(**flags: Any) -> Any:
    return lambda scene: scene.directory.change(BOB, **flags)


LOST = [
    pytest.param(leave_group, "not_reviewer", id="left the group"),
    pytest.param(forget, "deleted", id="no such account"),
    pytest.param(become_somebody_else, "not_reviewer", id="another person's account"),
    pytest.param(flag(deleted=True), "deleted", id="deactivated"),
    pytest.param(flag(bot=True), "bot", id="a bot"),
    pytest.param(flag(guest=True), "guest", id="a guest"),
    pytest.param(flag(stranger=True), "stranger", id="a stranger"),
    pytest.param(flag(team_id="T0OTHER"), "other_team", id="another team"),
]


@pytest.mark.parametrize(("lose", "why"), LOST)
async def test_a_vote_whose_giver_may_no_longer_vote_is_void(
    scene: ExecutionScene, lose: Any, why: str
) -> None:
    rollback = await scene.approved()
    lose(scene)

    after = await scene.run(rollback)

    assert untouched(scene)
    assert after.state is State.PENDING_APPROVAL
    assert after.round == rollback.round + 1
    assert {v.person: v.voided_why for v in after.votes} == {ALICE: "", BOB: why}
    (entry,) = await scene.entries("vote.void")
    assert (entry.user_id, entry.ip_note, entry.resource, entry.status, entry.what) == (
        "keyturn",
        "Keyturn itself",
        f"rollback/{rollback.id}",
        "ok",
        {"app": str(PROD), "why": {BOB: why}},
    )
    assert await scene.told_codes() == ["vote_void"]
    assert scene.messenger.replies[-1].note.facts == {"slack_id": BOB, "why": why}
    (void,) = [vote for vote in scene.messenger.drawn[-1].votes if vote.void]
    assert void.slack_id == BOB
    assert not await scene.executor().step()


async def test_what_two_have_approved_is_executed_though_who_asked_for_it_left(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.directory.change(DAVE, deleted=True)

    assert (await scene.run(rollback)).state is State.COMPLETED


async def test_a_channel_that_became_shared_voids_every_vote(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.directory.shared.add(CHANNEL)

    after = await scene.run(rollback)

    assert {v.voided_why for v in after.votes} == {"shared_channel"}
    assert untouched(scene)


async def test_a_new_key_in_place_of_the_void_one_is_enough(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.directory.leave(BOB)
    pending = await scene.run(rollback)

    await scene.vote(CAROL, pending)

    assert (await scene.run(rollback)).state is State.COMPLETED
    (entry,) = await scene.entries("rollback.completed")
    assert entry.what["approved_by"] == [ALICE, CAROL]


async def test_a_row_that_says_approved_without_two_votes_is_not_executed(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    scene.save(WIP)
    pending = await scene.vote(ALICE, await scene.asked(1))
    scene.target.calls.clear()
    async with scene.store.write() as tx:
        await tx.rollbacks.save(pending.moved(State.APPROVED), was=pending.revision, entry=ENTRY)

    assert not await scene.executor().step(), "and it keeps no worker busy"
    assert untouched(scene)


# -- what changed meanwhile ---------------------------------------------------------------------


async def test_what_has_expired_is_not_executed_and_keeps_no_worker_busy(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    async with scene.store.write() as tx:
        due = replace(rollback, revision=rollback.revision + 1, expires_at=await tx.now())
        await tx.rollbacks.save(due, was=rollback.revision, entry=None)

    assert not await scene.executor().step()

    assert untouched(scene)
    assert (await scene.rollback(rollback)).state is State.APPROVED, "the expiry job ends it"


async def test_the_moment_at_which_it_expires_is_too_late_to_begin(timed: Timed) -> None:
    scene, clock = timed
    rollback = await scene.approved()

    clock.now = rollback.expires_at
    assert not await scene.executor().step()
    assert (await scene.rollback(rollback)).state is State.APPROVED

    clock.now = rollback.expires_at - timedelta(microseconds=1)
    assert (await scene.run(rollback)).state is State.COMPLETED


async def test_the_moment_at_which_it_expires_is_too_late_to_go_on_before_a_publish(
    timed: Timed,
) -> None:
    scene, clock = timed
    left = await scene.stands_at(await scene.approved(), Step.CLAIMED)

    clock.now = left.expires_at
    ended = await scene.run(left, "w2")

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.APPROVAL_LAPSED)
    assert ended.outcome_facts == {"expired": True, "not_eligible": {}}


async def test_a_publish_after_the_approval_outdates_it(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.publish_by_hand()

    after = await scene.run(rollback)

    assert (after.state, after.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)
    assert (await scene.case(rollback)).assess_at is not None
    assert not set(scene.target.calls) & set(WRITES)
    assert await scene.told_codes() == ["ended"]


async def test_the_candidate_made_live_by_hand_leaves_nothing_to_do(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.publish_by_hand(GOOD)

    after = await scene.run(rollback)

    assert (after.state, after.outcome) == (State.SUPERSEDED, OutcomeCode.ALREADY_LIVE)
    assert (await scene.case(rollback)).assess_at is None


async def test_a_live_version_that_is_gone_outdates_it(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.target.apps[APP].live_id = ""

    after = await scene.run(rollback)

    assert (after.state, after.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)


async def test_live_that_changed_without_a_publish_outdates_it(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    app = scene.target.apps[APP]
    version, content = app.history[-1]
    app.history[-1] = (replace(version, document=EDIT), content)

    after = await scene.run(rollback)

    assert (after.state, after.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)


# -- once ---------------------------------------------------------------------------------------


async def test_executors_at_once_execute_once(scene: ExecutionScene) -> None:
    rollback = await scene.approved()

    await asyncio.gather(*(scene.executor(f"w{n}").step() for n in range(4)))

    assert (await scene.rollback(rollback)).state is State.COMPLETED
    assert scene.ours(rollback) == 1
    assert len(await scene.entries("rollback.execute")) == 1


async def test_whoever_asked_first_but_claims_second_does_nothing(scene: ExecutionScene) -> None:
    rollback = await scene.approved()

    async def overtake() -> None:
        assert await scene.executor("w2").step()

    scene.target.after("live", overtake)

    assert not await scene.executor("w1").step()
    assert scene.ours(rollback) == 1
    assert (await scene.rollback(rollback)).execution.owner == "w2"


async def test_what_somebody_executes_is_left_to_them(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    found: list[bool] = []

    async def look() -> None:
        found.append(await scene.executor("w2").step())

    scene.at(5, look)
    await scene.run(rollback)

    assert found == [False]
    assert tuple(scene.target.calls) == HAPPY


async def test_the_claim_says_who_approved_and_when_it_ends_in_database_time(
    scene: ExecutionScene, sqlite_url: str
) -> None:
    rollback = await scene.approved()
    claims: list[Rollback] = []

    async def look() -> None:
        claims.append(await scene.rollback(rollback))

    scene.at(1, look)
    await scene.run(rollback)
    await scene.tell()

    (claimed,) = claims
    execution = claimed.execution
    assert (claimed.state, execution.step) == (State.EXECUTING, Step.CLAIMED)
    assert (execution.owner, execution.lease_epoch, execution.attempt) == ("w1", 1, 0)
    assert execution.lease_until is not None
    assert execution.clicked_at is not None
    assert timedelta(seconds=29) < execution.lease_until - execution.clicked_at
    assert scene.messenger.replies[0].note.facts["slack_ids"] == [ALICE, BOB]
    told = await raw.run(
        sqlite_url, "SELECT dedupe_id FROM outbox WHERE dedupe_id LIKE '%:executing:%'"
    )
    cause = f"rollback:{claimed.id}:{claimed.revision}"
    assert told == [(f"note:{claimed.case_id}:executing:{cause}",)], "the same fact is one row"
    (entry,) = await scene.entries("rollback.execute")
    assert entry.what["digest"] == rollback.content_digest


async def test_the_lease_that_was_claimed_is_the_one_that_is_renewed(
    scene: ExecutionScene,
) -> None:
    scene.lease = timedelta(minutes=10)
    rollback = await scene.approved()
    left: list[timedelta] = []

    async def look() -> None:
        until = (await scene.rollback(rollback)).execution.lease_until
        assert until is not None
        async with scene.store.read() as tx:
            left.append(until - await tx.now())

    scene.target.before("draft", look)
    scene.target.before("publish", look)
    await scene.run(rollback)

    assert all(timedelta(minutes=9) < some <= timedelta(minutes=10) for some in left)
    assert len(left) == 2


async def test_an_execution_that_was_taken_over_is_in_the_operators_log(
    scene: ExecutionScene, caplog: pytest.LogCaptureFixture
) -> None:
    rollback = await scene.approved()
    scene.at(2, lambda: scene.let_lease_run_out(rollback, owner="w2"))

    await scene.executor("w1").step()

    (record,) = [r for r in caplog.records if r.message == "execution taken over"]
    assert record.__dict__["rollback"] == rollback.id
    assert record.__dict__["why"] == f"rollback {rollback.id} moved on without us"


# -- after a crash ------------------------------------------------------------------------------


async def test_two_who_find_a_dead_executors_work_take_it_over_once(scene: ExecutionScene) -> None:
    left = await scene.stands_at(await scene.approved(), Step.CLAIMED)

    await asyncio.gather(*(scene.executor(f"w{n}").step() for n in range(4)))

    ended = await scene.rollback(left)
    assert ended.state is State.COMPLETED
    assert scene.ours(left) == 1
    assert len(await scene.entries("rollback.take_over")) == ended.execution.attempt == 1


async def test_who_takes_over_has_a_lease_of_its_own_and_records_from_where(
    scene: ExecutionScene,
) -> None:
    left = await scene.stands_at(await scene.approved(), Step.CLAIMED)
    taken: list[Rollback] = []

    async def look() -> None:
        taken.append(await scene.rollback(left))

    scene.target.before("live", look)
    await scene.run(left, "w2")

    execution = taken[0].execution
    assert (execution.owner, execution.lease_epoch, execution.attempt) == ("w2", 2, 1)
    assert execution.lease_until is not None
    async with scene.store.read() as tx:
        assert execution.lease_until > await tx.now() + timedelta(seconds=20)
    (entry,) = await scene.entries("rollback.take_over")
    assert entry.what == {"app": str(PROD), "step": "claimed"}


async def test_a_lease_that_ends_this_very_moment_is_still_held(timed: Timed) -> None:
    scene, clock = timed
    left = await scene.stands_at(await scene.approved(), Step.CLAIMED)
    lease_until = left.execution.lease_until
    assert lease_until is not None

    clock.now = lease_until
    assert not await scene.executor("w2").step()
    assert await scene.rollback(left) == left

    clock.now = lease_until + timedelta(microseconds=1)
    assert (await scene.run(left, "w2")).state is State.COMPLETED


async def test_how_it_ended_is_in_the_operators_log(
    scene: ExecutionScene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bot.services.execute")

    ended = await scene.run(await scene.approved())

    (record,) = [r for r in caplog.records if r.message == "rollback ended"]
    said = record.__dict__
    assert (said["rollback"], said["state"], said["outcome"]) == (
        ended.id,
        State.COMPLETED,
        OutcomeCode.COMPLETED,
    )


async def test_the_span_of_an_execution_says_of_which_app_it_is(scene: ExecutionScene) -> None:
    kept = InMemorySpanExporter()
    recorder = OtelRecorder(SimpleSpanProcessor(kept), key=b"k", resource=Resource({}))
    rollback = await scene.approved()

    with spans.recording(recorder):
        await scene.run(rollback)

    (said,) = [span.attributes for span in kept.get_finished_spans() if span.name == "execute"]
    assert said is not None
    assert (said["keyturn.rollback"], said["keyturn.app"]) == (rollback.id, str(PROD))


async def test_one_that_kills_its_executor_each_time_is_handed_to_a_person(
    scene: ExecutionScene,
) -> None:
    left = await scene.stands_at(await scene.approved(), Step.CLAIMED, attempt=PATIENCE)

    ended = await scene.run(left, "w2")

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN)
    assert ended.outcome_facts == {"system": scene.target.name}
    assert not set(scene.target.calls) & set(WRITES)
    assert (await scene.told_codes())[-1] == "ended"


async def test_one_whose_app_is_no_longer_configured_is_handed_to_a_person_too(
    scene: ExecutionScene,
) -> None:
    left = await scene.stands_at(await scene.approved(), Step.CLAIMED)
    del scene.places[PROD]

    for _ in range(PATIENCE):
        with pytest.raises(UnknownApp):
            await scene.executor("w2").step()
        left = await scene.let_lease_run_out(left)

    ended = await scene.run(left, "w2")
    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN)
    assert ended.outcome_facts == {"system": str(PROD)}


async def test_nothing_to_do_is_said(scene: ExecutionScene) -> None:
    assert not await scene.executor().step()
    assert scene.directory.asked == 0
