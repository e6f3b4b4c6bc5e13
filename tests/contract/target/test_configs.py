"""Apps without a workflow: what is configured is the one version; a write replaces it at once."""

from __future__ import annotations

import pytest

from bot.domain.masked import PLACEHOLDER
from bot.errors import LiveMoved, NoSuchApp, UpstreamRefused, WouldWriteMask
from store.document import Document
from store.records import VersionKind
from tests.contract.target.conftest import REAL
from tests.contract.target.worlds import World

MODEL = {
    "provider": "langgenius/openai/openai",
    "name": "gpt-4o",
    "mode": "chat",
    "completion_params": {"stop": []},
}
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


def a_config(prompt: str, **parameters: str) -> dict[str, object]:
    """A configuration with one tool of these parameters."""
    tool = {"provider_type": "builtin", "provider_id": "jira", "tool_name": "create"}
    tools = [{**tool, "enabled": True, "tool_parameters": parameters}]
    agent = {"enabled": True, "strategy": "function_call", "tools": tools, "prompt": None}
    return {"model": MODEL, "pre_prompt": prompt, "agent_mode": agent}


async def configured(world: World, app_id: str, prompt: str, **parameters: str) -> Document:
    """Save as the editor; return what is live then."""
    await world.editor.save_config(app_id, a_config(prompt, **parameters))
    return await live(world, app_id)


async def live(world: World, app_id: str) -> Document:
    found = await world.target.live(app_id)
    assert found is not None
    return found.document


@pytest.mark.parametrize("mode", MODES)
async def test_there_is_nothing_to_stage_or_to_publish(world: World, mode: str) -> None:
    app_id = await world.editor.new_app(mode)
    before = await configured(world, app_id, "Answer kindly.")

    with pytest.raises(UpstreamRefused) as staged:
        await world.target.stage(app_id, before, token="", secrets_from={})
    with pytest.raises(UpstreamRefused) as published:
        await world.target.publish(app_id, name="", comment="")

    assert {staged.value.upstream_code, published.value.upstream_code} == {"no_versions"}
    assert await live(world, app_id) == before


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_written_replaces_all_of_it_and_is_live_at_once(
    world: World, mode: str
) -> None:
    app_id = await world.editor.new_app(mode)
    good = await configured(world, app_id, "Answer kindly.", project="KEY", limit="5")
    bad = await configured(world, app_id, "Answer wrongly.", project="OTHER")
    before = {ref.app_id: ref.live_id async for ref in world.target.list_live()}

    await world.target.configure(app_id, good, root=bad.root)

    assert await live(world, app_id) == good
    assert await world.target.count_versions(app_id) == 1
    after = {ref.app_id: ref.live_id async for ref in world.target.list_live()}
    assert after[app_id] != before[app_id]


async def test_a_save_since_it_was_read_is_left_alone(world: World) -> None:
    app_id = await world.editor.new_app("chat")
    good = await configured(world, app_id, "Answer kindly.")
    bad = await configured(world, app_id, "Answer wrongly.")
    theirs = await configured(world, app_id, "Answer in rhyme.")

    with pytest.raises(LiveMoved):
        await world.target.configure(app_id, good, root=bad.root)

    assert await live(world, app_id) == theirs


@pytest.mark.parametrize("of_live", [True, False])
async def test_a_masked_value_is_neither_written_nor_written_over(
    world: World, *, of_live: bool
) -> None:
    app_id = await world.editor.new_app("agent-chat")
    to = await configured(world, app_id, "Kindly.", key="plain" if of_live else PLACEHOLDER)
    now = await configured(world, app_id, "Wrongly.", key=PLACEHOLDER if of_live else "plain")

    with pytest.raises(WouldWriteMask):
        await world.target.configure(app_id, to, root=now.root)

    assert await live(world, app_id) == now


async def test_an_app_with_versions_takes_no_configuration(world: World) -> None:
    document = Document("chat", {"model_config": {}})

    with pytest.raises(UpstreamRefused) as refused:
        await world.target.configure(world.app_id, document, root=document.root)
    with pytest.raises(NoSuchApp):
        await world.target.configure("no-such-app", document, root=document.root)

    assert refused.value.upstream_code == "has_versions"
