"""A new version that changes a core parameter is told once, wherever it comes from but from us."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.core import DEFAULT
from bot.ports.store import Store
from bot.services.closer import Closer
from bot.services.core import CoreChanges, Watched
from bot.services.places import Places
from store.document import Document
from tests.builders import CHANNEL, PROD
from tests.unit.services.execution_scene import APP, GOOD, ExecutionScene
from tests.unit.services.scene import a_document

SRE = "C0SRE000001"
MENDED = "C0SRE000002"


def with_model(name: str, prompt: str = "Answer kindly.") -> Document:
    content: dict[str, Any] = dict(a_document(prompt).content)
    node = {**content["graph"]["nodes"][0]}
    node["data"] = {**node["data"], "model": {**node["data"]["model"], "name": name}}
    content["graph"] = {**content["graph"], "nodes": [node]}
    return Document("workflow", content)


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    made = ExecutionScene.of(sqlite_store)
    made.messenger.channels.add(SRE)
    return made


async def look(scene: ExecutionScene, **changes: Any) -> list[Any]:
    """Look at every version that is new, and send what is told; return the notes about core."""
    watched = Watched(changes.get("core", DEFAULT), changes.get("channel", SRE))
    worker = CoreChanges(scene.store, {PROD: watched}, owner="c1", nudge=lambda: None)
    while await worker.step():
        pass
    sender = scene.deliver(sre_channel=SRE)
    while await sender.step():
        pass
    return [one for one in scene.messenger.replies if one.note.code == "core_changed"]


async def test_another_model_is_told_in_the_channel_that_is_named(scene: ExecutionScene) -> None:
    scene.publish(GOOD)
    await scene.snapshot.refresh(PROD)
    scene.publish(with_model("gpt-4o-mini"))
    await scene.snapshot.refresh(PROD)

    (told,) = await look(scene)

    assert (told.channel, told.ts) == (SRE, "")
    facts = told.note.facts
    assert (facts["where"], facts["old"], facts["new"]) == (str(PROD), 1, 2)
    assert facts["lines"] == ["Answer · model/name: gpt-4o → gpt-4o-mini"]
    assert await look(scene) == [told], "once"


async def test_a_publish_of_words_alone_is_not_told(scene: ExecutionScene) -> None:
    scene.publish(GOOD)
    await scene.snapshot.refresh(PROD)
    scene.publish(a_document("Answer wrongly."))
    await scene.snapshot.refresh(PROD)

    assert await look(scene) == []


async def test_at_first_contact_nothing_of_the_past_is_told(scene: ExecutionScene) -> None:
    scene.publish(GOOD, with_model("gpt-4o-mini"))
    await scene.snapshot.refresh(PROD)

    assert await look(scene) == []


async def test_what_a_rollback_of_ours_brought_is_not_told(scene: ExecutionScene) -> None:
    scene.publish(GOOD, with_model("gpt-4o-mini"))
    await scene.run(await scene.approved())
    await scene.snapshot.refresh(PROD)

    assert await look(scene) == []


async def test_drift_is_told(scene: ExecutionScene) -> None:
    scene.publish(GOOD)
    await scene.snapshot.refresh(PROD)
    scene.target.change_live(APP, with_model("o3"))
    places = Places(scene.places)
    refresh = scene.snapshot.refresh
    closer = Closer(scene.store, places, refresh, channels={PROD: CHANNEL}, nudge=lambda: None)
    await closer.at(PROD)

    (told,) = await look(scene)

    assert told.note.facts["drift"] is True
    assert told.note.facts["lines"] == ["Answer · model/name: gpt-4o → o3"]


async def test_an_app_without_core_parameters_is_not_told_of(scene: ExecutionScene) -> None:
    scene.publish(GOOD)
    await scene.snapshot.refresh(PROD)
    scene.publish(with_model("o3"))
    await scene.snapshot.refresh(PROD)

    assert await look(scene, core=()) == []


async def test_what_waits_for_a_mistaken_channel_goes_to_the_one_that_is_configured_by_then(
    scene: ExecutionScene,
) -> None:
    scene.messenger.channels.discard(SRE)
    assert await another_model(scene) == []
    mended = scene.deliver(sre_channel=MENDED)
    scene.messenger.channels.add(MENDED)

    assert await mended.step()

    assert [one.channel for one in scene.messenger.replies] == [MENDED]
    assert mended.trouble == {}
    assert not await mended.step(), "once"


async def test_what_waits_when_nobody_is_to_be_told_any_more_is_dropped(
    scene: ExecutionScene,
) -> None:
    scene.messenger.channels.discard(SRE)
    assert await another_model(scene) == []
    mended = scene.deliver()

    assert await mended.step()

    assert mended.trouble == {}
    assert scene.messenger.replies == []
    assert not await mended.step()


async def another_model(scene: ExecutionScene) -> list[Any]:
    """Publish one; look, and try once to tell. What was told."""
    scene.publish(GOOD)
    await scene.snapshot.refresh(PROD)
    scene.publish(with_model("gpt-4o-mini"))
    await scene.snapshot.refresh(PROD)
    watched = Watched(DEFAULT, SRE)
    worker = CoreChanges(scene.store, {PROD: watched}, owner="c1", nudge=lambda: None)
    while await worker.step():
        pass
    mistaken = scene.deliver(sre_channel=SRE)
    assert await mistaken.step()
    assert mistaken.trouble == {SRE: "channel_not_found"}
    return scene.messenger.replies
