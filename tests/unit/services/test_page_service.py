"""The page of a rollback shows what votes bind to; that of two versions what differs."""

from __future__ import annotations

import pytest

from bot.errors import LinkInvalid
from bot.services.page import name_of_rollback, page
from store.records import VersionSource
from store.session import SqlStore
from tests.contract.store.things import OTHER, new_version, recorded
from tests.unit.services.execution_scene import KEY, OTHER_KEY, ExecutionScene, a_secretive
from tests.unit.services.scene import a_document


@pytest.fixture
def scene(sqlite_store: SqlStore) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def test_a_rollback_s_page_goes_from_what_is_live_to_what_it_leaves_live(
    scene: ExecutionScene,
) -> None:
    good = a_secretive("Answer kindly.", KEY, OTHER_KEY)
    scene.publish(good, a_secretive("Answer wrongly.", KEY), secrets=({}, {}))
    rollback = await scene.asked(1)

    shown = await page(scene.store, name_of_rollback(rollback.id))

    assert shown.title == f"What rollback {rollback.id} changes in support-triage@prod"
    assert (shown.before.name, shown.after.name) == ("version 2", "version 1")
    assert any(change.kind == "prompt" for change in shown.changes)
    assert any("keep the value that live has now: SECRET_3." in note for note in shown.notes)
    assert any("the version's own value: SECRET_8." in note for note in shown.notes)


async def test_the_page_of_two_versions_names_where_each_came_from(scene: ExecutionScene) -> None:
    store: SqlStore = scene.store  # type: ignore[assignment]
    old = await recorded(store, new_version("a"), a_document("kind"))
    new = await recorded(
        store, new_version("b", source=VersionSource.DRIFT, author=""), a_document("rude")
    )

    shown = await page(store, f"v{old.id}-{new.id}")

    assert shown.title == "support-triage@prod: version 1 and version 2"
    assert ("Called", "spring") in shown.before.facts
    assert "changed without a publish" in dict(shown.after.facts)["Published"]
    assert "By" not in dict(shown.after.facts)


@pytest.mark.parametrize(
    "name", ["", "r0", "r", "v1", "v1-", "r1x", "r999", "v998-999", "r" + "9" * 19]
)
async def test_what_is_not_there_has_no_page(scene: ExecutionScene, name: str) -> None:
    with pytest.raises(LinkInvalid):
        await page(scene.store, name)


async def test_versions_of_two_apps_have_no_page(scene: ExecutionScene) -> None:
    store: SqlStore = scene.store  # type: ignore[assignment]
    one = await recorded(store, new_version("a"), a_document("kind"))
    other = await recorded(store, new_version("b", where=OTHER), a_document("rude"))

    with pytest.raises(LinkInvalid, match="different apps"):
        await page(store, f"v{one.id}-{other.id}")
