"""What a workspace has, read from lists of which some cannot be read, or say it in other words."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from aiohttp import web

from bot.adapters.dify.credentials import Account
from bot.domain.dry_run import Looked, Presence, Unread
from bot.domain.references import Kind, Needed
from bot.playground.dify.faults import Fault
from bot.playground.dify.installed import DEPRECATED, Tools
from bot.playground.dify.refusals import forbidden
from tests.adapters.dify.conftest import Dify

WITHIN = timedelta(seconds=30)
OPENAI = "langgenius/openai/openai"
MODEL = Needed(Kind.MODEL, "gpt-4o", OPENAI, "llm")
TOOL = Needed(Kind.TOOL, "google_search", "google", "builtin")
BASE = Needed(Kind.KNOWLEDGE_BASE, str(uuid4()))
ALL = (MODEL, TOOL, BASE)
THERE = Looked(Presence.THERE)


@pytest.fixture
def furnished(dify: Dify) -> Dify:
    dify.state.models[OPENAI] = {"gpt-4o", "gpt-4"}
    dify.state.tools.append(Tools("langgenius/google/google", ("google_search",)))
    dify.state.datasets[BASE.name] = "Help articles"
    return dify


async def looked_up(dify: Dify, *needed: Needed, within: timedelta = WITHIN) -> list[Looked]:
    looked = await dify.target.look_up(needed, within=within)
    return [looked[one] for one in needed]


@pytest.mark.parametrize("route", ["models", "tools", "datasets"])
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.ERROR, Unread.DOWN),
        (Fault.UNAVAILABLE, Unread.DOWN),
        (Fault.HTML, Unread.UNREADABLE),
        (Fault.TRUNCATED, Unread.UNREADABLE),
        (Fault.REDIRECT, Unread.REFUSED),
    ],
)
async def test_a_list_that_cannot_be_read_says_nothing_of_what_is_in_it(
    furnished: Dify, route: str, fault: Fault, why: Unread
) -> None:
    furnished.faults.add(route, fault)

    looked = await looked_up(furnished, *ALL)

    unread = {"models": 0, "tools": 1, "datasets": 2}[route]
    assert looked.pop(unread) == Looked(Presence.UNKNOWN, why)
    assert looked == [THERE, THERE]


async def test_who_may_not_look_is_told_so(furnished: Dify) -> None:
    def refuse() -> None:
        raise forbidden()

    furnished.faults.before("tools", refuse)

    assert await looked_up(furnished, MODEL, TOOL) == [
        THERE,
        Looked(Presence.UNKNOWN, Unread.FORBIDDEN),
    ]


async def test_a_list_that_takes_too_long_is_not_waited_for(furnished: Dify) -> None:
    furnished.faults.add("datasets", Fault.HANG)
    await looked_up(furnished, MODEL)  # logged in

    looked = await looked_up(furnished, *ALL, within=timedelta(seconds=2))

    assert looked == [THERE, THERE, Looked(Presence.UNKNOWN, Unread.LATE)]


async def test_a_login_that_is_refused_is_no_proof_that_anything_is_missing(
    furnished: Dify,
) -> None:
    target = furnished.another_target(credentials=Account("bot@example.com", "wrong"))

    looked = await target.look_up(ALL, within=WITHIN)

    assert set(looked.values()) == {Looked(Presence.UNKNOWN, Unread.FORBIDDEN)}
    await target.close()


async def test_who_cannot_say_whether_an_app_is_a_tool_is_not_believed_that_it_is_none(
    furnished: Dify,
) -> None:
    def refuse() -> None:
        raise forbidden()

    async def asked(within: timedelta = WITHIN) -> str | None:
        return await furnished.target.tool_id("an app", within=within)

    assert await asked() == ""
    furnished.faults.before("workflow_tool", refuse)
    assert await asked() is None
    furnished.faults.add("workflow_tool", Fault.HANG)
    assert await asked(timedelta(seconds=0.5)) is None


async def test_a_deprecated_model_works_on_where_it_is_used(furnished: Dify) -> None:
    furnished.state.model_states[OPENAI, "gpt-4o"] = DEPRECATED

    assert await looked_up(furnished, MODEL) == [THERE]


async def test_a_model_that_is_switched_off_is_not_usable(furnished: Dify) -> None:
    furnished.state.model_states[OPENAI, "gpt-4o"] = "disabled"

    assert await looked_up(furnished, MODEL) == [Looked(Presence.UNUSABLE, "disabled")]


async def test_a_model_of_another_type_is_another_one(furnished: Dify) -> None:
    furnished.state.model_types[OPENAI, "gpt-4o"] = "rerank"

    assert await looked_up(furnished, MODEL) == [Looked(Presence.MISSING)]


async def test_a_provider_is_known_by_its_name_of_before_plugins(furnished: Dify) -> None:
    old = Needed(Kind.MODEL, "gpt-4", "openai", "llm")
    other = Needed(Kind.MODEL, "gpt-4", "openrouter", "llm")

    assert await looked_up(furnished, old, other) == [THERE, Looked(Presence.MISSING)]


async def test_what_is_no_id_of_difys_is_not_asked_for(furnished: Dify) -> None:
    odd = Needed(Kind.KNOWLEDGE_BASE, "kb-help")

    assert await looked_up(furnished, odd, BASE) == [Looked(Presence.MISSING), THERE]


async def test_a_server_that_has_told_no_tools_yet_is_believed(furnished: Dify) -> None:
    furnished.state.tools.append(Tools("Translator", (), "mcp", identifier="translator"))
    tool = Needed(Kind.TOOL, "translate", "translator", "mcp")

    assert await looked_up(furnished, tool) == [THERE]


async def test_kinds_of_tools_that_nothing_lists_are_unknown(furnished: Dify) -> None:
    odd = Needed(Kind.TOOL, "x", "y", "dataset-retrieval")

    assert await looked_up(furnished, odd, TOOL) == [
        Looked(Presence.UNKNOWN, Unread.NO_LIST),
        THERE,
    ]


async def test_a_release_without_a_list_says_so(furnished: Dify) -> None:
    def no_such_route() -> None:
        raise web.HTTPNotFound

    furnished.faults.before("tools", no_such_route)

    assert await looked_up(furnished, TOOL) == [Looked(Presence.UNKNOWN, Unread.NO_LIST)]


async def test_no_name_in_a_configuration_leads_anywhere_else(furnished: Dify) -> None:
    odd = Needed(Kind.MODEL, "x", "y/../../../datasets?z#", "llm")

    await looked_up(furnished, odd)

    assert furnished.faults.count("datasets") == 0
