"""What the store remembers of suggestions, and what is decided of them again."""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.verdict.decide import Verdict
from bot.domain.verdict.feedback import Answer
from bot.domain.words import OutcomeCode
from bot.ports.store import Store
from bot.services.looking.gather import Gather
from bot.services.looking.looking_back import Again, LookingBack, Past
from bot.services.opening.ground import Ground
from bot.services.take_in import TakeIn
from store.records import Delivery, FiringStatus, Rollback, State
from tests.arriving import delivered
from tests.builders import ALICE, NOON, PROD, a_firing
from tests.forks.process import run
from tests.unit.services.execution_scene import APP, BAD, EDIT, GOOD, ExecutionScene
from tests.unit.services.scene import ENTRY

ROOT = Path(__file__).parents[3]
LONG_AGO = NOON - timedelta(days=1)


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def fire(scene: ExecutionScene, name: str = "HighErrorRate", at: datetime = NOON) -> None:
    """An alert fires at noon, and Keyturn looks at it."""
    firing = a_firing(starts_at=at, labels={"alertname": name}, fingerprint=name)
    await delivered(scene.store, Delivery("alertmanager", "keyturn", "group", name, 0, (firing,)))
    await TakeIn(scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None).step()
    await scene.propose.step()


async def suggested(scene: ExecutionScene) -> Rollback:
    """What Keyturn suggested after a bad publish."""
    scene.publish(EDIT, GOOD, BAD)
    await fire(scene)
    async with scene.store.read() as tx:
        found = await tx.rollbacks.open_of(PROD)
    assert found is not None
    return found


async def ends(scene: ExecutionScene, rollback: Rollback, state: State, outcome: str) -> None:
    async with scene.store.write() as tx:
        now = await tx.now()
        after = replace(rollback.moved(state), outcome=outcome, finished_at=now)
        await tx.rollbacks.save(after, was=rollback.revision, entry=ENTRY)


def looking(scene: ExecutionScene) -> LookingBack:
    return LookingBack(scene.store, scene.rules)


async def past(scene: ExecutionScene) -> list[Past]:
    return await looking(scene).past(since=LONG_AGO)


async def again(scene: ExecutionScene) -> Again:
    (only,) = await past(scene)
    return await looking(scene).decide_again(only)


async def test_a_rejection_is_told_with_its_reason_and_the_alert(scene: ExecutionScene) -> None:
    rollback = await suggested(scene)
    assert await past(scene) == []
    await scene.tell()
    await scene.reject(ALICE, rollback, "provider was down")
    await scene.judge()

    (found,) = await past(scene)

    answered = found.answered
    assert (answered.where, answered.alert) == (PROD, "HighErrorRate")
    assert (answered.answer, answered.reason) == (Answer.REJECTED, "provider was down")
    assert (found.suggested and found.suggested.number, found.picked) == (2, None)
    assert await looking(scene).past(since=rollback.opened_at + timedelta(hours=1)) == []


async def test_the_command_tells_the_counts_the_reason_and_what_would_be_said_today(
    scene: ExecutionScene, tmp_path: Path
) -> None:
    rollback = await suggested(scene)
    await scene.tell()
    await scene.reject(ALICE, rollback, "[red]provider\x1b[2J was down")
    await scene.judge()

    told = await asyncio.to_thread(replay, tmp_path)
    counted = json.loads(await asyncio.to_thread(replay, tmp_path, "--json"))

    assert re.search(r"(?m)^support-triage@prod +0 +1 +0 +0 +0 +0 +0/1 +0 to 79 %$", told)
    assert re.search(r"(?m)^HighErrorRate +0 +1 ", told)
    assert "support-triage@prod rejected: [red]provider" in told
    assert "\x1b" not in told
    assert "(what was measured is not stored): 0 of 1 otherwise." in told
    assert (counted["rejected"], counted["share"], counted["interval"][0]) == (1, 0.0, 0.0)
    assert counted["by_alert"]["HighErrorRate"]["rejected"] == 1
    assert counted["reasons"][0]["reason"].startswith("[red]provider")
    (case,) = counted["today"]["cases"]
    assert (case["suggested"], case["today"]) == ("support-triage@prod v2",) * 2


