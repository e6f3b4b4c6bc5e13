"""`/rollback tag`: who may name a version, what is recorded, and where a name can be said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.policy import Policy
from bot.ports.store import Store
from tests.builders import ALICE, CAROL, DAVE
from tests.unit.services.scene import POLICY, Scene, a_history, a_pending
from tests.unit.services.test_decide_commands import said
from tests.unit.services.test_slash import told

APP = "support-triage@prod"
GUARDED = replace(POLICY, protected_tags=("good",))


def guarded(_where: object) -> Policy:
    return GUARDED


@pytest.fixture
async def scene(sqlite_store: Store) -> Scene:
    scene = Scene.of(sqlite_store)
    await a_history(scene.store)
    return scene


async def moves(scene: Scene) -> list[tuple[str, str, Any]]:
    """Who did what to which tag, from the audit chain."""
    entries = await scene.entries("tag.")
    return [(e.user_id, f"{e.action} {e.status}", e.what.get("was")) for e in entries]


async def test_a_tag_is_given_moved_and_taken_away_and_each_is_recorded(scene: Scene) -> None:
    given = await said(scene, ALICE, f"tag {APP} 1 Good")
    moved = await said(scene, ALICE, f"tag {APP} live good")
    again = await said(scene, ALICE, f"tag {APP} 2 good")
    gone = await said(scene, DAVE, f"untag {APP} good")

    assert (given["number"], given["was"]) == (1, 0)
    assert (moved["number"], moved["was"]) == (2, 1)
    assert (again["number"], again["was"]) == (2, 2)
    assert gone["number"] == 2
    assert await moves(scene) == [
        (ALICE, "tag.move ok", 0),
        (ALICE, "tag.move ok", 1),
        (DAVE, "tag.remove ok", 2),
    ]


async def test_tags_are_listed_and_shown_in_the_history(scene: Scene) -> None:
    await said(scene, ALICE, f"tag {APP} 1 good")
    await said(scene, ALICE, f"tag {APP} 1 before-launch")

    listed = await said(scene, ALICE, f"tag {APP}")
    log = await said(scene, ALICE, f"log {APP}")

    assert [(r["name"], r["number"], r["slack_id"]) for r in listed["rows"]] == [
        ("before-launch", 1, ALICE),
        ("good", 1, ALICE),
    ]
    assert [row["tags"] for row in log["rows"]] == [[], ["before-launch", "good"]]


async def test_a_tag_is_said_where_a_version_is_asked_for(scene: Scene) -> None:
    await said(scene, ALICE, f"tag {APP} 1 good")
    compared = await said(scene, ALICE, f"diff {APP} good live")
    scene.ask.opens = lambda: a_pending(scene.store, requested_by=DAVE)
    asked = await said(scene, DAVE, f"to {APP} good")

    assert (compared["old"], compared["new"]) == (1, 2)
    assert asked["number"] == 1
    assert [number for _, number, _ in scene.ask.calls] == [1]


@pytest.mark.parametrize("text", ["to {} nowhere", "diff {} nowhere", "tag {} nowhere good"])
async def test_a_tag_that_is_not_there_is_no_version(scene: Scene, text: str) -> None:
    answer = await said(scene, ALICE, text.format(APP))

    assert "has no version `nowhere`" in answer["text"]


async def test_a_tag_that_cannot_be_taken_away_is_answered_with_the_nearest(scene: Scene) -> None:
    await said(scene, ALICE, f"tag {APP} 1 good")

    assert "Did you mean `good`?" in (await said(scene, ALICE, f"untag {APP} goood"))["text"]


async def test_a_protected_tag_is_the_reviewers_alone(scene: Scene) -> None:
    (refused,) = await told(scene, DAVE, f"tag {APP} 1 good", policy_of=guarded)
    (free,) = await told(scene, DAVE, f"tag {APP} 1 launch", policy_of=guarded)
    (given,) = await told(scene, ALICE, f"tag {APP} 1 good", policy_of=guarded)
    (kept,) = await told(scene, DAVE, f"untag {APP} good", policy_of=guarded)

    assert "only its reviewers move or remove it" in refused["text"]
    assert (free["code"], given["code"]) == ("tagged", "tagged")
    assert "only its reviewers" in kept["text"]
    assert [(who, what) for who, what, _ in await moves(scene)] == [
        (DAVE, "tag.move refused"),
        (DAVE, "tag.move ok"),
        (ALICE, "tag.move ok"),
        (DAVE, "tag.remove refused"),
    ]


async def test_who_may_only_look_names_nothing(scene: Scene) -> None:
    looking = Policy(reviewers=(ALICE,), viewers=(CAROL,), named=True)
    (refused,) = await told(scene, CAROL, f"tag {APP} 1 good", policy_of=lambda _: looking)
    (listed,) = await told(scene, CAROL, f"tag {APP}", policy_of=lambda _: looking)

    assert "You may not do this here" in refused["text"]
    assert listed["rows"] == []
