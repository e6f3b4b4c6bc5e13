"""What is behind an app: looked up when a rollback is opened, shown, and worth votes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import impact_told, rehearsal_told
from bot.domain.impact import Risk, impact_in
from bot.domain.policy import Policy
from bot.domain.words import NoteCode
from bot.errors import UpstreamDown
from bot.ports.people import Note
from bot.ports.store import Store
from bot.services.opening.ground import Looked
from bot.services.opening.opening import Opening
from store.document import Document
from store.records import AppEnv, Rollback, State
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, PROD, REVIEWERS
from tests.unit.services.execution_scene import APP, BAD, GOOD, ExecutionScene
from tests.unit.services.scene import a_document

SHOP, FAQ = AppEnv("checkout-bot", "prod"), AppEnv("faq", "staging")
TOOL = "6084ed3f-d100-4df2-a277-b40d639ea7c6"


def calling(tool: str) -> Document:
    """A document that calls a workflow as a tool."""
    node = {
        "id": "t",
        "data": {
            "type": "tool",
            "title": "Triage",
            "provider_type": "workflow",
            "provider_id": tool,
            "provider_name": "triage",
            "tool_name": "triage",
        },
    }
    return Document("workflow", {"graph": {"nodes": [node], "edges": []}, "features": {}})


@pytest.fixture
async def scene(sqlite_store: Store) -> ExecutionScene:
    """checkout-bot depends on support-triage; the workspace of both is one."""
    scene = ExecutionScene.of(sqlite_store)
    for where in (SHOP, FAQ):
        scene.target.add_app(where.app)
        scene.places[where] = (scene.target, where.app)
        scene.channels[where] = CHANNEL
    scene.depends_on = {SHOP.app: [PROD.app], FAQ.app: [PROD.app]}
    scene.policies = {"prod": voting()}
    scene.publish(GOOD, BAD)
    return scene


def voting(**changes: Any) -> Policy:
    return Policy(reviewers=(REVIEWERS,), requesters=(DAVE,), named=True, **changes)


async def drawn(scene: ExecutionScene) -> dict[str, Any]:
    await scene.tell()
    found = scene.messenger.drawn[-1].impact
    assert found is not None
    return dict(found)


def notes(scene: ExecutionScene) -> list[Note]:
    sent = [replied.note for replied in scene.messenger.replies]
    return [note for note in sent if note.code == NoteCode.IMPACT]


# -- what is told -----------------------------------------------------------------------------


async def test_who_depends_on_it_in_its_environment_stands_on_the_card_and_in_the_record(
    scene: ExecutionScene,
) -> None:
    await scene.asked(1)

    card = await drawn(scene)
    assert card["risk"] == "low"
    (app,) = card["apps"]
    assert app == {
        "where": "",
        "parts": [{"code": "callers", "apps": ["checkout-bot"], "count": 1}],
    }
    (note,) = notes(scene)
    assert dict(note.facts) == card
    (entry,) = await scene.entries("rollback.open")
    assert entry.what["risk"] == "low"
    assert entry.what["impact"] == {
        str(PROD): {"risk": "low", "callers": ["checkout-bot"], "pinned": [], "lost": 1}
    }


async def test_what_nothing_depends_on_is_said_on_the_card_alone(scene: ExecutionScene) -> None:
    scene.depends_on = {}

    await scene.asked(1)

    assert (await drawn(scene))["apps"][0]["parts"] == [{"code": "nobody"}]
    assert notes(scene) == []


async def test_apps_whose_live_version_calls_it_as_a_tool_are_told_apart(
    scene: ExecutionScene,
) -> None:
    scene.target.tool_ids = {APP: TOOL}
    scene.depends_on = {}
    for where, tool in ((SHOP, "another"), (FAQ, TOOL)):
        scene.target.publish_document(where.app, calling(tool))
        await scene.snapshot.refresh(where)

    leg = (await scene.asked(1)).leg

    found = impact_in(leg.impact)
    assert found is not None
    assert (found.pinned, found.callers, found.risk) == (("faq@staging",), (), Risk.LOW)


async def test_a_caller_that_calls_it_no_more_is_none(scene: ExecutionScene) -> None:
    scene.target.tool_ids = {APP: TOOL}
    for document in (calling(TOOL), a_document()):
        scene.target.publish_document(SHOP.app, document)
    await scene.snapshot.refresh(SHOP)

    found = impact_in((await scene.asked(1)).leg.impact)

    assert found is not None
    assert found.pinned == ()


async def test_a_target_that_cannot_tell_holds_nothing_up(scene: ExecutionScene) -> None:
    scene.target.fail("tool_id", UpstreamDown("dify.test", "no answer"))

    rollback = await scene.asked(1)

    assert rollback.state is State.PENDING_APPROVAL
    assert {"code": "pinned_unknown"} in (await drawn(scene))["apps"][0]["parts"]


async def test_a_look_that_takes_too_long_is_given_up(scene: ExecutionScene) -> None:
    await scene.snapshot.refresh(PROD)
    scene.target.before("tool_id", asyncio.Event().wait)
    soon = timedelta(milliseconds=5)
    opening = Opening(scene.store, scene._there, scene.rules, nonce=str, look_up=soon)
    ground = await opening.ground(PROD)
    assert ground is not None

    leg = await opening.legs.between(PROD, ground, await opening.numbered(PROD, 1))

    found = impact_in(leg.impact)
    assert found is not None
    assert found.pinned_count is None


async def test_what_was_measured_and_who_is_blamed_is_taken_over(scene: ExecutionScene) -> None:
    await scene.snapshot.refresh(PROD)
    opening = Opening(scene.store, scene._there, scene.rules, nonce=str)
    ground = await opening.ground(PROD)
    assert ground is not None
    looked = Looked(suspect_id=ground.live.id, rate=12.5)

    leg = await opening.legs.between(PROD, ground, await opening.numbered(PROD, 1), looked)

    found = impact_in(leg.impact)
    assert found is not None
    assert (found.rate, found.lost) == (12.5, 0)


async def test_a_rollback_of_before_there_was_an_impact_has_a_card(scene: ExecutionScene) -> None:
    rollback = await scene.asked(1)
    old = replace(rollback, legs=(replace(rollback.leg, impact={}),))

    assert impact_told.told(old) is None
    assert impact_told.recorded(old.legs) == {}
    assert not impact_told.worth_a_note(old.legs)


# -- votes ------------------------------------------------------------------------------------


async def critical(scene: ExecutionScene, **changes: Any) -> Rollback:
    """A rollback of high risk: what depends on it is critical."""
    scene.criticality = {SHOP.app: "critical"}
    scene.policies["prod"] = voting(**changes)
    return await scene.asked(1)


async def test_a_risk_takes_more_votes_and_the_card_says_why(scene: ExecutionScene) -> None:
    rollback = await critical(scene, votes_by_risk={"high": 3})

    assert (rollback.policy.votes, rollback.policy.risk) == (3, "high")
    card = await drawn(scene)
    assert (card["risk"], card["needed"], card["raised"]) == ("high", 3, True)
    view = scene.messenger.drawn[-1]
    assert (view.votes_needed, view.risk) == (3, "high")


async def test_two_of_three_votes_do_not_start_it(scene: ExecutionScene) -> None:
    rollback = await critical(scene, votes_by_risk={"high": 3})

    for who in (ALICE, BOB):
        rollback = await scene.vote(who, rollback)
    assert rollback.state is State.PENDING_APPROVAL

    assert (await scene.vote(CAROL, rollback)).state is State.APPROVED


async def test_a_risk_never_takes_fewer_votes(scene: ExecutionScene) -> None:
    rollback = await critical(scene, votes=2, votes_by_risk={"low": 1, "high": 2})

    assert (rollback.policy.votes, rollback.policy.risk) == (2, "")


async def test_a_risk_stops_what_needs_no_votes_otherwise(scene: ExecutionScene) -> None:
    rollback = await critical(scene, votes=0, votes_by_risk={"high": 1})

    assert rollback.state is State.PENDING_APPROVAL


async def test_what_was_shown_holds_whatever_the_settings_say_later(scene: ExecutionScene) -> None:
    rollback = await critical(scene, votes_by_risk={"high": 3})
    scene.policies["prod"] = voting(votes=1)
    scene.depends_on = {}

    for who in (ALICE, BOB):
        rollback = await scene.vote(who, rollback)

    assert rollback.state is State.PENDING_APPROVAL
    assert (await drawn(scene))["needed"] == 3


async def test_of_several_apps_the_highest_risk_counts(scene: ExecutionScene) -> None:
    scene.target.publish_document(SHOP.app, a_document("Sell."))
    scene.target.publish_document(SHOP.app, a_document("Sell more."))
    scene.criticality = {SHOP.app: "critical"}
    scene.depends_on = {}
    scene.policies["prod"] = voting(votes_by_risk={"high": 3})
    member = await scene.directory.member(DAVE)

    rollback = await scene.propose.requested(
        PROD, 1, by=member, channel=CHANNEL, response_url="", also=[(SHOP, 1)]
    )

    assert rollback.policy.votes == 3
    card = await drawn(scene)
    assert [app["where"] for app in card["apps"]] == [str(PROD), str(SHOP)]
    assert card["risk"] == "high"


# -- a dry run --------------------------------------------------------------------------------


async def test_a_dry_run_says_what_is_behind_it_and_how_many_it_takes(
    scene: ExecutionScene,
) -> None:
    scene.criticality = {SHOP.app: "critical"}
    scene.policies["prod"] = voting(votes_by_risk={"high": 3})

    made = await scene.propose.rehearsed(PROD, 1)

    assert made.votes == 3
    assert made.impact is not None
    assert impact_told.line(made.impact) in rehearsal_told.lines(made)
    assert rehearsal_told.as_json(made)["impact"]["risk"] == "high"
