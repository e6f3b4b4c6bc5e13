"""Suggestions are paused and made again by a word; alerts still get their cards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.policy import Policy
from bot.domain.words import FindingCode
from bot.errors import NotAllowed, PauseTooLong
from bot.ports.store import Store
from store.records import AppEnv, Case
from tests.builders import ALICE, BOB, CHANNEL, DAVE, PROD
from tests.unit.services.execution_scene import BAD, GOOD, ExecutionScene
from tests.unit.services.scene import Scene, a_history, a_pending
from tests.unit.services.test_decide_commands import said
from tests.unit.services.test_propose import fire, opened

BILLING = AppEnv("billing", "prod")


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


@pytest.fixture
def incident(sqlite_store: Store) -> ExecutionScene:
    scene = ExecutionScene.of(sqlite_store)
    scene.publish(GOOD, BAD)
    return scene


async def the_case(scene: Scene) -> Case:
    async with scene.store.read() as tx:
        (case,) = await tx.cases.open_cases()
        return case


# -- by a word ------------------------------------------------------------------------------------


async def test_who_may_ask_pauses_with_a_reason_and_everybody_there_is_told(scene: Scene) -> None:
    await a_history(scene.store)

    answer = await said(scene, DAVE, "pause support-triage@prod 2h moving the gateway")

    assert (answer["code"], answer["where"]) == ("you_paused", str(PROD))
    async with scene.store.read() as tx:
        paused, now = await tx.suggestions.paused(PROD), await tx.now()
    assert paused is not None
    assert (paused.slack_id, paused.reason) == (DAVE, "moving the gateway")
    assert timedelta(hours=1, minutes=59) < paused.until - now <= timedelta(hours=2)
    (entry,) = await scene.entries("suggestions.")
    assert (entry.action, entry.resource) == ("suggestions.pause", f"app/{PROD}")
    assert entry.what["until"] == paused.until.isoformat()
    (notice,) = scene.messenger.replies
    assert (notice.channel, notice.ts, notice.note.code) == (CHANNEL, "", "suggestions_off")


async def test_without_a_time_it_lasts_four_hours(scene: Scene) -> None:
    await a_history(scene.store)

    await said(scene, DAVE, "pause support-triage@prod the gateway is moved")

    async with scene.store.read() as tx:
        paused, now = await tx.suggestions.paused(PROD), await tx.now()
    assert paused is not None
    assert timedelta(hours=3, minutes=59) < paused.until - now <= timedelta(hours=4)


async def test_without_an_app_it_is_all_that_one_may_ask_for(scene: Scene) -> None:
    for where in (PROD, BILLING):
        await a_history(scene.store, where)

    answer = await said(scene, DAVE, "pause 30m")
    back = await said(scene, DAVE, "resume")

    assert (answer["where"], answer["count"]) == ("", 2)
    assert (back["code"], back["count"]) == ("you_resumed", 2)
    actions = [(entry.action, entry.resource) for entry in await scene.entries("suggestions.")]
    assert actions == [
        (action, f"app/{where}")
        for action in ("suggestions.pause", "suggestions.resume")
        for where in (BILLING, PROD)
    ]


@pytest.mark.parametrize("text", ["pause support-triage@prod 2h", "pause 2h"])
async def test_who_may_only_look_pauses_nothing_and_that_is_recorded(
    scene: Scene, text: str
) -> None:
    await a_history(scene.store)
    looks = Policy(reviewers=(ALICE,), requesters=(DAVE,), viewers=(BOB,), named=True)

    await scene.command(BOB, text)
    await scene.judge(policy_of=lambda _: looks)
    await scene.tell()

    assert scene.told()[-1][1:] == ("refused", NotAllowed("").to_person())
    async with scene.store.read() as tx:
        assert await tx.suggestions.paused(PROD) is None
    (entry,) = await scene.entries("suggestions.")
    assert entry.status == "refused"


async def test_nobody_pauses_for_longer_than_a_week(scene: Scene) -> None:
    await a_history(scene.store)

    answer = await said(scene, DAVE, "pause support-triage@prod 8d")

    assert answer["text"] == PauseTooLong("").to_person()


async def test_what_is_not_paused_is_not_resumed(scene: Scene) -> None:
    await a_history(scene.store)

    answer = await said(scene, DAVE, "resume support-triage@prod")

    assert (answer["count"], await scene.entries("suggestions.")) == (0, [])


async def test_status_says_that_suggestions_are_paused(scene: Scene) -> None:
    await a_history(scene.store)
    await said(scene, DAVE, "pause support-triage@prod 2h")

    (row,) = (await said(scene, ALICE, "status"))["rows"]

    assert row["paused_by"] == DAVE
    assert row["paused_until"]


# -- an alert comes -------------------------------------------------------------------------------


async def test_a_paused_app_gets_its_card_with_the_facts_and_nothing_to_approve(
    incident: ExecutionScene,
) -> None:
    await said(incident, DAVE, "pause support-triage@prod 2h moving the gateway")
    await fire(incident)

    await incident.propose.step()
    await incident.tell()

    case = await the_case(incident)
    assert case.finding is not None
    assert case.finding.code == FindingCode.SUGGESTIONS_PAUSED
    facts = case.finding.facts
    assert (facts["slack_id"], facts["reason"]) == (DAVE, "moving the gateway")
    assert (facts["suspect"], facts["candidate"]) == (2, 1)
    assert facts["reasons"]  # nothing of what was found out is dropped
    assert await opened(incident) is None
    card = incident.messenger.drawn[-1]
    assert [button.action for button in card.buttons] == ["another"]
    assert card.alerts
    assert case.assess_at is not None


async def test_with_the_end_of_the_pause_it_is_suggested(incident: ExecutionScene) -> None:
    await said(incident, DAVE, "pause support-triage@prod 2h")
    await fire(incident)
    await incident.propose.step()
    assert await opened(incident) is None

    await said(incident, DAVE, "resume support-triage@prod")
    await incident.propose.step()

    assert await opened(incident) is not None


async def test_a_pause_keeps_nobody_from_asking(incident: ExecutionScene) -> None:
    await said(incident, DAVE, "pause support-triage@prod 2h")
    await incident.snapshot.refresh(PROD)

    await incident.command(DAVE, "to support-triage@prod 1")
    await incident.judge(ask=incident.propose.requested)

    assert await opened(incident) is not None


# -- the audit chain by a word --------------------------------------------------------------------


async def test_audit_tells_the_newest_entries_of_the_app_with_their_short_hashes(
    scene: Scene,
) -> None:
    pending = await a_pending(scene.store)
    await scene.tell()
    await scene.approve(ALICE, pending)
    await scene.judge()
    await scene.tell()

    answer = await said(scene, ALICE, "audit support-triage@prod")

    newest = answer["rows"][0]
    (vote,) = await scene.entries("vote.")
    assert (newest["seq"], newest["hash"]) == (vote.seq, vote.hash[:10])
    assert (newest["who"], newest["action"], newest["status"]) == (ALICE, "vote.approve", "ok")
    assert newest["resource"] == f"rollback/{pending.id}"
    assert (answer["page"], answer["pages"], answer["changed"]) == (1, 1, False)
    async with scene.store.read() as tx:
        seq, head = await tx.audit.head()
    assert (answer["head_seq"], answer["head"]) == (seq, head[:10])


async def test_audit_comes_in_pages(scene: Scene) -> None:
    for _ in range(5):
        await said(scene, DAVE, "pause support-triage@prod")
        await said(scene, DAVE, "resume support-triage@prod")

    first = await said(scene, ALICE, "audit support-triage@prod")
    second = await said(scene, ALICE, "audit support-triage@prod 2")
    third = await said(scene, ALICE, "audit support-triage@prod page 3")

    assert [len(page["rows"]) for page in (first, second)] == [8, 2]
    assert "`/rollback audit support-triage@prod 2`" in third["text"]


async def test_audit_is_for_those_who_may_see_the_app(scene: Scene) -> None:
    await a_history(scene.store)
    others = Policy(reviewers=(ALICE,), named=True)

    await scene.command(DAVE, "audit support-triage@prod")
    await scene.judge(policy_of=lambda _: others)
    await scene.tell()

    assert "I do not know" in scene.told()[-1][2]
    (entry,) = await scene.entries("audit.")
    assert entry.status == "refused"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("audti support-triage@prod", "audit support-triage@prod"),
        ("puase support-triage@prod", "pause support-triage@prod 2h REASON"),
        ("resmue support-triage@prod", "resume support-triage@prod"),
        ("pause support-triage", "pause support-triage@prod 2h REASON"),
        ("pause the gateway is moved", "pause support-triage@prod 2h REASON"),
        ("resume support-triage", "resume support-triage@prod"),
        ("audit support-triage@prod x", "audit support-triage@prod"),
    ],
)
async def test_what_is_mistyped_is_answered_with_what_was_meant(
    scene: Scene, typed: str, meant: str
) -> None:
    await a_history(scene.store)

    answer = await said(scene, ALICE, typed)

    assert f"`/rollback {meant}`" in answer["text"]
    assert await scene.entries("suggestions.") == []


async def test_a_mistyped_app_is_answered_with_the_nearest_one(scene: Scene) -> None:
    await a_history(scene.store)

    for verb in ("audit", "pause", "resume"):
        answer = await said(scene, ALICE, f"{verb} suport-triage@prod")
        assert f"Did you mean `{PROD}`?" in answer["text"], verb


async def test_a_shorter_pause_is_looked_at_when_that_is_over(incident: ExecutionScene) -> None:
    await said(incident, DAVE, "pause support-triage@prod 6d")
    await fire(incident)
    await incident.propose.step()
    await said(incident, DAVE, "pause support-triage@prod 1m")
    await incident.propose.step()

    case = await the_case(incident)
    async with incident.store.read() as tx:
        now = await tx.now()
    assert case.assess_at is not None
    assert case.assess_at - now <= timedelta(minutes=1)
