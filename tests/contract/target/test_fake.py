"""The fake's hooks and failures, which other tests build upon."""

from __future__ import annotations

import pytest

from bot.errors import Ambiguous, DraftMoved, UpstreamDown
from store.document import Document
from tests.fakes.target import FakeTarget


def a_document(title: str) -> Document:
    return Document("workflow", {"graph": {"nodes": [{"id": "1", "data": {"title": title}}]}})


@pytest.fixture
def target() -> FakeTarget:
    made = FakeTarget()
    made.add_app("app")
    made.publish_document("app", a_document("one"))
    return made


async def test_a_failure_before_applying_leaves_everything_as_it_was(target: FakeTarget) -> None:
    target.fail("publish", UpstreamDown("fake", "down"))

    with pytest.raises(UpstreamDown):
        await target.publish("app", name="", comment="")

    assert await target.count_versions("app") == 1


async def test_a_failure_after_applying_has_its_effect_and_happens_once(target: FakeTarget) -> None:
    target.fail("publish", Ambiguous("fake", "500"), applied=True)

    with pytest.raises(Ambiguous):
        await target.publish("app", name="", comment="")
    await target.publish("app", name="", comment="")

    assert await target.count_versions("app") == 3


async def test_an_editor_may_save_before_a_call_and_publish_after_it(target: FakeTarget) -> None:
    token = target.save_draft("app", a_document("two"))
    target.before("stage", lambda: target.save_draft("app", a_document("theirs")))
    with pytest.raises(DraftMoved):
        await target.stage("app", a_document("ours"), token=token, secrets_from={})

    target.after("publish", lambda: target.publish_draft("app", name="theirs"))
    await target.publish("app", name="ours", comment="")

    live = await target.live("app")
    assert live is not None
    assert live.name == "theirs"


async def test_the_calls_of_the_port_are_noted_in_order(target: FakeTarget) -> None:
    await target.draft("app")
    await target.live("app")

    assert target.calls == ["draft", "live"]
