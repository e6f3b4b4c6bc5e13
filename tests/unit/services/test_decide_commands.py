"""What people type, and who may look at a difference."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot import catalogues
from bot.domain import approval
from bot.domain.policy import Policy
from bot.errors import NotAllowed, UnknownVersion, UpstreamDown, UpstreamRefused
from bot.language import CHINESE
from bot.ports.store import Store
from store.records import AppEnv, InboxKind, Rollback
from tests.builders import ALICE, BOB, CHANNEL, DAVE, PROD
from tests.unit.services.scene import ENTRY, Scene, a_history, a_pending


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


async def said(scene: Scene, who: str, text: str) -> dict[str, Any]:
    """The facts of the one answer to what *who* typed, with its code."""
    before = len(scene.messenger.answers)
    await scene.command(who, text)
    await scene.judge()
    await scene.tell()
    (answer,) = scene.messenger.answers[before:]
    assert (answer.slack_id, answer.channel) == (who, CHANNEL)
    return {"code": answer.note.code, **answer.note.facts}


# -- help -----------------------------------------------------------------------------------------


async def test_help_needs_no_look_up(scene: Scene) -> None:
    assert await said(scene, ALICE, "help") == {"code": "help"}
    assert scene.directory.asked == 0


async def test_no_words_are_answered_by_the_dialog_alone(scene: Scene) -> None:
    await scene.command(ALICE, "")
    await scene.judge()
    await scene.tell()

    assert (scene.messenger.answers, scene.directory.asked) == ([], 0)


async def test_words_without_sense_are_answered_with_the_nearest_command_and_not_recorded(
    scene: Scene,
) -> None:
    answer = await said(scene, ALICE, "statsu")

    assert answer["code"] == "refused"
    assert "`/rollback status`" in answer["text"]
    assert await scene.entries("command") == []


async def test_a_refusal_is_in_the_language_of_who_is_refused(scene: Scene) -> None:
    catalogues.keep()
    scene.directory.languages[ALICE] = CHINESE

    assert (await said(scene, ALICE, "statsu"))["text"].startswith("无法理解该命令。")
    assert (await said(scene, BOB, "statsu"))["text"].startswith("I did not understand that.")


# -- status ---------------------------------------------------------------------------------------


async def test_status_names_what_is_live_and_links_open_rollbacks(scene: Scene) -> None:
    await a_history(scene.store, AppEnv("billing", "prod"))
    pending = await a_pending(scene.store)
    await scene.tell()

    answer = await said(scene, ALICE, "status")

    triage, billing = answer["rows"]
    assert (triage["where"], triage["number"]) == ("support-triage@prod", 2)
    assert (triage["rollback"], triage["state"]) == (pending.id, "PENDING_APPROVAL")
    assert triage["permalink"].startswith("https://")
    assert triage["published_at"] == "2026-11-24T11:00:00+00:00"
    assert (billing["where"], billing["rollback"], billing["state"], billing["permalink"]) == (
        "billing@prod",
        0,
        "",
        "",
    )


async def test_status_shows_nothing_to_people_who_may_not_see_it(scene: Scene) -> None:
    await a_history(scene.store)
    scene.directory.add("U0EVE")

    assert (await said(scene, "U0EVE", "status"))["rows"] == []


async def test_guests_get_no_status(scene: Scene) -> None:
    await a_history(scene.store)
    scene.directory.change(ALICE, guest=True)

    assert (await said(scene, ALICE, "status"))["code"] == "refused"


# -- to -------------------------------------------------------------------------------------------


async def test_to_asks_in_the_name_of_the_person(scene: Scene) -> None:
    scene.ask.opens = lambda: a_pending(scene.store, requested_by=DAVE)

    answer = await said(scene, DAVE, "to support-triage@prod 1")

    assert answer == {"code": "asked", "where": "support-triage@prod", "number": 1}
    ((where, number, by),) = scene.ask.calls
    assert (where, number, by.slack_id) == (PROD, 1, DAVE)


@pytest.mark.parametrize("error", [NotAllowed("no"), UnknownVersion("support-triage@prod", "9", 2)])
async def test_a_refused_request_is_told_and_recorded(
    scene: Scene, error: NotAllowed | UnknownVersion
) -> None:
    scene.ask.failing = [error]

    answer = await said(scene, DAVE, "to support-triage@prod 9")

    assert answer == {"code": "refused", "text": error.to_person()}
    (entry,) = await scene.entries("rollback.ask")
    assert (entry.user_id, entry.status) == (DAVE, "refused")
    assert entry.resource == "app/support-triage@prod"
    assert (entry.what["number"], entry.what["code"]) == (9, error.code)


async def test_guests_ask_for_nothing(scene: Scene) -> None:
    scene.directory.change(DAVE, guest=True)

    assert (await said(scene, DAVE, "to support-triage@prod 1"))["code"] == "refused"
    assert scene.ask.calls == []
    (entry,) = await scene.entries("rollback.ask")
    assert entry.what["code"] == "not_eligible:guest"


async def test_people_of_other_organisations_are_only_counted(scene: Scene) -> None:
    assert (await said(scene, "U0NOBODY", "to support-triage@prod 1"))["code"] == "refused"
    assert await scene.entries("rollback.ask") == []
    assert scene.ask.calls == []


async def test_while_the_target_is_down_the_person_is_told_once_and_it_is_tried_again(
    scene: Scene,
) -> None:
    scene.ask.failing = [UpstreamDown("dify", "no answer"), UpstreamDown("dify", "no answer")]
    scene.ask.opens = lambda: a_pending(scene.store, requested_by=DAVE)
    await scene.command(DAVE, "to support-triage@prod 1")

    await scene.judge()
    await scene.tell()

    assert len(scene.ask.calls) == 3
    assert [code for _, code, _ in scene.told()] == ["refused", "asked"]


async def test_what_the_target_refuses_has_failed_and_is_not_tried_again(scene: Scene) -> None:
    scene.ask.failing = [UpstreamRefused("dify", "no such app")]

    answer = await said(scene, DAVE, "to support-triage@prod 1")

    assert (answer["code"], len(scene.ask.calls)) == ("refused", 1)
    (entry,) = await scene.entries("rollback.ask")
    assert entry.status == "failed"


async def test_a_command_that_had_opened_its_rollback_before_a_crash_opens_no_second_one(
    scene: Scene,
) -> None:
    await scene.command(DAVE, "to support-triage@prod 1")
    await a_pending(scene.store, requested_by=DAVE)  # and then the worker died

    await scene.judge()
    await scene.tell()

    assert scene.ask.calls == []
    assert [code for _, code, _ in scene.told()] == ["asked"]


async def test_a_command_whose_rollback_has_ended_meanwhile_opens_no_second_one(
    scene: Scene,
) -> None:
    await scene.command(DAVE, "to support-triage@prod 1")
    opened = await a_pending(scene.store, requested_by=DAVE)  # and then the worker died
    async with scene.store.write() as tx:
        current = await tx.rollbacks.get(opened.id, lock=True)
        ended = approval.withdraw(current, person=DAVE, slack_id=DAVE, at=await tx.now())
        await tx.rollbacks.save(ended, was=current.revision, entry=ENTRY)

    await scene.judge()

    assert scene.ask.calls == []


async def test_the_same_request_after_an_earlier_one_is_asked_again(scene: Scene) -> None:
    await a_pending(scene.store, requested_by=DAVE)
    scene.ask.failing = [NotAllowed("open already"), NotAllowed("open already")]

    await said(scene, DAVE, "to support-triage@prod 1")
    await said(scene, ALICE, "to support-triage@prod 1")

    assert len(scene.ask.calls) == 2


# -- the difference -------------------------------------------------------------------------------


@pytest.fixture
async def rollback(scene: Scene) -> Rollback:
    pending = await a_pending(scene.store)
    await scene.tell()
    return pending


async def test_who_may_see_gets_the_difference_alone_with_a_link(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.look(DAVE, rollback)
    await scene.judge()
    await scene.tell()

    (answer,) = scene.messenger.answers
    assert (answer.slack_id, answer.note.code) == (DAVE, "difference")
    assert "Answer kindly." in answer.note.facts["text"]
    assert answer.note.facts["permalink"].startswith("https://")
    assert set(answer.note.facts) == {"text", "permalink"}


async def test_who_may_not_see_is_refused_and_recorded(scene: Scene, rollback: Rollback) -> None:
    scene.directory.add("U0EVE")
    await scene.look("U0EVE", rollback)
    await scene.judge()
    await scene.tell()

    assert [code for _, code, _ in scene.told()] == ["refused"]
    (entry,) = await scene.entries("difference.")
    assert (entry.user_id, entry.status, entry.what["code"]) == ("U0EVE", "refused", "not_allowed")


async def test_the_difference_can_be_seen_after_the_decision(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.reject(BOB, rollback)
    await scene.look(ALICE, rollback)
    await scene.judge()
    await scene.tell()

    assert [code for _, code, _ in scene.told()] == ["difference"]


async def test_a_difference_button_on_another_message_is_out_of_date(
    scene: Scene, rollback: Rollback
) -> None:
    await scene.look(ALICE, rollback, ts="1700000000.000001")
    await scene.judge()
    await scene.tell()

    assert [code for _, code, _ in scene.told()] == ["out_of_date"]


async def test_an_old_command_is_given_up(scene: Scene) -> None:
    await scene.put(InboxKind.COMMAND, "/rollback", DAVE, text="to a@b 1", channel=CHANNEL)
    await scene.judge(patience=timedelta(seconds=-60))

    assert scene.ask.calls == []


async def test_status_without_a_policy_shows_everybody_everything(scene: Scene) -> None:
    await a_history(scene.store)
    scene.directory.add("U0EVE")
    await scene.command("U0EVE", "status")
    await scene.judge(policy_of=lambda _: Policy())
    await scene.tell()

    assert len(scene.messenger.answers[-1].note.facts["rows"]) == 1
