"""What a workspace has: asked by name, and answered for each thing by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.dry_run import Looked, Presence
from bot.domain.references import Kind, Needed
from tests.contract.target.worlds import World

WITHIN = timedelta(seconds=30)
MODEL = Needed(Kind.MODEL, "gpt-4o", "langgenius/openai/openai", "llm")
RANKING = Needed(Kind.MODEL, "rerank-v3", "langgenius/cohere/cohere", "rerank")
TOOL = Needed(Kind.TOOL, "google_search", "langgenius/google/google", "builtin")
API_TOOL = Needed(Kind.TOOL, "create_ticket", "0b0f4a9e-1111-4222-8333-444455556666", "api")
WORKFLOW = Needed(Kind.TOOL, "triage", "1c1f4a9e-1111-4222-8333-444455556666", "workflow")
SERVER = Needed(Kind.TOOL, "translate", "translator-mcp", "mcp")
BASE = Needed(Kind.KNOWLEDGE_BASE, "6084ed3f-d100-4df2-a277-b40d639ea7c6")
ALL = (MODEL, RANKING, TOOL, API_TOOL, WORKFLOW, SERVER, BASE)


async def test_what_is_installed_is_there(world: World) -> None:
    await world.editor.install(*ALL)

    looked = await world.target.look_up(ALL, within=WITHIN)

    assert looked == dict.fromkeys(ALL, Looked(Presence.THERE))


@pytest.mark.parametrize("absent", ALL, ids=lambda one: one.name[:14])
async def test_what_is_not_installed_is_missing_and_the_rest_is_there(
    world: World, absent: Needed
) -> None:
    await world.editor.install(*(one for one in ALL if one != absent))

    looked = await world.target.look_up(ALL, within=WITHIN)

    assert looked[absent] == Looked(Presence.MISSING)
    assert {looked[one] for one in ALL if one != absent} == {Looked(Presence.THERE)}


async def test_by_which_id_an_app_is_called_as_a_tool(world: World) -> None:
    assert await world.target.tool_id(world.app_id, within=WITHIN) == ""

    tool = await world.editor.make_tool(world.app_id)

    assert await world.target.tool_id(world.app_id, within=WITHIN) == tool


async def test_nothing_is_asked_for_nothing(world: World) -> None:
    assert await world.target.look_up((), within=WITHIN) == {}
