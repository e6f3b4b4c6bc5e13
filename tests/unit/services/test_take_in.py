"""Alerts become cases: one for each app@env, whatever arrives and however often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

import pytest

from bot.domain.naming import LabelMap
from bot.ports.store import Store
from bot.services.intake import Intake
from bot.services.take_in import TakeIn
from store.records import AppEnv, Case, Delivery, Firing, FiringStatus, StoreError, Unavailable
from tests.arriving import file_all
from tests.builders import CHANNEL, NOON, PROD, a_firing
from tests.unit.services.scene import Scene, a_pending

STAGING = AppEnv("support-triage", "staging")
CHANNELS = {PROD: CHANNEL, STAGING: "C0STAGING"}


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


async def arrive(scene: Scene, *firings: Firing, digest: str = "d1") -> None:
    intake = Intake(scene.store, nudge=lambda: scene.nudged.append(1))
    await intake(Delivery("alertmanager", "keyturn", "group", digest, 0, firings))
    await file_all(scene.store)


def a_worker(
    scene: Scene,
    channels: Mapping[AppEnv, str] = CHANNELS,
    *,
    nudge: Callable[[], None] = lambda: None,
) -> TakeIn:
    where = partial(LabelMap().where, known=channels)
    return TakeIn(scene.store, channels, meaning=where, nudge=nudge)


async def take_in(scene: Scene, channels: Mapping[AppEnv, str] = CHANNELS) -> None:
    worker = a_worker(scene, channels)
    while await worker.step():
        pass


async def cases(scene: Scene) -> list[Case]:
    async with scene.store.read() as tx:
        return await tx.cases.open_cases()


async def of_case(scene: Scene, case: Case) -> list[str]:
    async with scene.store.read() as tx:
        return [firing.fingerprint for firing in await tx.alerts.of_case(case.id)]


def resolved(**changes: object) -> Firing:
    return a_firing(status=FiringStatus.RESOLVED, ends_at=NOON, **changes)


async def test_a_delivery_is_kept_before_anybody_is_woken(scene: Scene) -> None:
    kept: list[int] = []

    async def look() -> None:
        async with scene.store.read() as tx:
            kept.extend((await tx.arrivals.waiting()).ids)

    looks: list[asyncio.Task[None]] = []
    intake = Intake(scene.store, nudge=lambda: looks.append(asyncio.create_task(look())))

    await intake(Delivery("alertmanager", "keyturn", "group", "d1", 0, (a_firing(),)))
    await looks[0]

    assert len(kept) == 1


async def test_a_delivery_that_could_not_be_stored_wakes_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_: object) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(scene.store, "keep", lost)

    with pytest.raises(Unavailable):
        await arrive(scene, a_firing())
    assert scene.nudged == []


async def test_all_alerts_of_an_app_are_one_case_that_is_due(scene: Scene) -> None:
    early = a_firing(fingerprint="f0", starts_at=NOON - timedelta(hours=1))
    await arrive(scene, a_firing(), early)

    await take_in(scene)

    (case,) = await cases(scene)
    assert (case.where, case.channel) == (PROD, CHANNEL)
    assert await of_case(scene, case) == ["f0", a_firing().fingerprint]
    async with scene.store.read() as tx:
        assert [due.id for due in await tx.cases.due([PROD])] == [case.id]
    (entry,) = await scene.entries("case.open")
    assert entry.user_id == "alertmanager"
    assert entry.what["fingerprints"] == sorted(["f0", a_firing().fingerprint])


async def test_who_told_of_the_first_alert_opens_the_case(scene: Scene) -> None:
    early = a_firing(source="pager", fingerprint="f0", starts_at=NOON - timedelta(hours=1))
    await arrive(scene, a_firing(), early)

    await take_in(scene)

    (entry,) = await scene.entries("case.open")
    assert entry.user_id == "pager"


async def test_each_environment_has_a_case_in_its_own_channel(scene: Scene) -> None:
    await arrive(scene, a_firing(), a_firing(fingerprint="f2", where=STAGING))

    await take_in(scene)

    assert {case.where: case.channel for case in await cases(scene)} == CHANNELS


async def test_repeats_change_nothing(scene: Scene) -> None:
    await arrive(scene, a_firing())
    await take_in(scene)
    before = await cases(scene)

    for n in range(3):
        await arrive(scene, a_firing(), digest=f"d{n}")
        await take_in(scene)

    assert await cases(scene) == before


async def test_workers_at_once_give_an_alert_to_one_case(scene: Scene) -> None:
    await arrive(scene, a_firing(), a_firing(fingerprint="f2"))

    await asyncio.gather(*(a_worker(scene).step() for _ in range(4)))
    await take_in(scene)

    (case,) = await cases(scene)
    assert len(await of_case(scene, case)) == 2


async def test_an_alert_that_is_over_before_we_heard_of_it_opens_nothing(scene: Scene) -> None:
    await arrive(scene, resolved())

    await take_in(scene)

    assert await cases(scene) == []


async def test_an_alert_that_names_no_app_of_ours_opens_nothing_and_is_counted(
    scene: Scene,
) -> None:
    labels = {"alertname": "DiskFull", "app": "unheard-of", "env": "prod"}
    await arrive(scene, a_firing(where=None, labels=labels))

    await take_in(scene)

    assert await cases(scene) == []
    async with scene.store.read() as tx:
        assert await tx.alerts.unknown_apps() == [("unheard-of", "prod", 1)]


async def test_an_app_taken_out_of_the_configuration_opens_nothing_and_keeps_nobody_busy(
    scene: Scene,
) -> None:
    labels = {"alertname": "WrongAnswers", "app": STAGING.app, "env": STAGING.env}
    await arrive(scene, a_firing(where=STAGING, labels=labels), a_firing(fingerprint="f2"))

    async with asyncio.timeout(20):
        await take_in(scene, {PROD: CHANNEL})

    assert [case.where for case in await cases(scene)] == [PROD]
    await take_in(scene)  # it is back in the configuration, with the alert that still fires
    assert {case.where for case in await cases(scene)} == {PROD, STAGING}


async def test_an_alert_that_came_before_its_app_was_known_opens_a_case_once_it_is(
    scene: Scene,
) -> None:
    labels = {"alertname": "WrongAnswers", "app": STAGING.app, "env": STAGING.env}
    stranger = {"alertname": "DiskFull", "app": "unheard-of", "env": "prod"}
    await arrive(
        scene,
        a_firing(where=None, labels=stranger),
        a_firing(where=None, labels=labels, fingerprint="f2"),
        resolved(where=None, labels=labels, fingerprint="f3"),
    )
    await take_in(scene, {PROD: CHANNEL})
    assert await cases(scene) == []

    await take_in(scene)

    (case,) = await cases(scene)
    assert (case.where, await of_case(scene, case)) == (STAGING, ["f2"])


async def test_a_storm_of_unknown_alerts_is_looked_at_once(scene: Scene) -> None:
    storm = [
        a_firing(where=None, fingerprint=f"{n:04x}", labels={"app": "unheard-of"})
        for n in range(1200)
    ]
    await arrive(scene, *storm)
    woken: list[int] = []
    worker = a_worker(scene, nudge=lambda: woken.append(1))

    steps = 0
    while await worker.step():
        steps += 1

    assert steps == 6  # whole pages; with the last part it knows that there is no more
    assert woken == []  # no work for those who open rollbacks or write to Slack


async def test_between_pages_of_alerts_that_mean_nobody_the_door_has_most_of_the_time(
    scene: Scene,
) -> None:
    seconds = iter(range(1000))
    rests: list[float] = []

    async def rest(for_s: float) -> None:
        rests.append(for_s)

    unknown = [a_firing(where=None, fingerprint=f"{n:04x}", labels={}) for n in range(500)]
    await arrive(scene, *unknown)
    worker = TakeIn(
        scene.store,
        CHANNELS,
        meaning=lambda _: None,
        nudge=lambda: None,
        monotonic=lambda: next(seconds) / 100,
        rest=rest,
    )

    while await worker.step():
        pass

    assert len(rests) == 2  # after whole pages; nobody waits after the last
    assert all(0.05 < one <= 0.5 for one in rests)


async def test_whoever_goes_on_with_a_case_is_woken_when_its_alerts_are_in_it(scene: Scene) -> None:
    await arrive(scene, a_firing())
    found: list[int] = []
    worker = a_worker(scene, nudge=lambda: found.append(1))

    await worker.step()

    assert found == [1]
    assert len(await cases(scene)) == 1


async def test_another_alert_of_a_case_without_a_rollback_makes_it_due_again(scene: Scene) -> None:
    await arrive(scene, a_firing())
    await take_in(scene)
    (before,) = await cases(scene)

    await arrive(scene, a_firing(fingerprint="f2"), digest="d2")
    await take_in(scene)

    (case,) = await cases(scene)
    assert case.revision > before.revision
    assert len(await of_case(scene, case)) == 2


async def test_another_alert_of_a_case_with_a_rollback_is_said_and_suggests_nothing_new(
    scene: Scene,
) -> None:
    pending = await a_pending(scene.store)
    await arrive(scene, a_firing(labels={"alertname": "TooSlow"}))

    await take_in(scene)
    await scene.tell()

    case = await scene.case(pending)
    assert case.assess_at is None
    assert [r.note.code for r in scene.messenger.replies] == ["alert_added"]
    assert scene.messenger.replies[0].note.facts["alertname"] == "TooSlow"
    assert [alert.name for alert in scene.messenger.drawn[-1].alerts] == ["TooSlow"]


async def test_an_alert_that_is_over_is_said_once_and_the_card_shows_it(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await arrive(scene, a_firing())
    await take_in(scene)

    for n in range(2):
        await arrive(scene, resolved(), digest=f"r{n}")
        await take_in(scene)
    await scene.tell()

    assert scene.messenger.codes == ["alert_added", "alert_resolved"]
    (alert,) = scene.messenger.drawn[-1].alerts
    assert not alert.firing
    assert (await scene.rollback(pending)).open


async def test_the_same_alert_later_is_another_firing_of_the_same_case(scene: Scene) -> None:
    await arrive(scene, a_firing())
    await take_in(scene)
    await arrive(scene, resolved(), digest="r1")
    await take_in(scene)

    await arrive(scene, a_firing(starts_at=NOON), digest="d2")
    await take_in(scene)

    (case,) = await cases(scene)
    assert len(await of_case(scene, case)) == 2


async def test_an_app_whose_alerts_cannot_be_taken_in_does_not_hold_up_others(
    scene: Scene,
) -> None:
    await arrive(scene, a_firing(starts_at=NOON - timedelta(days=1)))
    await arrive(scene, a_firing(fingerprint="f2", where=STAGING), digest="d2")
    broken = {PROD: None, STAGING: "C0STAGING"}  # a channel that no case can be stored with

    with pytest.raises(StoreError):
        await take_in(scene, broken)  # type: ignore[arg-type]

    assert [case.where for case in await cases(scene)] == [STAGING]


async def test_a_storm_of_one_alert_is_one_sentence_when_it_begins_and_one_when_it_ends(
    scene: Scene,
) -> None:
    await a_pending(scene.store)
    storm = [a_firing(fingerprint=f"f{n}") for n in range(3)]
    await arrive(scene, *storm)
    await take_in(scene)

    for n in range(3):
        await arrive(scene, resolved(fingerprint=f"f{n}"), digest=f"r{n}")
        await take_in(scene)
        await scene.tell()
        assert scene.messenger.codes[1:] == ([] if n < 2 else ["alert_resolved"])

    assert [alert.firing for alert in scene.messenger.drawn[-1].alerts] == [False] * 3


@pytest.mark.parametrize("late", [False, True])
async def test_an_alert_that_begins_again_has_ended_though_nobody_says_so(
    scene: Scene, late: bool
) -> None:
    """Alertmanager tells of an alert as it is by then, and two of them in any order."""
    first, again = a_firing(), a_firing(starts_at=NOON + timedelta(minutes=3))
    for number, firing in enumerate((again, first) if late else (first, again)):
        await arrive(scene, firing, digest=f"d{number}")
        await take_in(scene)
    (case,) = await cases(scene)
    async with scene.store.read() as tx:
        old, new = await tx.alerts.of_case(case.id)

    assert (old.status, old.ends_at) == (FiringStatus.RESOLVED, again.starts_at)
    assert new.status is FiringStatus.FIRING

    over = resolved(starts_at=again.starts_at)
    await arrive(scene, over, digest="d2")
    await take_in(scene)
    async with scene.store.read() as tx:
        assert not [f for f in await tx.alerts.of_case(case.id) if f.status != over.status]


async def test_an_alert_that_began_again_and_is_over_when_we_hear_of_it_is_over(
    scene: Scene,
) -> None:
    await arrive(scene, a_firing())
    await take_in(scene)
    (case,) = await cases(scene)

    await arrive(scene, resolved(starts_at=NOON + timedelta(minutes=3)), digest="d2")
    await take_in(scene)

    async with scene.store.read() as tx:
        (old,) = await tx.alerts.of_case(case.id)
    assert old.status is FiringStatus.RESOLVED
