"""What is known around an alert is gathered, weighed and said: on the card, and below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from bot import render
from bot.domain.approval import MOVES
from bot.domain.verdict.incident import Metric, Series
from bot.domain.words import FindingCode
from bot.errors import AnswerUnreadable, UpstreamDown, UpstreamRefused
from bot.ports.evidence import Measured
from bot.ports.people import Note
from bot.services.closing import close_if_over
from bot.services.looking.ran import Ran
from bot.services.looking.uses import Uses
from bot.services.places import Places
from bot.services.take_in import TakeIn
from store.document import Document
from store.records import AppEnv, Case, Delivery, Firing, Json, Rollback, State
from store.session import open_store
from tests.arriving import delivered
from tests.builders import CHANNEL, NOON, PROD, a_firing
from tests.fakes.target import FakeTarget
from tests.proofs.trial import Clock
from tests.unit.domain.verdict.stage import errors_jump, measured
from tests.unit.services.execution_scene import APP, BAD, EDIT, GOOD, ExecutionScene
from tests.unit.services.scene import ENTRY

SEARCH = AppEnv("kb-search", "prod")
EMPTY = Document("workflow", {"graph": {"nodes": [], "edges": []}, "features": {}})
LOAD = measured(Metric.LOAD, 10.0, seed=2)


@dataclass
class FakeLookBack:
    """Brings what a test says, or fails; remembers what it was asked."""

    series: dict[AppEnv, list[Series]] = field(default_factory=dict)
    down: bool = False
    asked: list[tuple[AppEnv, ...]] = field(default_factory=list)

    async def __call__(
        self, firing: Firing, places: Sequence[AppEnv], *, since: datetime, until: datetime
    ) -> Measured:
        assert since < firing.starts_at <= until
        self.asked.append(tuple(places))
        if self.down:
            raise UpstreamDown("Prometheus", "no answer")
        return Measured(series={p: self.series[p] for p in places if p in self.series})


@pytest.fixture
async def scene(sqlite_url: str) -> AsyncIterator[ExecutionScene]:
    """A minute after noon, when the alerts began: of what is long past nothing is measured."""
    clock = Clock(NOON + timedelta(minutes=1))
    store = await open_store(sqlite_url, moves=MOVES, clock=clock, durable=False)
    yield ExecutionScene.of(store)
    await store.close()


async def fire(scene: ExecutionScene, *firings: Firing) -> None:
    delivery = Delivery("alertmanager", "keyturn", "group", "d", 0, firings or (a_firing_at(0),))
    await delivered(scene.store, delivery)
    await TakeIn(scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None).step()


def a_firing_at(minutes: float, where: AppEnv = PROD) -> Firing:
    start = NOON - timedelta(minutes=minutes)
    return a_firing(starts_at=start, where=where, fingerprint=f"{where}{minutes}")


async def look(scene: ExecutionScene) -> None:
    while await scene.propose.step():
        pass


async def case_of(scene: ExecutionScene, where: AppEnv = PROD) -> Case:
    async with scene.store.read() as tx:
        return next(case for case in await tx.cases.open_cases() if case.where == where)


async def opened(scene: ExecutionScene, where: AppEnv = PROD) -> Rollback | None:
    async with scene.store.read() as tx:
        return await tx.rollbacks.open_of(where)


def published(scene: ExecutionScene, *when: tuple[Document, float], app: str = APP) -> None:
    for document, minutes in when:
        at = NOON - timedelta(minutes=minutes)
        scene.target.publish_document(app, document, at=at)


def told(scene: ExecutionScene) -> list[Note]:
    """The notes in the thread so far."""
    return [reply.note for reply in scene.messenger.replies]


async def code_of(scene: ExecutionScene, where: AppEnv = PROD) -> str:
    finding = (await case_of(scene, where)).finding
    assert finding is not None
    return finding.code


# -- with measurements ----------------------------------------------------------------------------


async def test_the_metric_tells_two_changes_apart(scene: ExecutionScene) -> None:
    scene.look_back = FakeLookBack({PROD: [errors_jump(), LOAD]})
    published(scene, (GOOD, 600), (BAD, 7), (EDIT, 3))
    await fire(scene)

    await look(scene)

    rollback = await opened(scene)
    assert rollback is not None
    assert rollback.leg.expected_root == GOOD.root


async def test_what_a_suggestion_rests_on_stands_below_the_card_with_its_chart(
    scene: ExecutionScene,
) -> None:
    scene.look_back = FakeLookBack({PROD: [errors_jump(), LOAD]})
    published(scene, (GOOD, 600), (BAD, 7))
    await fire(scene)
    await look(scene)
    await scene.tell()

    (note,) = [note for note in told(scene) if note.code == "evidence"]
    assert note.facts["percent"] > 95
    first, *_ = note.facts["reasons"]
    assert (first["code"], first["metric"]) == ("onset_metric", "errors")
    assert first["usual"] == pytest.approx(0.01, rel=0.2)
    assert first["now"] == pytest.approx(0.25, rel=0.2)
    (chart,) = scene.messenger.charts
    assert [panel.metric for panel in chart.panels] == [Metric.ERRORS, Metric.LOAD]
    assert "v2" in [mark.label for mark in chart.marks]


async def test_load_that_grew_is_said_and_nothing_suggested(scene: ExecutionScene) -> None:
    scene.look_back = FakeLookBack(
        {
            PROD: [
                measured(Metric.LATENCY, 2.0, {6: 9.0}),
                measured(Metric.LOAD, 10.0, {7: 45.0}, seed=2),
            ]
        }
    )
    published(scene, (GOOD, 600), (BAD, 20))
    await fire(scene)

    await look(scene)

    assert await opened(scene) is None
    assert await code_of(scene) == FindingCode.LOAD


async def test_what_cannot_be_measured_now_is_decided_by_times_and_looked_at_again(
    scene: ExecutionScene,
) -> None:
    scene.look_back = FakeLookBack(down=True)
    published(scene, (GOOD, 3000))
    await fire(scene)
    await look(scene)

    case = await case_of(scene)
    await scene.tell()

    assert await code_of(scene) == FindingCode.NO_CHANGE
    assert case.assess_at is not None
    (note,) = [note for note in told(scene) if note.code == "evidence"]
    assert "Prometheus did not answer in time" in render.note(note).text


async def test_a_second_look_that_finds_the_same_says_nothing_again(
    scene: ExecutionScene,
) -> None:
    scene.look_back = FakeLookBack(down=True)
    published(scene, (GOOD, 3000))
    await fire(scene)
    await look(scene)
    await due(scene)
    await look(scene)
    await scene.tell()

    assert len([note for note in told(scene) if note.code == "evidence"]) == 1
    assert len(scene.look_back.asked) == 2


# -- apps behind and beside -----------------------------------------------------------------------


@pytest.fixture
def behind(scene: ExecutionScene) -> ExecutionScene:
    """kb-search, which the app calls, was changed six minutes before the alert."""
    scene.depends_on = {PROD.app: [SEARCH.app]}
    scene.target.add_app("search")
    scene.places[SEARCH] = (scene.target, "search")
    scene.channels[SEARCH] = CHANNEL
    published(scene, (GOOD, 3000))
    published(scene, (GOOD, 4000), (BAD, 6), app="search")
    return scene


async def test_a_change_in_an_app_that_it_calls_is_proposed_on_a_card_of_that_app(
    behind: ExecutionScene,
) -> None:
    await fire(behind)
    await behind.propose.step()

    rollback = await opened(behind, SEARCH)
    assert rollback is not None
    assert (rollback.leg.where, rollback.leg.expected_root) == (SEARCH, GOOD.root)
    assert await opened(behind) is None
    assert await code_of(behind) == FindingCode.BEHIND
    assert await code_of(behind, SEARCH) == FindingCode.SUGGESTED_BEHIND
    theirs = (await case_of(behind, SEARCH)).finding
    assert theirs is not None
    assert theirs.facts["caller"] == str(PROD)


async def test_it_is_proposed_once_however_often_the_caller_is_looked_at(
    behind: ExecutionScene,
) -> None:
    await fire(behind)
    await behind.propose.step()
    first = await opened(behind, SEARCH)
    await fire(behind, a_firing_at(1))
    await behind.propose.step()
    await behind.tell()

    assert await opened(behind, SEARCH) == first
    drawn = [card.finding_code for card in behind.messenger.drawn]
    assert drawn.count("suggested_behind") == 1


async def test_an_app_behind_that_cannot_be_read_is_taken_as_it_is_stored(
    behind: ExecutionScene,
) -> None:
    await behind.snapshot.refresh(SEARCH)
    away = FakeTarget()
    away.name = "dify.away"
    away.fail("history", UpstreamDown("dify.away", "no answer"))
    behind.places[SEARCH] = (away, "search")
    await fire(behind)

    await behind.propose.step()

    assert await code_of(behind) == FindingCode.BEHIND


async def test_apps_of_the_environment_are_measured_too(scene: ExecutionScene) -> None:
    looks = FakeLookBack()
    scene.look_back = looks
    scene.channels |= {SEARCH: CHANNEL, AppEnv("elsewhere", "staging"): CHANNEL}
    published(scene, (GOOD, 3000))
    await fire(scene)

    await look(scene)

    assert looks.asked == [(PROD, SEARCH)]


async def test_what_the_live_version_uses_is_found_in_it(scene: ExecutionScene) -> None:
    published(scene, (GOOD, 3000))
    await scene.snapshot.refresh(PROD)
    uses = Uses(scene.store)

    assert await uses([PROD, SEARCH]) == {PROD: ("openai",), SEARCH: ()}
    assert await uses([PROD]) == {PROD: ("openai",)}


async def test_what_people_rejected_there_is_not_proposed_again_for_the_caller(
    behind: ExecutionScene,
) -> None:
    await fire(behind)
    await behind.propose.step()
    rollback = await opened(behind, SEARCH)
    assert rollback is not None
    await rejected(behind, rollback)

    await due(behind)
    await behind.propose.step()

    assert await opened(behind, SEARCH) is None
    case = await case_of(behind)
    assert case.finding is not None
    assert (case.finding.code, case.finding.facts["rollback"]) == (FindingCode.BEHIND, 0)
    assert case.assess_at is None


async def test_a_version_without_nodes_is_passed_over_in_an_app_behind_too(
    behind: ExecutionScene,
) -> None:
    published(behind, (EMPTY, 12), (BAD, 5), app="search")
    await fire(behind)

    await behind.propose.step()

    rollback = await opened(behind, SEARCH)
    assert rollback is None or rollback.leg.expected_root != EMPTY.root


async def test_an_app_behind_with_an_alert_of_its_own_is_looked_at_by_itself(
    behind: ExecutionScene,
) -> None:
    await fire(behind, a_firing_at(0), a_firing_at(0, SEARCH))
    theirs = await case_of(behind, SEARCH)

    await behind.propose.step()

    assert (await case_of(behind, SEARCH)).id == theirs.id
    assert await code_of(behind, SEARCH) != FindingCode.SUGGESTED_BEHIND


async def rejected(scene: ExecutionScene, rollback: Rollback) -> None:
    """People say no, and its case closes: there is no alert in it."""
    async with scene.store.write() as tx:
        current = await tx.rollbacks.get(rollback.id, lock=True)
        said = replace(current, state=State.REJECTED, outcome="rejected", finished_at=NOON)
        await tx.rollbacks.save(said, was=current.revision, entry=ENTRY)
        case = await tx.cases.get(rollback.case_id, lock=True)
        assert await close_if_over(tx, case)


async def due(scene: ExecutionScene) -> None:
    async with scene.store.write() as tx:
        (case,) = [case for case in await tx.cases.open_cases() if case.where == PROD]
        await tx.cases.save(replace(case, assess_at=await tx.now()), was=case.revision)


# -- runs -----------------------------------------------------------------------------------------


def ran(
    scene: ExecutionScene, number: int, *, ok: int = 0, failed: int = 0, app: str = APP
) -> None:
    """Let version *number* run in the last hours, and end so."""
    version, _ = scene.target.apps[app].history[number - 1]
    for status, count in (("succeeded", ok), ("failed", failed)):
        for _ in range(count):
            scene.target.run(app, version.external_id, status, at=NOON - timedelta(minutes=5))


async def reasons_of(scene: ExecutionScene, where: AppEnv = PROD) -> dict[str, dict[str, Json]]:
    finding = (await case_of(scene, where)).finding
    assert finding is not None
    return {one["code"]: one for one in finding.facts["reasons"]}


async def test_how_the_runs_of_each_version_ended_is_a_reason(scene: ExecutionScene) -> None:
    published(scene, (GOOD, 600), (BAD, 7))
    ran(scene, 1, ok=198, failed=2)
    ran(scene, 2, ok=9, failed=31)
    await fire(scene)
    await look(scene)

    told = (await reasons_of(scene))["runs"]

    assert (told["version"], told["failed"], told["all"]) == (f"{PROD} v2", 31, 40)
    assert (told["before_failed"], told["before_all"]) == (2, 200)


async def test_the_runs_of_an_app_behind_it_are_asked_for_too(behind: ExecutionScene) -> None:
    ran(behind, 1, ok=200, app="search")
    ran(behind, 2, ok=5, failed=35, app="search")
    await fire(behind)
    await behind.propose.step()

    told = (await reasons_of(behind))["runs"]

    assert (told["version"], told["failed"]) == (f"{SEARCH} v2", 35)


async def test_runs_from_before_the_time_that_is_looked_at_are_not_counted(
    scene: ExecutionScene,
) -> None:
    published(scene, (GOOD, 3000), (BAD, 7))
    version, _ = scene.target.apps[APP].history[0]
    for _ in range(20):
        scene.target.run(APP, version.external_id, at=NOON - timedelta(days=2))
    ran(scene, 2, failed=20)
    await fire(scene)

    await look(scene)

    assert "runs" not in await reasons_of(scene)


@pytest.mark.parametrize(
    "error",
    [
        UpstreamDown("dify", "no answer"),
        UpstreamRefused("dify", "not for you", "forbidden"),
        AnswerUnreadable("dify", "a page"),
    ],
)
async def test_a_target_that_does_not_tell_what_ran_is_looked_at_all_the_same(
    scene: ExecutionScene, error: Exception
) -> None:
    published(scene, (GOOD, 600), (BAD, 7))
    ran(scene, 1, ok=40)
    ran(scene, 2, failed=40)
    scene.target.fail("run_results", error)
    await fire(scene)

    await look(scene)

    assert await opened(scene) is not None
    assert "runs" not in await reasons_of(scene)


async def test_what_ran_is_not_waited_for(scene: ExecutionScene) -> None:
    published(scene, (GOOD, 600))
    never = asyncio.Event()
    scene.target.before("run_results", never.wait)
    ask = Ran(Places(scene.places), within=timedelta(milliseconds=10))

    assert await ask([PROD], since=NOON) == {PROD: ()}


async def test_an_app_that_is_nowhere_ran_nothing(scene: ExecutionScene) -> None:
    ask = Ran(Places(scene.places))

    assert await ask([PROD, SEARCH], since=NOON) == {PROD: []}


async def test_what_the_suspect_touches_is_said_below_the_card(scene: ExecutionScene) -> None:
    published(scene, (GOOD, 3000), (BAD, 5))
    await fire(scene)
    await look(scene)
    await scene.tell()

    (note,) = [note for note in told(scene) if note.code == "evidence"]
    touched = [reason for reason in note.facts["reasons"] if reason["code"] == "touched"]
    assert [reason["kinds"] for reason in touched] == [["prompt"]]
