"""What is configured in an app without a workflow: no stamp, no mask, and a name from the list."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bot.adapters.dify import era, model_config, wire
from bot.domain.masked import masked
from bot.errors import AnswerUnreadable
from store.records import VersionKind
from tests.adapters.dify.recordings import VERSIONS, load, titled

NOW = 1795475210


def an_app(**changes: Any) -> dict[str, Any]:
    stamps = {"created_by": "u1", "created_at": NOW, "updated_by": "u1", "updated_at": NOW}
    config = {"model": {"name": "gpt-4o"}, "pre_prompt": "Be kind.", **stamps, **changes}
    return {"id": "a1", "name": "chatty", "mode": "agent-chat", "model_config": config}


def an_agent(**parameters: Any) -> dict[str, Any]:
    tool = {"provider_id": "jira", "tool_name": "create", "tool_parameters": parameters}
    return an_app(agent_mode={"enabled": True, "tools": [tool, {"dataset": {"id": "d"}}]})


def root(app: dict[str, Any]) -> str:
    found = model_config.version(app, mode="agent-chat")
    assert found is not None
    return found.document.root


@pytest.mark.parametrize("recorded", VERSIONS)
def test_a_recorded_chat_app_is_read(recorded: str) -> None:
    answer = load(titled("chat_detail", recorded), recorded).answer

    found = model_config.version(answer, mode="chat")

    assert found is not None
    assert found.kind is VersionKind.MODEL_CONFIG
    assert found.published_at.timestamp() == answer["model_config"]["created_at"]
    kept = found.document.content["model_config"]
    assert set(answer["model_config"]) - set(kept) == {
        *("created_by", "created_at", "updated_by", "updated_at")
    }


def test_who_saved_it_and_when_is_no_part_of_it() -> None:
    assert root(an_app()) == root(an_app(created_at=NOW + 9, updated_at=NOW + 9, created_by="u2"))
    assert root(an_app()) != root(an_app(pre_prompt="Be rude."))


@pytest.mark.parametrize("mask", ["sk****3f", "ab***yz", "******", "*", "x\n****yz"])
def test_a_masked_parameter_of_a_tool_is_neither_kept_nor_a_change(mask: str) -> None:
    found = model_config.version(an_agent(api_key=mask, project="K*"), mode="agent-chat")

    assert found is not None
    tool = found.document.content["model_config"]["agent_mode"]["tools"][0]
    assert tool["tool_parameters"] == {"api_key": era.HIDDEN, "project": "K*"}
    assert root(an_agent(api_key=mask)) == root(an_agent(api_key="zz********99"))


def test_what_dify_shows_of_a_tool_that_it_cannot_load_is_not_kept_either() -> None:
    kept = base64.b64encode(b"HYBRID:" + bytes(range(256))).decode()

    assert root(an_agent(api_key=kept)) == root(an_agent(api_key="sk****3f"))


def test_all_of_it_is_written_but_the_annotations_which_belong_to_the_app() -> None:
    found = model_config.version(an_app(annotation_reply={"enabled": True}), mode="chat")

    assert found is not None
    body = model_config.to_write(found.document)
    assert body == {"model": {"name": "gpt-4o"}, "pre_prompt": "Be kind."}


@pytest.mark.parametrize("odd", [None, [], {"result": 1}, {}])
def test_an_odd_answer_to_a_write_is_named(odd: object) -> None:
    with pytest.raises(AnswerUnreadable, match="model-config"):
        model_config.written(odd)


@pytest.mark.parametrize("mask", ["sk****3f", "******", "*"])
def test_a_mask_that_was_read_is_known_as_one_when_it_is_to_be_written(mask: str) -> None:
    found = model_config.version(an_agent(api_key=mask, project="KEY"), mode="agent-chat")

    assert found is not None
    assert masked(found.document) == ("create: api_key",)


def test_a_parameter_that_is_shown_is_a_change() -> None:
    assert root(an_agent(project="KEY")) != root(an_agent(project="OTHER"))


def listed(app: dict[str, Any]) -> str:
    told = ("model", "pre_prompt", "created_by", "created_at", "updated_by", "updated_at")
    config = app["model_config"]
    brief = None if config is None else {name: config[name] for name in told}
    item = {**app, "workflow": None, "model_config": brief}
    (ref,) = wire.app_page({"data": [item], "has_more": False}).refs
    return ref.live_id


def test_the_list_of_apps_and_the_app_give_it_one_name() -> None:
    app = an_agent(project="KEY")
    found = model_config.version(app, mode="agent-chat")

    assert found is not None
    assert listed(app) == found.external_id
    assert listed(an_app(created_at=NOW + 1)) != listed(an_app())
    assert listed(an_app(pre_prompt="Be rude.")) != listed(an_app())


def test_an_app_that_was_never_configured_has_nothing_live() -> None:
    app = {**an_app(), "model_config": None}

    assert model_config.version(app, mode="agent-chat") is None
    assert listed(app) == ""


@pytest.mark.parametrize("odd", [[], "x", {"created_at": "yesterday"}, {"created_at": 10**30}])
def test_what_is_no_configuration_is_named_by_its_place(odd: object) -> None:
    with pytest.raises(AnswerUnreadable, match="model_config"):
        model_config.version({**an_app(), "model_config": odd}, mode="chat")


@pytest.mark.parametrize("odd", [{}, {"tools": None}, {"tools": [None, {"tool_parameters": 3}]}, 7])
def test_an_odd_agent_is_kept_as_it_is(odd: object) -> None:
    found = model_config.version(an_app(agent_mode=odd), mode="agent-chat")

    assert found is not None
    assert found.document.content["model_config"]["agent_mode"] == odd
