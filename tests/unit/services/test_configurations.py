"""Apps without a workflow: each other configuration is a version of ours; people go back alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.errors import ByHandOnly
from bot.ports.store import Store
from bot.services.recording import record
from store.records import VersionKind
from tests.builders import PROD
from tests.unit.services.execution_scene import APP, ExecutionScene

GOOD, BAD = {"pre_prompt": "Kindly."}, {"pre_prompt": "Wrongly."}


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    scene = ExecutionScene.of(sqlite_store)
    scene.target.add_app(APP, mode="chat")
    return scene


async def test_the_sweep_notices_a_change_and_an_equal_save_is_none(scene: ExecutionScene) -> None:
    found = []
    for config in (GOOD, BAD, BAD, GOOD):
        scene.target.save_config(APP, config)
        found.append(len(await scene.snapshot.sweep()))

    assert found == [1, 1, 0, 1]
    history = await scene.history()
    assert [version.number for version in history] == [1, 2, 3]
    assert {version.kind for version in history} == {VersionKind.MODEL_CONFIG}
    assert history[0].root == history[2].root != history[1].root


async def test_what_did_not_change_costs_one_line_of_a_list(scene: ExecutionScene) -> None:
    scene.target.save_config(APP, GOOD)
    await scene.snapshot.sweep()
    scene.target.calls.clear()

    await scene.snapshot.sweep()
    while await scene.snapshot.backfill():
        pass

    assert scene.target.calls == ["list_live"]


async def test_two_of_one_second_are_two_versions(scene: ExecutionScene) -> None:
    scene.target.save_config(APP, GOOD)
    first = await scene.target.live(APP)
    scene.target.save_config(APP, BAD)
    second = await scene.target.live(APP)
    assert first is not None
    assert second is not None
    second = replace(second, external_id=first.external_id)

    stored = [await record(scene.store, PROD, one) for one in (first, first, second, second, first)]

    assert [version.number for version in stored] == [1, 1, 2, 2, 3]


async def test_nobody_is_asked_to_vote_on_it(scene: ExecutionScene) -> None:
    for config in (GOOD, BAD):
        scene.target.save_config(APP, config)
        await scene.snapshot.sweep()

    with pytest.raises(ByHandOnly) as refused:
        await scene.asked(1)

    assert "`keyturn export support-triage@prod 1`" in refused.value.to_person()
