"""What people answered before stands on the next card for the same app and alert."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.verdict.feedback import KEPT
from bot.domain.verdict.incident import Heard
from bot.domain.words import OutcomeCode
from bot.ports.store import Store
from bot.render import card
from bot.services.looking.heard import heard
from bot.services.take_in import TakeIn
from store.records import AppEnv, Case, Delivery, Json, Rollback, State
from tests.arriving import delivered
from tests.builders import ALICE, NOON, PROD, a_firing
from tests.cards import everything
from tests.unit.services.execution_scene import APP, BAD, EDIT, GOOD, ExecutionScene
from tests.unit.services.scene import ENTRY

ERRORS = "HighErrorRate"
HOSTILE = "<!channel> *provider* was down <https://evil.example|here>"


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def fire(scene: ExecutionScene, at: datetime, name: str = ERRORS) -> Case:
    """An alert fires *at* a time, and Keyturn looks at it."""
    firing = a_firing(starts_at=at, labels={"alertname": name}, fingerprint=f"{name}{at}")
    delivery = Delivery("alertmanager", "keyturn", "group", f"{name}{at}", 0, (firing,))
    await delivered(scene.store, delivery)
    while await TakeIn(
        scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None
    ).step():
        pass
    await scene.propose.step()
    async with scene.store.read() as tx:
        (case,) = await tx.cases.open_cases()
    return case


async def rejected(scene: ExecutionScene, reason: str = HOSTILE) -> Rollback:
    """What was suggested at noon, and what alice said to it."""
    scene.publish(GOOD, BAD)
    case = await fire(scene, NOON)
    async with scene.store.read() as tx:
        assert case.rollback_id is not None
        rollback = await tx.rollbacks.get(case.rollback_id)
    await scene.tell()
    await scene.reject(ALICE, rollback, reason)
    await scene.judge()
    return await scene.rollback(rollback)


async def the_next(scene: ExecutionScene, name: str = ERRORS) -> Case:
    """Another publish some days later, and an alert a minute after it."""
    async with scene.store.read() as tx:
        at = await tx.now() + timedelta(days=2)
    scene.target.publish_document(APP, EDIT, at=at - timedelta(minutes=1))
    return await fire(scene, at, name)


def evidence(case: Case) -> list[Json]:
    assert case.finding is not None
    return [one for one in case.finding.facts["reasons"] if one["code"] == "rejected_here"]


async def remembered(
    scene: ExecutionScene, where: AppEnv = PROD, alert: str = ERRORS, *, later: timedelta
) -> Heard:
    async with scene.store.read() as tx:
        return await heard(tx, where, alert, now=await tx.now() + later)


async def test_the_next_card_says_that_it_was_rejected_before_and_is_less_sure(
    scene: ExecutionScene,
) -> None:
    await rejected(scene)

    case = await the_next(scene)

    told = {"alert": ERRORS, "rejected": 1, "count": 1, "reason": HOSTILE}
    assert evidence(case) == [{"code": "rejected_here", **told}]
    await scene.tell()
    shown = everything(card(scene.messenger.drawn[-1]))
    assert "Evidence: Suggestions for `HighErrorRate` here were rejected 1 of 1 time; " in shown
    assert "<!channel>" not in shown
    assert "*provider*" not in shown


async def test_the_next_card_of_another_alert_says_nothing_of_it(scene: ExecutionScene) -> None:
    await rejected(scene)

    assert evidence(await the_next(scene, "SlowAnswers")) == []


async def test_answers_count_for_their_app_and_alert_for_ninety_days(scene: ExecutionScene) -> None:
    await rejected(scene, "not us")
    day = timedelta(days=1)

    assert await remembered(scene, later=day) == Heard(0, 1, "not us")
    assert await remembered(scene, later=KEPT + day) == Heard()
    assert await remembered(scene, later=-day) == Heard()
    assert await remembered(scene, alert="SlowAnswers", later=day) == Heard()
    assert await remembered(scene, AppEnv("billing", "prod"), later=day) == Heard()


async def test_what_was_carried_out_counts_for_us(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    case = await fire(scene, NOON)
    async with scene.store.write() as tx:
        assert case.rollback_id is not None
        open_one = await tx.rollbacks.get(case.rollback_id)
        after = replace(
            open_one.moved(State.SUPERSEDED),
            outcome=OutcomeCode.ALREADY_LIVE,
            finished_at=await tx.now(),
        )
        await tx.rollbacks.save(after, was=open_one.revision, entry=ENTRY)

    assert await remembered(scene, later=timedelta(days=1)) == Heard(accepted=1)


async def test_what_a_person_asked_for_is_no_suggestion_of_ours(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    asked = await scene.asked(1)
    await scene.tell()
    await scene.reject(ALICE, asked, "no")
    await scene.judge()

    assert (await scene.rollback(asked)).state is State.REJECTED
    assert await remembered(scene, later=timedelta(days=1)) == Heard()
