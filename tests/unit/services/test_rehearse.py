"""A dry run: everything of a rollback but the write, and what stands on the card of a real one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot import catalogues
from bot.domain.dry_run import Severity
from bot.domain.policy import Policy
from bot.domain.references import Kind, Needed
from bot.domain.rehearsal import Draft, Rehearsal, Verdict
from bot.domain.rehearsal_told import as_json, lines
from bot.domain.windows import windows
from bot.errors import UnknownVersion, UpstreamDown
from bot.language import CHINESE
from bot.ports.store import Store
from bot.services.opening.opening import Opening
from store.document import Document
from store.records import PauseOrigin, State
from tests.builders import ALICE, BOB, DAVE, PROD, REVIEWERS
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    KEY,
    OTHER_KEY,
    WIP,
    WRITES,
    ExecutionScene,
    a_secretive,
)
from tests.unit.services.scene import ENTRY

MODEL = Needed(Kind.MODEL, "gpt-4o", "openai", "llm")
EMPTY = Document("workflow", {"graph": {"nodes": [], "edges": []}, "features": {}})


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    scene = ExecutionScene.of(sqlite_store)
    scene.target.has = {MODEL}
    return scene


async def played(scene: ExecutionScene, number: int = 1) -> Rehearsal:
    """A dry run, which opens nothing and writes nothing."""
    async with scene.store.read() as tx:
        before = await tx.rollbacks.newest()
    made = await scene.propose.rehearsed(PROD, number)
    async with scene.store.read() as tx:
        assert await tx.rollbacks.newest() == before
    assert not set(scene.target.calls) & set(WRITES)
    return made


def codes(made: Rehearsal) -> list[str]:
    """What would refuse it."""
    return [hitch.what for hitch in made.hitches if hitch.severity is Severity.BLOCKS]


# -- on the card ----------------------------------------------------------------------------------


async def card_of(scene: ExecutionScene) -> tuple[str, bool]:
    await scene.tell()
    card = scene.messenger.drawn[-1]
    return card.dry_run, card.dry_run_warns


async def test_the_card_says_that_nothing_is_missing(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)

    await scene.asked(1)

    assert await card_of(scene) == ("Dry run: nothing is missing", False)


async def test_what_is_missing_stands_on_the_card_in_the_thread_and_in_the_record(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    scene.target.has = set()

    await scene.asked(1)

    assert await card_of(scene) == (
        "Dry run: 1 thing is missing in prod: model gpt-4o (node Answer)",
        True,
    )
    (snippet,) = scene.messenger.files
    assert snippet.text.startswith(
        "Dry run in prod:\n  missing: model gpt-4o of openai (node Answer)\n\n"
    )
    (entry,) = await scene.entries("rollback.open")
    assert entry.what["missing"] == ["model gpt-4o"]


async def test_a_target_that_cannot_tell_holds_nothing_up_and_is_not_believed_to_lack_anything(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    scene.target.fail("look_up", UpstreamDown("dify.test", "no answer"))

    rollback = await scene.asked(1)

    assert rollback.state is State.PENDING_APPROVAL
    assert await card_of(scene) == (
        "Dry run: could not be checked: models (no answer)",
        True,
    )


async def test_a_look_that_takes_too_long_is_given_up(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)

    async def hang() -> None:
        await asyncio.Event().wait()

    scene.target.before("look_up", hang)
    opening = Opening(
        scene.store, scene._there, scene.rules, nonce=str, look_up=timedelta(milliseconds=5)
    )

    (hitch,) = await opening.legs.hitches(PROD, GOOD)

    assert (hitch.severity, hitch.why) == (Severity.UNKNOWN, "late")


async def test_what_is_missing_voids_no_vote_and_stops_nothing(scene: ExecutionScene) -> None:
    approved = await scene.approved(draft=None)
    scene.target.has = set()

    assert (await scene.run(approved)).state is State.COMPLETED


# -- the dry run itself ---------------------------------------------------------------------------


async def test_a_rollback_that_would_go_through_is_told_step_by_step(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    scene.target.save_draft(APP, WIP, by="carol")

    made = await played(scene)

    assert (made.verdict, made.draft, made.draft_author) == (Verdict.CLEAR, Draft.WORK, "carol")
    assert (made.live.number, made.candidate.number) == (2, 1)
    assert made.expected_root == GOOD.root
    text = "\n".join(lines(made))
    assert text.startswith("Dry run: nothing is missing\nDifference to live, 1 change: ")
    assert "1. wait for 2 approvals\n2. keep the editors' draft" in text
    assert "unpublished work of carol" in text
    assert f"its root has to be {GOOD.root[:12]}…\n6. put the editors' draft back" in text
    assert as_json(made)["steps"][3] == "4. publish the draft under the name rollback-…"


async def test_a_draft_as_live_holds_no_work(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)

    assert (await played(scene)).draft is Draft.AS_LIVE


async def test_what_is_missing_is_no_refusal(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    scene.target.has = set()

    made = await played(scene)

    assert (made.verdict, codes(made)) == (Verdict.MISSING, [])
    assert as_json(made)["findings"] == [
        {
            "severity": "warns",
            "what": "model",
            "name": "gpt-4o",
            "provider": "openai",
            "nodes": ["Answer"],
            "why": "",
        }
    ]


async def test_what_is_unknown_is_neither(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    scene.target.fail("look_up", UpstreamDown("dify.test", "no answer"))

    assert (await played(scene)).verdict is Verdict.UNKNOWN


async def test_a_version_without_nodes_would_be_refused(scene: ExecutionScene) -> None:
    scene.publish(EMPTY, BAD)

    made = await played(scene)

    assert codes(made) == ["empty_version"]
    text = "\n".join(lines(made))
    assert text.startswith("It would be refused: That version has no nodes")
    assert "wait for" not in text


async def test_what_is_live_already_would_be_refused(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)

    assert codes(await played(scene, 2)) == ["nothing_to_do"]


async def test_secrets_that_nobody_has_any_more_would_refuse_it(scene: ExecutionScene) -> None:
    scene.publish(a_secretive("Kindly.", KEY, OTHER_KEY), a_secretive("Wrongly.", KEY))
    await scene.snapshot.refresh(PROD)
    scene.target.delete_version(APP, (await scene.history())[0].external_id)

    made = await played(scene)

    assert codes(made) == ["secrets_gone"]
    assert "`" not in made.hitches[0].why


async def test_secrets_that_only_the_draft_has_would_be_sealed(scene: ExecutionScene) -> None:
    good, bad = a_secretive("Kindly.", KEY), a_secretive("Wrongly.", KEY)
    scene.publish(good, bad, secrets=[{KEY: "one"}, {KEY: "one"}])
    scene.target.save_draft(APP, bad, secrets={KEY: "another"})

    made = await played(scene)

    assert codes(made) == []
    assert made.sealed == ("SECRET_3",)
    assert any("seal the values that only the draft has: SECRET_3" in s for s in lines(made))
    assert "another" not in repr(made)


async def test_a_draft_whose_secrets_cannot_be_told_apart_would_end_it(
    scene: ExecutionScene,
) -> None:
    good, bad = a_secretive("Kindly.", KEY), a_secretive("Wrongly.", KEY)
    scene.publish(good, bad, secrets=[{KEY: "sk-live-1"}, {KEY: "sk-live-1"}])
    scene.target.hides_old_secrets = True
    scene.target.save_draft(APP, bad, secrets={KEY: "sk-another-one"})

    made = await played(scene)

    assert codes(made) == ["draft_has_secrets"]
    assert "SECRET_3" in made.hitches[0].why


async def test_the_secrets_in_force_are_named(scene: ExecutionScene) -> None:
    scene.publish(a_secretive("Kindly.", KEY, OTHER_KEY), a_secretive("Wrongly.", KEY))

    told = lines(await played(scene))

    assert "Secrets that keep live's value: SECRET_3" in told
    assert "Secrets that take the version's own value: SECRET_8" in told


async def test_a_freeze_would_refuse_it(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    freeze = windows(["00:00-24:00"], ZoneInfo("UTC"))
    scene.policies["prod"] = Policy(reviewers=(REVIEWERS,), freeze=freeze, named=True)

    assert codes(await played(scene)) == ["frozen"]


async def test_a_pause_would_refuse_it(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    await pause(scene)

    assert codes(await played(scene)) == ["keyturn_paused"]


async def pause(scene: ExecutionScene) -> None:
    async with scene.store.write() as tx:
        await tx.pause.mark(PauseOrigin.PERSON, "a test", entry=ENTRY)


async def test_a_rollback_that_is_voted_on_would_be_replaced_and_one_that_runs_refuses_it(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, EDIT, BAD)
    pending = await scene.asked(2)

    made = await played(scene)

    assert (made.replaces, codes(made)) == (2, [])
    for who in (ALICE, BOB):
        await scene.vote(who, pending)
    made = await played(scene)
    assert (made.replaces, codes(made)) == (None, ["rollback_open"])


async def test_going_to_what_was_rolled_back_takes_a_reason(scene: ExecutionScene) -> None:
    assert (await scene.run(await scene.approved(draft=None))).state is State.COMPLETED
    scene.target.calls.clear()

    made = await played(scene, 2)

    assert (made.reason_needed, made.verdict) == (True, Verdict.CLEAR)
    assert any("takes a reason" in line for line in lines(made))


async def test_an_app_without_versions_is_written_at_once(scene: ExecutionScene) -> None:
    chat = {"model": {"provider": "openai", "name": "gpt-4o"}, "pre_prompt": "Kindly."}
    scene.target.add_app(APP, mode="chat")
    scene.target.save_config(APP, chat)
    await scene.snapshot.refresh(PROD)
    scene.target.save_config(APP, {**chat, "pre_prompt": "Wrongly."})

    assert codes(await played(scene)) == ["by_hand_only"]

    scene.rolls_back_config.add(PROD)
    made = await played(scene)
    assert (made.at_once, made.verdict) == (True, Verdict.CLEAR)
    assert len(as_json(made)["steps"]) == 3


async def test_a_version_that_was_deleted_comes_from_our_store(scene: ExecutionScene) -> None:
    scene.publish(GOOD, EDIT, BAD)
    await scene.snapshot.refresh(PROD)
    scene.target.delete_version(APP, (await scene.history())[0].external_id)

    assert (await played(scene)).restored


async def test_there_is_no_dry_run_to_nowhere(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    with pytest.raises(UnknownVersion):
        await played(scene, 9)


# -- by a word ------------------------------------------------------------------------------------


async def told(scene: ExecutionScene, text: str, who: str = DAVE) -> dict[str, Any]:
    await scene.command(who, text)
    await scene.judge(
        rehearse=scene.propose.rehearsed,
        refresh=scene.snapshot.refresh,
        policy_of=lambda where: scene.policies[where.env],
    )
    await scene.tell()
    note = scene.messenger.answers[-1].note
    return {"code": note.code, **note.facts}


async def test_a_dry_run_is_asked_for_by_a_word(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    await scene.snapshot.refresh(PROD)
    scene.target.has = set()

    answer = await told(scene, f"dry-run {PROD} 1")

    assert (answer["code"], answer["verdict"]) == ("dry_run", "missing")
    assert (answer["live"], answer["number"]) == (2, 1)
    assert "  missing: model gpt-4o of openai (node Answer)" in answer["lines"]


async def test_what_would_refuse_it_is_told_in_the_language_of_who_asks(
    scene: ExecutionScene,
) -> None:
    good, bad = a_secretive("Kindly.", KEY), a_secretive("Wrongly.", KEY)
    scene.publish(good, bad, secrets=[{KEY: "sk-live-1"}, {KEY: "sk-live-1"}])
    scene.target.hides_old_secrets = True
    scene.target.save_draft(APP, bad, secrets={KEY: "sk-another-one"})
    await scene.snapshot.refresh(PROD)
    catalogues.keep()
    scene.directory.languages[DAVE] = CHINESE

    answer = await told(scene, f"dry-run {PROD} 1")

    refused = {"code": "refused", "why": "编辑者的草稿有自己的密钥值：SECRET_3"}
    assert answer["told"][0] == refused


async def test_a_tag_names_where_to_go(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    await scene.snapshot.refresh(PROD)
    await told(scene, f"tag {PROD} 1 stable", ALICE)

    assert (await told(scene, f"dry-run {PROD} stable"))["number"] == 1


async def test_an_app_that_one_may_not_see_has_no_dry_run(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    await scene.snapshot.refresh(PROD)
    scene.directory.add("U0EVE")

    assert (await told(scene, f"dry-run {PROD} 1", "U0EVE"))["code"] == "refused"
