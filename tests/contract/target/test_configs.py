"""Apps without a workflow: what is configured is the one version, and nothing is written."""

from __future__ import annotations

import pytest

from bot.errors import UpstreamRefused
from store.document import Document
from store.records import VersionKind
from tests.contract.target.conftest import REAL
from tests.contract.target.worlds import World

MODES = ("chat", "agent-chat", "completion")
pytestmark = pytest.mark.skipif(all(REAL), reason="a real Dify saves these with a provider alone")


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_configured_is_live_listed_and_the_whole_history(
    world: World, mode: str
) -> None:
    app_id = await world.editor.new_app(mode)
    seen = []
    for prompt in ("Answer kindly.", "Answer wrongly."):
        await world.editor.save_config(app_id, {"pre_prompt": prompt})
        live = await world.target.live(app_id)
        assert live is not None
        assert live.kind is VersionKind.MODEL_CONFIG
        assert live.document.mode == mode
        assert live.document.content["model_config"]["pre_prompt"] == prompt
        assert [v async for v in world.target.history(app_id)] == [live]
        assert [v async for v in world.target.history(app_id, start=1)] == []
        assert await world.target.count_versions(app_id) == 1
        assert await world.target.draft(app_id) is None
        refs = {ref.app_id: ref.live_id async for ref in world.target.list_live()}
        assert refs[app_id] == live.external_id
        seen.append(live.external_id)

    assert len(set(seen)) == 2


@pytest.mark.parametrize("mode", MODES)
async def test_nothing_is_written_into_them(world: World, mode: str) -> None:
    app_id = await world.editor.new_app(mode)
    await world.editor.save_config(app_id, {"pre_prompt": "Answer kindly."})
    before = await world.target.live(app_id)

    document = Document(mode, {"model_config": {}})

    with pytest.raises(UpstreamRefused) as staged:
        await world.target.stage(app_id, document, token="", secrets_from={})
    with pytest.raises(UpstreamRefused) as published:
        await world.target.publish(app_id, name="", comment="")

    assert {staged.value.upstream_code, published.value.upstream_code} == {"no_versions"}
    assert await world.target.live(app_id) == before
