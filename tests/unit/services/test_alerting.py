"""Alertmanager is told of rollbacks, silences for as long as one is watched, and is heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.announced import ALERTNAME, LATE, Announced
from bot.domain.approval import MOVES
from bot.domain.naming import LabelMap, Match
from bot.domain.recovery import BAKE
from bot.errors import UpstreamDown, UpstreamRefused
from bot.services.alerting import silencing
from bot.services.alerting.listen import Listen
from bot.services.alerting.rows import silence_row
from bot.services.alerting.standing import Standings
from bot.services.alerting.tell import Manner, Tell
from bot.services.take_in import TakeIn
from store.records import (
    TO_ALERTMANAGER,
    AppEnv,
    AuditDraft,
    FiringStatus,
    RecoveryState,
    Rollback,
    Silenced,
    State,
)
from store.session import open_store
from tests.builders import ALICE, BOB, CHANNEL, PROD, a_firing
from tests.contract.store.raw import Hand
from tests.fakes.alertmanager import FakeAlertmanager, fits
from tests.unit.services.execution_scene import EDIT, ExecutionScene
from tests.unit.services.test_recover import time_of, took, watch

LABELS = {"alertname": "WrongAnswers", "app": PROD.app, "env": PROD.env}
BILLING = AppEnv("billing", "prod")
KNOWN = frozenset({PROD, BILLING})
ONE, OTHER = "http://am-1:9093", "http://am-2:9093"


@dataclass
class Alerting:
    """A scene with two Alertmanagers that stand in for each other."""

    scene: ExecutionScene
    hand: Hand
    there: dict[str, FakeAlertmanager] = field(
        default_factory=lambda: {ONE: FakeAlertmanager(), OTHER: FakeAlertmanager()}
    )
    manner: Manner = field(default_factory=lambda: Manner(KNOWN))

    def worker(self, owner: str = "t1") -> Tell:
        standings = Standings(
            app="app", env="env", bake=self.manner.bake, address=lambda name, _: f"https://k/{name}"
        )
        return Tell(
            self.scene.store,
            self.there,
            standings,
            self.manner,
            owner=owner,
            nudge=lambda: None,
            jitter=lambda: 1.0,
        )

    async def tell(self) -> Tell:
        """Tell all that is due now."""
        worker = self.worker()
        while await worker.step():
            pass
        return worker

    async def listen(self, *, quiet: timedelta = timedelta(minutes=3)) -> None:
        labels = self.manner.labels
        await Listen(
            self.scene.store, self.there, [PROD], labels, nudge=lambda: None, quiet=quiet
        )()
        channels = {PROD: CHANNEL, BILLING: CHANNEL}
        await TakeIn(self.scene.store, channels, meaning=lambda _: None, nudge=lambda: None).step()

    async def standing(self) -> list[list[Announced]]:
        now = await time_of(self.scene)
        return [one.stands(now) for one in self.there.values()]


@pytest.fixture
async def alerting(sqlite_url: str) -> AsyncIterator[Alerting]:
    hand = Hand()
    store = await open_store(sqlite_url, moves=MOVES, clock=hand, durable=False)
    yield Alerting(ExecutionScene.of(store), hand)
    await store.close()


async def done(alerting: Alerting, *, fires: bool = True) -> Rollback:
    """A rollback because of an alert that fires on, verified just now."""
    scene = alerting.scene
    approved = await scene.approved()
    if fires:
        began = await time_of(scene) - timedelta(minutes=10)
        firing = a_firing(starts_at=began, labels=LABELS)
        await took(scene, approved.case_id, firing)
        for one in alerting.there.values():
            one.fires.append(firing)
    rollback = await scene.run(approved)
    assert rollback.state is State.COMPLETED
    return rollback


async def silenced(alerting: Alerting) -> Silenced | None:
    async with alerting.scene.store.read() as tx:
        return await tx.silences.of(PROD)


# -- the alert -------------------------------------------------------------------------------------


async def test_every_alertmanager_gets_the_alert_from_verified_to_the_end_of_the_bake_time(
    alerting: Alerting,
) -> None:
    rollback = await done(alerting)

    await alerting.tell()

    verified = rollback.execution.verified_at
    assert verified is not None
    for (alert,) in await alerting.standing():
        assert (alert.starts_at, alert.ends_at) == (verified, verified + BAKE)
        assert alert.labels["alertname"] == ALERTNAME
        assert (alert.labels["app"], alert.labels["env"]) == (PROD.app, PROD.env)
        assert alert.annotations["agreed"] == "2 approvals"
        assert alert.annotations["record"] == f"https://k/{rollback.id}"


async def test_one_that_is_down_is_told_later_and_holds_up_no_other(alerting: Alerting) -> None:
    await done(alerting)
    alerting.there[ONE].failing = UpstreamDown("Alertmanager", "no answer")
    worker = alerting.worker()
    while await worker.step():
        pass
    before = await alerting.standing()
    trouble = worker.trouble

    alerting.there[ONE].failing = None
    alerting.hand.pass_by(timedelta(seconds=1))
    while await worker.step():
        pass

    assert [len(found) for found in before] == [0, 1]
    assert trouble == {ONE}
    assert [len(found) for found in await alerting.standing()] == [1, 1]
    assert worker.trouble == frozenset()


async def test_what_could_not_be_told_in_its_time_is_told_late(alerting: Alerting) -> None:
    await done(alerting)
    alerting.hand.pass_by(timedelta(hours=2))

    await alerting.tell()

    now = await time_of(alerting.scene)
    for (alert,) in await alerting.standing():
        assert now + LATE - timedelta(seconds=5) < alert.ends_at <= now + LATE


async def test_what_it_refuses_is_not_said_again(alerting: Alerting) -> None:
    await done(alerting)
    for one in alerting.there.values():
        one.failing = UpstreamRefused("Alertmanager", "HTTP 400")

    worker = await alerting.tell()

    assert not await worker.step()
    assert worker.trouble == frozenset()


async def test_it_is_told_again_since_an_alertmanager_that_is_restarted_forgets(
    alerting: Alerting,
) -> None:
    rollback = await done(alerting)
    await alerting.tell()

    async with alerting.scene.store.read() as tx:
        key = f"alert:{rollback.id}:done:{PROD}:{ONE}:again"
        (row,) = await tx.outbox.queued(key, TO_ALERTMANAGER)
    assert (row.destination, row.body["again"]) == (ONE, 1)
    assert len(alerting.there[ONE].told) == 1, "not before its time"

    alerting.there[ONE].restart()
    alerting.hand.pass_by(timedelta(minutes=1))
    await alerting.tell()
    assert [len(found) for found in await alerting.standing()] == [1, 1]


async def test_near_its_end_it_is_told_no_more(alerting: Alerting) -> None:
    await done(alerting)
    alerting.hand.pass_by(BAKE - timedelta(seconds=30))

    await alerting.tell()

    await alerting.scene.tell()
    async with alerting.scene.store.read() as tx:
        rows = await tx.outbox.waiting()
    assert rows == 0


async def test_an_undo_ends_the_alert_and_raises_none_of_its_own(alerting: Alerting) -> None:
    rollback = await done(alerting)
    await alerting.tell()
    undone = await undo(alerting, rollback)
    assert undone.state is State.COMPLETED

    await alerting.tell()

    assert await alerting.standing() == [[], []]
    first, *_, last = alerting.there[ONE].told
    assert last.labels == first.labels
    assert last.annotations == first.annotations


async def test_when_something_else_is_published_the_alert_ends(alerting: Alerting) -> None:
    await done(alerting)
    await alerting.tell()

    alerting.scene.publish(EDIT)
    await alerting.scene.snapshot.refresh(PROD)
    await alerting.tell()

    assert await alerting.standing() == [[], []]


async def test_a_drill_is_announced_to_nobody(alerting: Alerting) -> None:
    rollback = await done(alerting)
    async with alerting.scene.store.write() as tx:
        after = rollback.moved(rollback.state, drill=True)
        await tx.rollbacks.save(after, was=rollback.revision, entry=None)

    await alerting.tell()

    assert await alerting.standing() == [[], []]


async def test_a_crash_between_saying_and_marking_says_the_same_again(alerting: Alerting) -> None:
    await done(alerting)
    worker = alerting.worker()
    await worker.step()  # for each its own
    async with alerting.scene.store.write() as tx:
        assert await tx.outbox.claim("dies", lease=timedelta(seconds=-1)) is not None

    await alerting.tell()

    assert [len(found) for found in await alerting.standing()] == [1, 1]


# -- the silence -----------------------------------------------------------------------------------


@pytest.fixture
def hushed(alerting: Alerting) -> Alerting:
    alerting.manner = replace(alerting.manner, silence=frozenset({"prod"}))
    return alerting


async def test_the_alerts_of_the_case_are_silenced_while_the_rollback_is_watched(
    hushed: Alerting,
) -> None:
    rollback = await done(hushed)

    await hushed.tell()
    await hushed.scene.tell()

    found = await silenced(hushed)
    assert found is not None
    assert (found.rollback_id, found.alerts) == (rollback.id, ("WrongAnswers",))
    for one in hushed.there.values():
        ((name, held),) = one.held.items()
        assert held.until == found.until
        alert = LABELS
        assert all(fits(matcher, alert) for matcher in one.matched[name])
        assert not all(fits(m, {**alert, "alertname": "Other"}) for m in one.matched[name])
        assert not all(fits(m, {**alert, "env": "staging"}) for m in one.matched[name])
    (entry,) = await hushed.scene.entries("alerts.")
    assert (entry.action, entry.resource) == ("alerts.silence", f"rollback/{rollback.id}")
    assert "alerts_silenced" in [reply.note.code for reply in hushed.scene.messenger.replies]


async def test_without_the_setting_nothing_is_silenced(alerting: Alerting) -> None:
    await done(alerting)

    await alerting.tell()

    assert await silenced(alerting) is None
    assert alerting.there[ONE].held == {}


async def test_a_silence_that_was_begun_before_a_crash_is_found_and_not_begun_again(
    hushed: Alerting,
) -> None:
    await done(hushed)
    await hushed.tell()
    before = dict(hushed.there[ONE].held)
    async with hushed.scene.store.write() as tx:
        found = await tx.silences.of(PROD)
        assert found is not None
        await tx.outbox.put(replace(silence_row(PROD, found), dedupe_id="again"))

    await hushed.tell()

    assert hushed.there[ONE].held == before


async def test_each_way_in_which_the_app_can_be_meant_is_silenced_once_and_all_go(
    hushed: Alerting,
) -> None:
    hushed.manner = replace(hushed.manner, labels=by_service(""))
    await done(hushed)
    hushed.there[ONE].room = 1  # it goes away between the first and the second
    await hushed.tell()
    first = set(hushed.there[ONE].held)
    hushed.there[ONE].room = 1
    hushed.hand.pass_by(timedelta(seconds=1))
    await hushed.tell()

    assert len(first) == 1
    assert first < set(hushed.there[ONE].held)
    for there in hushed.there.values():
        assert len(there.held) == 2
        assert there.hushes(LABELS)
        means = {"alertname": LABELS["alertname"], "service": "triage-api"}
        assert there.hushes({**means, "env": PROD.env})
        assert not there.hushes({**means, "env": "staging"})

    await unsilence(hushed)
    await hushed.tell()
    assert [one.held for one in hushed.there.values()] == [{}, {}]


async def test_a_silence_that_a_person_ended_does_not_come_back_with_the_next_version(
    hushed: Alerting,
) -> None:
    await done(hushed)
    await hushed.tell()
    await unsilence(hushed)

    hushed.scene.publish(EDIT)
    await hushed.scene.snapshot.refresh(PROD)
    await hushed.tell()

    assert await silenced(hushed) is None
    assert [one.held for one in hushed.there.values()] == [{}, {}]
    actions = [entry.action for entry in await hushed.scene.entries("alerts.")]
    assert actions == ["alerts.silence", "alerts.unsilence"]


async def test_what_ends_in_the_silence_is_heard_and_then_the_silence_goes(
    hushed: Alerting,
) -> None:
    rollback = await done(hushed)
    await hushed.tell()
    for one in hushed.there.values():
        one.fires.clear()

    await hushed.listen()
    await watch(hushed.scene)()
    await hushed.tell()

    recovery = (await hushed.scene.rollback(rollback)).recovery
    assert recovery is not None
    assert recovery.state is RecoveryState.RECOVERED
    assert await silenced(hushed) is None
    assert [one.held for one in hushed.there.values()] == [{}, {}]
    actions = [entry.action for entry in await hushed.scene.entries("alerts.")]
    assert actions == ["alerts.silence", "alerts.unsilence"]


async def test_what_an_alertmanager_that_was_just_started_does_not_have_fires_on(
    hushed: Alerting,
) -> None:
    rollback = await done(hushed)
    await hushed.tell()
    hushed.there[ONE].restart()
    hushed.there[OTHER].fires.clear()

    await hushed.listen()

    assert await statuses(hushed, rollback) == {FiringStatus.FIRING}


async def test_what_one_of_two_still_has_fires_on(hushed: Alerting) -> None:
    rollback = await done(hushed)
    await hushed.tell()
    hushed.there[ONE].fires.clear()

    await hushed.listen()

    assert await statuses(hushed, rollback) == {FiringStatus.FIRING}


async def test_an_alert_that_begins_in_the_silence_is_heard(hushed: Alerting) -> None:
    await done(hushed)
    await hushed.tell()
    began = await time_of(hushed.scene) - timedelta(seconds=1)
    begun = a_firing(starts_at=began, fingerprint="abc123", labels=LABELS)
    hushed.there[OTHER].fires.append(begun)

    await hushed.listen()

    async with hushed.scene.store.read() as tx:
        (case,) = await tx.cases.open_cases()
        found = {one.fingerprint for one in await tx.alerts.of_case(case.id)}
    assert "abc123" in found


async def test_the_end_of_an_alert_is_heard_after_another_incident_has_begun(
    hushed: Alerting,
) -> None:
    rollback = await done(hushed)
    await hushed.tell()
    began = await time_of(hushed.scene) - timedelta(seconds=1)
    begun = a_firing(starts_at=began, fingerprint="abc123", labels=LABELS)
    for one in hushed.there.values():
        one.fires = [begun]

    await hushed.listen()

    assert await statuses(hushed, rollback) == {FiringStatus.RESOLVED}


async def test_an_alert_that_begins_while_alertmanager_is_asked_fires_on(hushed: Alerting) -> None:
    rollback = await done(hushed)
    await hushed.tell()
    began = await time_of(hushed.scene) - timedelta(seconds=1)
    begun = a_firing(starts_at=began, fingerprint="abc123", labels=LABELS)
    hushed.there[OTHER].meanwhile = lambda: took(hushed.scene, rollback.case_id, begun)

    await hushed.listen()

    assert await statuses(hushed, rollback) == {FiringStatus.FIRING}


@pytest.mark.parametrize("env", ["", PROD.env])
async def test_where_a_match_means_the_app_what_names_it_by_its_label_is_asked_for_too(
    hushed: Alerting, env: str
) -> None:
    hushed.manner = replace(hushed.manner, labels=by_service(env))
    rollback = await done(hushed)
    await hushed.tell()

    await hushed.listen()
    fires = await statuses(hushed, rollback)
    for one in hushed.there.values():
        one.fires.clear()
    await hushed.listen()

    assert fires == {FiringStatus.FIRING}
    assert await statuses(hushed, rollback) == {FiringStatus.RESOLVED}


async def test_what_was_not_asked_for_is_not_taken_for_over(hushed: Alerting) -> None:
    rollback = await done(hushed)
    began = await time_of(hushed.scene) - timedelta(minutes=10)
    of_former_settings = a_firing(starts_at=began, fingerprint="abc123", labels={"job": "t"})
    await took(hushed.scene, rollback.case_id, of_former_settings)
    await hushed.tell()

    await hushed.listen()

    assert await statuses(hushed, rollback) == {FiringStatus.FIRING}


async def test_what_fires_there_and_means_another_app_by_now_is_not_over(hushed: Alerting) -> None:
    rollback = await done(hushed)
    await hushed.tell()
    for one in hushed.there.values():
        one.fires = [replace(firing, where=None) for firing in one.fires]

    await hushed.listen()

    assert await statuses(hushed, rollback) == {FiringStatus.FIRING}


async def test_of_another_app_that_the_silence_hushes_too_the_beginning_and_the_end_are_heard(
    hushed: Alerting,
) -> None:
    await done(hushed)
    await hushed.tell()
    began = await time_of(hushed.scene) - timedelta(seconds=1)
    labels = {**LABELS, "service": "billing"}
    billing = a_firing(starts_at=began, fingerprint="abc123", labels=labels, where=BILLING)
    heard: list[list[FiringStatus]] = []

    for fires in ([billing], []):
        hushed.there[ONE].fires = fires
        await hushed.listen()
        async with hushed.scene.store.read() as tx:
            cases = [case for case in await tx.cases.open_cases() if case.where == BILLING]
            found = [one for case in cases for one in await tx.alerts.of_case(case.id)]
        heard.append([one.status for one in found])

    assert heard == [[FiringStatus.FIRING], [FiringStatus.RESOLVED]]


async def test_while_nobody_answers_nothing_is_taken_for_over(hushed: Alerting) -> None:
    rollback = await done(hushed)
    await hushed.tell()
    hushed.there[ONE].failing = UpstreamDown("Alertmanager", "no answer")
    hushed.there[OTHER].fires.clear()

    with pytest.raises(UpstreamDown):
        await hushed.listen()

    assert await statuses(hushed, rollback) == {FiringStatus.FIRING}


# -- hands -----------------------------------------------------------------------------------------


def by_service(env: str) -> LabelMap:
    """Another label means the app, or the app in *env*, as well."""
    return LabelMap(match=(Match({"service": ("triage-api",)}, PROD.app, env),))


async def unsilence(alerting: Alerting) -> None:
    """Alice lets the alerts be heard again."""
    async with alerting.scene.store.write() as tx:
        found = await tx.silences.of(PROD)
        assert found is not None
        entry = AuditDraft(ALICE, "alerts.unsilence", f"app/{PROD}", "ok", {})
        await silencing.end(tx, found, slack_id=ALICE, entry=entry)


async def statuses(alerting: Alerting, rollback: Rollback) -> set[FiringStatus]:
    async with alerting.scene.store.read() as tx:
        return {one.status for one in await tx.alerts.of_case(rollback.case_id)}


async def undo(alerting: Alerting, rollback: Rollback) -> Rollback:
    """Dave asks to go back to what was live before *rollback*, and two others agree."""
    scene = alerting.scene
    again = await scene.asked(2, reason="the provider was down, not we")
    assert again.id != rollback.id
    for voter in (ALICE, BOB):
        again = await scene.vote(voter, again)
    return await scene.run(again)
