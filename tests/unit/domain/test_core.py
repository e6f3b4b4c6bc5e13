"""Core parameters: which changes touch one, and how they read."""

from __future__ import annotations

from typing import Any

from bot.domain.core import DEFAULT, told
from bot.domain.diff.changes import compare
from store.document import Document


def a_workflow(*nodes: dict[str, Any], **features: Any) -> Document:
    graph = {"nodes": list(nodes), "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}}
    content = {"graph": graph, "features": features, "environment_variables": []}
    return Document("workflow", content)


def an_llm(key: str = "llm", **changes: Any) -> dict[str, Any]:
    model: dict[str, Any] = {"provider": "openai", "name": "gpt-4o", "mode": "chat"}
    model |= {"completion_params": {"temperature": 0.2}, **changes}
    prompt = [{"role": "system", "text": "Answer kindly."}]
    data = {"type": "llm", "title": "Answer", "model": model, "prompt_template": prompt}
    return {"id": key, "position": {"x": 0, "y": 0}, "data": data}


def lines(old: Document, new: Document, core: tuple[str, ...] = DEFAULT) -> list[str]:
    return told(compare(old, new), core)


def test_another_model_is_one_line() -> None:
    old, new = a_workflow(an_llm()), a_workflow(an_llm(name="gpt-4o-mini"))

    assert lines(old, new) == ["Answer · model/name: gpt-4o → gpt-4o-mini"]


def test_what_is_not_core_is_not_told() -> None:
    hotter = an_llm(completion_params={"temperature": 0.9})
    old, new = a_workflow(an_llm()), a_workflow(hotter)

    assert lines(old, new) == []
    found = lines(old, new, ("completion_params",))
    assert found == ["Answer · completion_params/temperature: 0.2 → 0.9"]


def test_the_model_of_a_node_that_is_added_or_removed_is_told() -> None:
    old = a_workflow(an_llm())
    new = a_workflow(an_llm(), an_llm("second", name="o3", provider="azure"))

    assert lines(old, new) == [
        "Answer · model/name: nothing → o3",
        "Answer · model/provider: nothing → azure",
    ]
    assert "Answer · model/name: o3 → nothing" in lines(new, old)


def test_moderation_that_is_turned_off_is_told() -> None:
    old = a_workflow(an_llm(), sensitive_word_avoidance={"enabled": True, "type": "keywords"})
    new = a_workflow(an_llm(), sensitive_word_avoidance={"enabled": False, "type": "keywords"})

    (line,) = lines(old, new)

    assert line.endswith("sensitive_word_avoidance/enabled: true → false")


def test_without_core_parameters_nothing_is_told() -> None:
    assert lines(a_workflow(an_llm()), a_workflow(an_llm(name="o3")), ()) == []