def replay(folder: Path, *words: str) -> str:
    """What the command says of the database in *folder*."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"sqlite:///{folder / 'keyturn.db'}",
    }
    command = ("bot", "replay", "--from-store", *words)
    told = run(*command, env=env, cwd=folder, within_s=60.0)
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout


async def test_who_asks_for_another_version_instead_picked_that_one(scene: ExecutionScene) -> None:
    await suggested(scene)
    await scene.asked(1)

    (found,) = await past(scene)

    assert found.answered.answer is Answer.OTHER_VERSION
    assert (found.suggested and found.suggested.number) == 2
    assert (found.picked and found.picked.number) == 1


async def test_who_publishes_it_by_hand_after_it_expired_accepted_it(scene: ExecutionScene) -> None:
    rollback = await suggested(scene)
    await ends(scene, rollback, State.EXPIRED, OutcomeCode.EXPIRED)
    assert [one.answered.answer for one in await past(scene)] == [Answer.EXPIRED]
    async with scene.store.read() as tx:
        scene.target.publish_document(APP, GOOD, at=await tx.now())
    await scene.snapshot.refresh(PROD)

    assert [one.answered.answer for one in await past(scene)] == [Answer.ACCEPTED]


async def test_a_silence_after_which_somebody_asked_was_a_miss(scene: ExecutionScene) -> None:
    scene.target.publish_document(APP, GOOD, at=NOON - timedelta(days=9))
    scene.target.publish_document(APP, BAD, at=NOON - timedelta(days=8))
    await fire(scene)
    assert await past(scene) == []
    await scene.asked(1)

    (found,) = await past(scene)

    assert (found.answered.answer, found.suggested) == (Answer.MISSED, None)
    assert (found.picked and found.picked.number) == 1


async def test_who_asks_without_an_alert_says_nothing_of_suggestions(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    await scene.asked(1)

    assert await past(scene) == []


async def test_the_same_rules_decide_the_same_again(scene: ExecutionScene) -> None:
    await ends(scene, await suggested(scene), State.EXPIRED, OutcomeCode.EXPIRED)

    found = await again(scene)

    assert found.decision is not None
    assert (found.decision.verdict, found.otherwise) == (Verdict.GO_BACK, False)


async def test_stricter_rules_decide_otherwise(scene: ExecutionScene) -> None:
    await ends(scene, await suggested(scene), State.EXPIRED, OutcomeCode.EXPIRED)
    (only,) = await past(scene)
    strict = replace(scene.rules.thresholds, sure_by_time=0.999)

    found = await LookingBack(scene.store, replace(scene.rules, thresholds=strict)).decide_again(
        only
    )

    assert found.decision is not None
    assert (found.decision.suggested, found.otherwise) == (None, True)


async def test_what_was_published_and_condemned_later_is_not_known_again(
    scene: ExecutionScene,
) -> None:
    rollback = await suggested(scene)
    await ends(scene, rollback, State.EXPIRED, OutcomeCode.EXPIRED)
    scene.publish_by_hand(EDIT)
    await scene.snapshot.refresh(PROD)
    async with scene.store.write() as tx:
        good = await tx.versions.get(rollback.leg.to_version_id)
        await tx.versions.condemn(PROD, good.meaning, rollback_id=None, entry=ENTRY)

    found = await again(scene)

    assert found.decision is not None
    assert found.decision.suggested is not None
    assert (found.decision.suggested.number, found.otherwise) == (2, False)


async def test_as_of_then_an_alert_that_ended_later_still_fires_and_later_ones_are_unknown(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene, "Later", NOON + timedelta(minutes=9))
    ended = a_firing(
        starts_at=NOON, status=FiringStatus.RESOLVED, ends_at=NOON + timedelta(minutes=5)
    )
    async with scene.store.write() as tx:
        await tx.alerts.take(Delivery("alertmanager", "keyturn", "group", "e", 0, (ended,)))
        history = await tx.versions.history(PROD)
    ground = Ground(history[0], history, frozenset())
    gather = Gather(scene.store, scene.rules, look_back=None)

    ends = []
    for minutes in (1, 6):
        at = NOON + timedelta(minutes=minutes)
        incident, _ = await gather(ground, ended, unsound=frozenset(), at=at)
        assert incident.decided_at == at
        assert [alert.starts_at for alert in incident.alerts] == [NOON]
        ends += [incident.alert.ends_at, incident.alerts[0].ends_at]

    assert ends == [None, None, ended.ends_at, ended.ends_at]
