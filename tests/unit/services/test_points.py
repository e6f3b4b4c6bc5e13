"""Where tests kill an execution: a point before and after each call that changes something.

A point that has another name, or stands elsewhere, makes what kills there prove nothing.
"""

from __future__ import annotations

import pytest

from bot.errors import UpstreamRefused
from bot.ports.store import Store
from tests.unit.services.execution_scene import APP, KEY, ExecutionScene, a_secretive

TO_PUBLISH = (
    *("live", "execute:claimed"),
    *("live", "draft", "compare_secrets", "execute:draft_kept"),
    *("draft", "execute:before_draft_write", "stage", "execute:after_draft_write"),
    *("live", "draft", "execute:before_publish", "publish"),
)
PUT_BACK = ("draft", "execute:before_draft_return", "stage", "execute:after_draft_return")


@pytest.fixture
def scene(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> ExecutionScene:
    """Its target writes the points down among the calls."""
    scene = ExecutionScene.of(sqlite_store)
    for module in ("execute", "carry_out", "write_config"):
        monkeypatch.setattr(f"bot.services.{module}.fp", scene.target.calls.append)
    return scene


async def test_of_an_app_with_a_draft(scene: ExecutionScene) -> None:
    await scene.run(await scene.approved())

    assert tuple(scene.target.calls) == (
        *TO_PUBLISH,
        *("execute:after_publish", "execute:before_read_back", "live", "history"),
        *PUT_BACK,
        "execute:draft_returned",
    )


async def test_of_one_that_is_undone(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.target.fail("publish", UpstreamRefused("dify.test", "no", "bad_request"))

    await scene.run(rollback)

    assert tuple(scene.target.calls) == (
        *TO_PUBLISH,
        *("live", *PUT_BACK, "execute:draft_undone", "live"),
    )


async def test_of_one_whose_draft_has_secrets_of_its_own(scene: ExecutionScene) -> None:
    good, bad = a_secretive("Answer kindly.", KEY), a_secretive("Answer wrongly.", KEY)
    scene.publish(good, bad, secrets=[{KEY: "sk-old"}, {KEY: "sk-live"}])
    draft = a_secretive("Answer in rhyme.", KEY)

    await scene.run(await scene.approved(draft=draft, values={KEY: "sk-typed"}))

    points = [call for call in scene.target.calls if call.startswith("execute:")]
    assert points[:3] == ["execute:claimed", "execute:before_seal", "execute:draft_kept"]


async def test_of_an_app_without_a_draft(scene: ExecutionScene) -> None:
    scene.target.add_app(APP, mode="chat")
    scene.rolls_back_config.update(scene.places)
    for prompt in ("Answer kindly.", "Answer wrongly."):
        scene.target.save_config(APP, {"pre_prompt": prompt})
        await scene.snapshot.sweep()

    await scene.run(await scene.approved(draft=None))

    assert tuple(scene.target.calls) == (
        *("live", "execute:claimed"),
        *("live", "configure:intended"),
        *("live", "configure:before_write", "configure", "configure:after_write"),
        *("configure:before_read_back", "live", "history", "configure:verified"),
    )
