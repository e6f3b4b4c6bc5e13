"""After a rollback that an alert brought about: seen, written down once, and what follows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from bot.domain.verdict.incident import Metric, Series
from bot.domain.words import FindingCode
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.evidence import LookBack, Measured
from bot.ports.store import Store
from bot.services.follow_up import FollowUp
from bot.services.recover import Recover
from store.records import (
    AppEnv,
    Delivery,
    Firing,
    FiringStatus,
    PauseOrigin,
    Recovery,
    RecoveryState,
    Rollback,
    State,
)
from store.rollbacks import replay
from tests.builders import ALICE, BOB, CHANNEL, DAVE, PROD, a_finding, a_firing
from tests.unit.services.execution_scene import APP, BAD, EDIT, GOOD, ExecutionScene
from tests.unit.services.scene import ENTRY

NONE, LONG = timedelta(0), timedelta(days=1)
STEP = timedelta(seconds=15)


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


@dataclass
class FakeLookBack:
    """Measures an error rate that is bad from the alert on and as it is told since *good_from*."""

    good_from: datetime | None = None
    down: bool = False
    asked: list[tuple[Firing, Sequence[AppEnv]]] = field(default_factory=list)

    async def __call__(
        self, firing: Firing, places: Sequence[AppEnv], *, since: datetime, until: datetime
    ) -> Measured:
        self.asked.append((firing, places))
        if self.down:
            raise UpstreamDown("prometheus", "no answer")
        count = int((until - since) / STEP) + 1
        times = [since + n * STEP for n in range(count)]
        values = [0.25 if self._bad(at, firing) else 0.01 for at in times]
        return Measured({places[0]: [Series(Metric.ERRORS, since, STEP, values)]})

    def _bad(self, at: datetime, firing: Firing) -> bool:
        return at >= firing.starts_at and (self.good_from is None or at < self.good_from)


def watch(
    scene: ExecutionScene,
    look_back: LookBack | None = None,
    *,
    bake: timedelta = LONG,
    quiet: timedelta = NONE,
) -> Recover:
    return Recover(scene.store, look_back, waited=NONE, bake=bake, quiet=quiet)


async def took(scene: ExecutionScene, case_id: int | None, *firings: Firing) -> None:
    async with scene.store.write() as tx:
        delivery = Delivery("alertmanager", "keyturn", "group", f"d{scene.items}", 0, firings)
        stored = await tx.alerts.take(delivery)
        if case_id is not None:
            await tx.alerts.assign([one.id for one in stored], case_id)
    scene.items += 1


async def done(scene: ExecutionScene, *, ago: timedelta = timedelta(minutes=30)) -> Rollback:
    """A rollback because of an alert, verified so long *ago*; the alert fires on."""
    approved = await scene.approved()
    now = await time_of(scene)
    await took(scene, approved.case_id, a_firing(starts_at=now - ago - timedelta(hours=1)))
    rollback = await scene.run(approved)
    assert rollback.state is State.COMPLETED
    async with scene.store.write() as tx:
        execution = replace(
            rollback.execution,
            clicked_at=now - ago - timedelta(seconds=3),
            verified_at=now - ago,
        )
        after = rollback.moved(rollback.state, execution=execution)
        return await tx.rollbacks.save(after, was=rollback.revision, entry=None)


async def time_of(scene: ExecutionScene) -> datetime:
    async with scene.store.read() as tx:
        return await tx.now()


async def resolved(scene: ExecutionScene, rollback: Rollback, after: timedelta) -> None:
    """The alert ended so long *after* the rollback was verified."""
    async with scene.store.read() as tx:
        (firing,) = await tx.alerts.of_case(rollback.case_id)
    assert rollback.execution.verified_at is not None
    end = rollback.execution.verified_at + after
    await took(scene, None, replace(firing, status=FiringStatus.RESOLVED, ends_at=end))


async def condemned(scene: ExecutionScene) -> frozenset[str]:
    async with scene.store.read() as tx:
        return await tx.versions.condemned(PROD)


async def stands(scene: ExecutionScene, rollback: Rollback) -> Recovery:
    found = (await scene.rollback(rollback)).recovery
    assert found is not None
    return found


# -- what is watched -------------------------------------------------------------------------------


async def test_a_rollback_because_of_an_alert_is_watched_and_condemns_nothing_yet(
    scene: ExecutionScene,
) -> None:
    rollback = await done(scene)
    await scene.tell()

    assert rollback.recovery == Recovery(RecoveryState.WATCHED, rollback.case_id)
    assert await condemned(scene) == frozenset()
    assert scene.messenger.drawn[-1].recovery_code == "watched"


async def test_one_that_failed_is_not_watched(scene: ExecutionScene) -> None:
    approved = await scene.approved()
    await took(scene, approved.case_id, a_firing(starts_at=await time_of(scene)))
    scene.target.fail("publish", UpstreamRefused("dify.test", "no", "bad_request"))

    ended = await scene.run(approved)

    assert (ended.state, ended.recovery) == (State.FAILED, None)


async def test_what_a_person_asked_for_without_an_alert_is_not_watched(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.run(await scene.approved())

    assert rollback.recovery is None
    assert await watch(scene)() == 0
    assert await condemned(scene) == frozenset()


async def test_a_change_behind_the_alerting_app_is_watched_by_the_callers_alert(
    scene: ExecutionScene,
) -> None:
    approved = await scene.approved()
    caller = AppEnv("front-desk", "prod")
    async with scene.store.write() as tx:
        theirs = await tx.cases.open_for(caller, channel=CHANNEL, entry=ENTRY)
        mine = await tx.cases.get(approved.case_id, lock=True)
        facts = {"caller": str(caller), "case": theirs.id}
        found = a_finding(code=FindingCode.SUGGESTED_BEHIND, facts=facts)
        await tx.cases.save(replace(mine, finding=found), was=mine.revision)
    began = await time_of(scene) - timedelta(minutes=30)
    await took(scene, theirs.id, a_firing(where=caller, starts_at=began))

    rollback = await scene.run(approved)
    look_back = FakeLookBack()
    await watch(scene, look_back)()

    assert rollback.recovery == Recovery(RecoveryState.WATCHED, theirs.id)
    assert look_back.asked[0][1] == [caller]


async def test_what_failed_is_not_watched(scene: ExecutionScene) -> None:
    approved = await scene.approved()
    await took(scene, approved.case_id, a_firing())
    scene.publish_by_hand()

    assert (await scene.run(approved)).recovery is None


# -- recovered -------------------------------------------------------------------------------------


async def test_a_metric_that_came_back_is_recovery_and_condemns(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    verified = rollback.execution.verified_at
    assert verified is not None
    look_back = FakeLookBack(good_from=verified + timedelta(seconds=130))

    assert await watch(scene, look_back)() == 1
    await scene.tell()

    stood = await stands(scene, rollback)
    assert (stood.state, stood.by) == (RecoveryState.RECOVERED, "metric")
    assert stood.since is not None
    assert timedelta(seconds=130) <= stood.since - verified < timedelta(seconds=146)
    assert await condemned(scene) == {BAD.meaning}
    assert scene.messenger.drawn[-1].recovery_code == "recovered"
    note = scene.messenger.replies[-1].note
    assert note.code == "recovery"
    assert note.facts["recovery"] == "recovered"
    assert note.facts["facts"]["seconds"] == (stood.since - verified).total_seconds()
    assert note.facts["call"] == []
    assert look_back.asked[0][1] == [PROD]


async def test_it_is_in_the_record_with_the_times_of_the_whole_way(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))

    await watch(scene)()

    entry, condemn = await scene.entries("rollback.recovered", "version.condemn")
    assert (entry.user_id, entry.resource) == ("keyturn", f"rollback/{rollback.id}")
    assert entry.what == {
        "app": str(PROD),
        "seconds": 120.0,
        "by": "alert",
        "why": "",
        "seconds_to_quorum": 3597.0,
        "seconds_to_verified": 3600.0,
        "seconds_to_recovered": 3720.0,
    }
    assert (condemn.action, condemn.what["rollback"]) == ("version.condemn", rollback.id)


async def test_replaying_its_events_gives_its_row(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))
    await watch(scene)()

    async with scene.store.read() as tx:
        events = await tx.events.of("rollback", rollback.id)
        assert replay(events) == await tx.rollbacks.get(rollback.id)


async def test_it_is_told_once_whoever_looks(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))

    said = await asyncio.gather(*(watch(scene)() for _ in range(4)))

    assert sum(said) == 1
    assert await watch(scene)() == 0
    assert len(await scene.entries("rollback.recovered")) == 1
    assert (await scene.told_codes()).count("recovery") == 1


async def test_a_crash_before_it_is_written_down_loses_nothing(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the process is gone")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("bot.services.watching.note_row", broken)
        with pytest.raises(RuntimeError):
            await watch(scene)()
    assert (await scene.rollback(rollback)).watched
    assert await condemned(scene) == frozenset()
    assert await scene.entries("rollback.recovered") == []

    assert await watch(scene)() == 1
    assert await condemned(scene) == {BAD.meaning}


async def test_it_is_told_after_the_case_has_closed_and_after_a_long_stop(
    scene: ExecutionScene,
) -> None:
    rollback = await done(scene, ago=timedelta(days=3))
    assert await FollowUp(scene.store).close_cases() == 1
    await resolved(scene, rollback, timedelta(minutes=2))

    assert await watch(scene, bake=timedelta(minutes=15))() == 1
    assert (await stands(scene, rollback)).state is RecoveryState.RECOVERED
    assert "recovery" in await scene.told_codes()


async def test_one_that_cannot_be_looked_at_holds_up_no_other(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollback = await done(scene)

    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Recover, "_look", broken)
    with pytest.raises(RuntimeError):
        await watch(scene)()
    assert (await scene.rollback(rollback)).watched


async def test_while_it_is_paused_nothing_is_said(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))
    async with scene.store.write() as tx:
        await tx.pause.mark(PauseOrigin.PERSON, "a move", entry=ENTRY)

    assert await watch(scene)() == 0
    assert (await scene.rollback(rollback)).watched


# -- resolved is not recovered ---------------------------------------------------------------------


async def test_with_a_metric_that_is_bad_a_resolved_alert_counts_for_nothing(
    scene: ExecutionScene,
) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))

    assert await watch(scene, FakeLookBack())() == 0
    assert await watch(scene, FakeLookBack(), bake=NONE)() == 1

    stood = await stands(scene, rollback)
    assert (stood.state, stood.by) == (RecoveryState.NOT_RECOVERED, "metric")
    assert await condemned(scene) == frozenset()


async def test_while_nothing_can_be_read_a_resolved_alert_counts_for_nothing(
    scene: ExecutionScene,
) -> None:
    """A Prometheus that stops ends its alerts too."""
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))

    assert await watch(scene, FakeLookBack(down=True))() == 0
    assert await watch(scene, FakeLookBack(down=True), bake=NONE)() == 1

    stood = await stands(scene, rollback)
    assert (stood.state, stood.why) == (RecoveryState.UNKNOWN, "no_data")
    assert len(await scene.entries("rollback.recovery_unknown")) == 1


async def test_an_alert_that_begins_again_in_another_case_was_never_away(
    scene: ExecutionScene,
) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))
    again = a_firing(starts_at=await time_of(scene) - timedelta(minutes=20))
    await took(scene, None, again)

    assert await watch(scene)() == 0
    assert (await scene.rollback(rollback)).watched


async def test_an_alert_has_to_stay_resolved(scene: ExecutionScene) -> None:
    rollback = await done(scene, ago=timedelta(minutes=4))
    await resolved(scene, rollback, timedelta(minutes=3))

    assert await watch(scene, quiet=timedelta(minutes=3))() == 0
    assert await watch(scene, quiet=timedelta(seconds=30))() == 1


# -- not recovered, unknown ------------------------------------------------------------------------


async def test_what_still_fires_after_the_bake_time_has_not_recovered_and_people_are_called(
    scene: ExecutionScene,
) -> None:
    rollback = await done(scene)

    assert await watch(scene, bake=timedelta(hours=1))() == 0
    assert await watch(scene, bake=timedelta(minutes=15))() == 1
    await scene.tell()

    assert (await stands(scene, rollback)).by == "alert"
    assert scene.messenger.drawn[-1].recovery_code == "not_recovered"
    assert [button.action for button in scene.messenger.drawn[-1].buttons][-1] == "undo"
    assert scene.messenger.replies[-1].note.facts["call"] == [ALICE, BOB, DAVE]
    (entry,) = await scene.entries("rollback.not_recovered")
    assert entry.what["by"] == "alert"


async def test_what_was_over_before_is_unknown(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, -timedelta(minutes=2))

    assert await watch(scene, bake=NONE)() == 1
    assert (await stands(scene, rollback)).why == "over_before"
    assert await condemned(scene) == frozenset()


# -- something else goes live ----------------------------------------------------------------------


async def test_after_another_publish_nobody_knows(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    scene.target.publish_document(APP, EDIT, at=await time_of(scene) - timedelta(minutes=10))
    await scene.snapshot.refresh(PROD)
    await resolved(scene, rollback, timedelta(minutes=25))  # five minutes after that

    assert await watch(scene)() == 1
    assert (await stands(scene, rollback)).why == "changed"
    assert await condemned(scene) == frozenset()


async def test_what_recovered_before_another_publish_did_recover(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    scene.target.publish_document(APP, EDIT, at=await time_of(scene) - timedelta(minutes=10))
    await scene.snapshot.refresh(PROD)
    await resolved(scene, rollback, timedelta(minutes=2))

    assert await watch(scene)() == 1
    assert (await stands(scene, rollback)).state is RecoveryState.RECOVERED


async def test_an_undo_ends_the_watch(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))

    undo = await scene.run(await scene.approved(draft=None, back_to=2, reason="it was not we"))

    assert undo.state is State.COMPLETED
    assert (await stands(scene, rollback)).why == "changed"
    assert await watch(scene)() in (0, 1)  # of the undo alone, whose alert was over before
    assert await condemned(scene) == frozenset()


async def test_what_was_said_as_it_is_undone_stays_said(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))
    undo = await scene.approved(draft=None, back_to=2, reason="it was not we")
    await watch(scene)()

    await scene.run(undo)

    assert (await stands(scene, rollback)).state is RecoveryState.RECOVERED
    assert await scene.entries("rollback.recovery_unknown") == []


async def test_an_undo_lifts_what_was_condemned(scene: ExecutionScene) -> None:
    rollback = await done(scene)
    await resolved(scene, rollback, timedelta(minutes=2))
    await watch(scene)()
    assert await condemned(scene) == {BAD.meaning}

    await scene.run(await scene.approved(draft=None, back_to=2, reason="it was right"))

    assert await condemned(scene) == frozenset()
    (entry,) = await scene.entries("version.lift")
    assert (entry.what["meaning"], entry.what["reason"]) == (BAD.meaning, "it was right")
    assert (await stands(scene, rollback)).state is RecoveryState.RECOVERED


async def test_an_undo_that_helped_condemns_nothing(scene: ExecutionScene) -> None:
    """What it takes away was brought back by a rollback: it was not bad."""
    await done(scene)
    approved = await scene.approved(draft=None, back_to=2, reason="it was not we")
    undo = await scene.run(approved)
    assert undo.watched
    async with scene.store.read() as tx:
        (firing,) = await tx.alerts.of_case(undo.case_id)
    over = replace(firing, status=FiringStatus.RESOLVED, ends_at=await time_of(scene))
    await took(scene, None, over)

    assert await watch(scene)() == 1

    assert (await stands(scene, undo)).state is RecoveryState.RECOVERED
    assert await condemned(scene) == frozenset()
    assert scene.live == BAD != GOOD
