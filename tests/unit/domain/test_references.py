"""What a configuration refers to, of every type of node that refers to anything."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.references import Kind, Needed, Reference, references, same_provider
from store.document import Document

OPENAI = "langgenius/openai/openai"
GPT = Needed(Kind.MODEL, "gpt-4o", OPENAI, "llm")


def a_workflow(*nodes: dict[str, Any]) -> Document:
    graph = {"nodes": [{"id": str(n), "data": data} for n, data in enumerate(nodes)], "edges": []}
    return Document("workflow", {"graph": graph})


def a_config(**config: Any) -> Document:
    return Document("chat", {"model_config": config})


def an_llm(title: str, name: str = "gpt-4o", provider: str = OPENAI) -> dict[str, Any]:
    return {"type": "llm", "title": title, "model": {"provider": provider, "name": name}}


def found(document: Document) -> set[Needed]:
    return {reference.needed for reference in references(document)}


def test_a_thing_is_told_once_with_every_node_that_needs_it() -> None:
    document = a_workflow(an_llm("Answer"), an_llm("Check", "gpt-4"), an_llm("Answer again"))

    assert references(document) == (
        Reference(GPT, ("Answer", "Answer again")),
        Reference(Needed(Kind.MODEL, "gpt-4", OPENAI, "llm"), ("Check",)),
    )


@pytest.mark.parametrize("kind", ["llm", "question-classifier", "parameter-extractor"])
def test_what_thinks_needs_its_model(kind: str) -> None:
    assert found(a_workflow({**an_llm("A"), "type": kind})) == {GPT}


def test_a_tool_is_known_by_its_provider_and_called_by_the_providers_name() -> None:
    node = {
        "type": "tool",
        "title": "Ticket",
        "provider_type": "api",
        "provider_id": "0b0f",
        "provider_name": "Helpdesk",
        "tool_name": "create",
    }

    needed = Needed(Kind.TOOL, "create", "0b0f", "api")
    assert references(a_workflow(node)) == (Reference(needed, ("Ticket",), "Helpdesk"),)


def test_a_retrieval_needs_its_knowledge_bases_and_the_model_that_ranks() -> None:
    node = {
        "type": "knowledge-retrieval",
        "title": "Search",
        "dataset_ids": ["one", "two"],
        "retrieval_mode": "multiple",
        "multiple_retrieval_config": {"reranking_model": {"provider": "cohere", "model": "v3"}},
        "single_retrieval_config": {"model": {"provider": OPENAI, "name": "gpt-4o"}},
    }
    bases = {Needed(Kind.KNOWLEDGE_BASE, "one"), Needed(Kind.KNOWLEDGE_BASE, "two")}
    ranking = Needed(Kind.MODEL, "v3", "cohere", "rerank")

    assert found(a_workflow(node)) == {*bases, ranking}
    assert found(a_workflow({**node, "retrieval_mode": "single"})) == {*bases, GPT}


@pytest.mark.parametrize("off", [{"reranking_enable": False}, {"reranking_mode": "weighted_score"}])
def test_a_ranking_model_that_is_not_used_is_not_needed(off: dict[str, Any]) -> None:
    config = {"reranking_model": {"provider": "cohere", "model": "v3"}, **off}
    node = {"type": "knowledge-retrieval", "multiple_retrieval_config": config}

    assert found(a_workflow(node)) == set()


def test_an_agent_needs_its_model_and_the_tools_that_are_switched_on() -> None:
    tools = [
        {"type": "builtin", "provider_name": "time", "tool_name": "now", "enabled": True},
        {"type": "builtin", "provider_name": "web", "tool_name": "search", "enabled": False},
    ]
    model = {"provider": OPENAI, "model": "gpt-4o", "model_type": "llm"}
    parameters = {
        "model": {"type": "constant", "value": model},
        "tools": {"type": "constant", "value": tools},
        "query": {"type": "constant", "value": "{{#sys.query#}}"},
    }
    node = {"type": "agent", "title": "Agent", "agent_parameters": parameters}

    assert found(a_workflow(node)) == {GPT, Needed(Kind.TOOL, "now", "time", "builtin")}


def test_an_app_without_a_workflow_needs_model_tools_and_knowledge_bases() -> None:
    tool = {"provider_type": "mcp", "provider_id": "pdf", "tool_name": "read", "enabled": True}
    off = {**tool, "tool_name": "write", "enabled": False}
    datasets = [{"dataset": {"enabled": True, "id": "one"}}, {"dataset": {"enabled": False}}]
    document = a_config(
        model={"provider": OPENAI, "name": "gpt-4o"},
        agent_mode={"enabled": True, "tools": [tool, off, {"dataset": {"id": "two"}}]},
        dataset_configs={"retrieval_model": "multiple", "datasets": {"datasets": datasets}},
    )

    assert found(document) == {
        GPT,
        Needed(Kind.TOOL, "read", "pdf", "mcp"),
        Needed(Kind.KNOWLEDGE_BASE, "one"),
        Needed(Kind.KNOWLEDGE_BASE, "two"),
    }
    assert references(document)[0].nodes == ("the app",)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "llm"},
        {"type": "llm", "model": "gpt-4o"},
        {"type": "llm", "model": {"provider": "", "name": ""}},
        {"type": "tool", "tool_name": ["x"], "provider_id": "y"},
        {"type": "knowledge-retrieval", "dataset_ids": "one"},
        {"type": "knowledge-retrieval", "dataset_ids": [None, 7, ""]},
        {"type": "agent", "agent_parameters": {"tools": {"value": ["x", 7]}}},
        {"type": "", "text": "a note"},
        "no object",
    ],
)
def test_what_has_another_shape_refers_to_nothing(odd: Any) -> None:
    assert found(a_workflow(odd)) == set()


def test_an_empty_configuration_refers_to_nothing() -> None:
    assert found(Document("workflow", {})) == set()
    assert found(Document("chat", {"model_config": None})) == set()


@pytest.mark.parametrize(
    ("said", "there", "same"),
    [
        ("openai", "openai", True),
        ("openai", "langgenius/openai/openai", True),
        ("langgenius/openai/openai", "openai", True),
        ("google", "langgenius/gemini/google", True),
        ("openai", "somebody/openai/openai", False),
        ("openai", "langgenius/openai/azure", False),
        ("a/b/openai", "langgenius/openai/openai", False),
    ],
)
def test_a_provider_has_a_short_name_from_before_plugins(said: str, there: str, same: bool) -> None:
    assert same_provider(said, there) is same
