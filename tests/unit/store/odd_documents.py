"""Documents of every odd shape that a target might hand out, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from store.document import Document

texts = st.text(st.sampled_from("aZ9 _-:/#~.é字😀\n\x00\u202e\ue000\ue001"), max_size=8)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values: st.SearchStrategy[Any] = st.one_of(
    scalars,
    st.lists(scalars, max_size=2),
    st.dictionaries(texts, scalars, max_size=2),
    st.lists(st.dictionaries(texts, scalars, max_size=2), max_size=2),
    st.dictionaries(texts, st.lists(scalars, max_size=2), max_size=2),
)
ids = st.sampled_from(["1", "2", "3", "a b", "x/y", "#1", "~", "", "ключ", "1#2", "n" * 200])


@st.composite
def nodes(draw: st.DrawFn) -> Any:
    """A node, or what stands in its place."""
    if draw(st.integers(0, 9)) == 0:
        return draw(values)
    data = {
        "type": draw(st.sampled_from(["llm", "code", "if-else", "loop", "tool", ""])),
        "title": draw(texts),
        **draw(st.dictionaries(st.sampled_from(FIELDS), values, max_size=3)),
    }
    node = {
        "id": draw(ids),
        "type": draw(st.sampled_from(["custom", "custom", "custom-note"])),
        "data": data,
        "position": {"x": draw(st.integers(0, 9)), "y": 0.5},
        **draw(st.dictionaries(texts, values, max_size=1)),
    }
    for key in draw(st.sets(st.sampled_from(["id", "type", "data"]), max_size=1)):
        del node[key]
    return node


FIELDS = [
    *("model", "prompt_template", "code", "cases", "variables", "_targetBranches", "selected"),
    *("width", "tool_parameters", "headers", "authorization", "conditions", "advanced_settings"),
]


@st.composite
def edges(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return draw(values)
    handles = st.sampled_from([None, "source", "true", "false"])
    edge = {
        "id": draw(ids),
        "source": draw(ids),
        "target": draw(ids),
        "sourceHandle": draw(handles),
        "data": draw(values),
    }
    for key in draw(st.sets(st.sampled_from(sorted(edge)), max_size=2)):
        del edge[key]
    return edge


@st.composite
def variables(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return draw(scalars)
    variable = {
        "id": draw(ids),
        "name": draw(st.sampled_from(["API_KEY", "limit", "region", ""])),
        "value_type": draw(st.sampled_from(["string", "number", "secret"])),
        "description": draw(texts),
    }
    if variable["value_type"] != "secret":
        variable["value"] = draw(values)
    return variable


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """The content of a document; now and then a section is something else altogether."""
    content: dict[str, Any] = {
        "graph": {
            "nodes": draw(st.lists(nodes(), max_size=4)),
            "edges": draw(st.lists(edges(), max_size=4)),
            "viewport": {"x": draw(st.integers(0, 3)), "y": 0, "zoom": 1.0},
            **draw(st.dictionaries(texts, values, max_size=1)),
        },
        "features": draw(values),
        "environment_variables": draw(st.lists(variables(), max_size=3)),
        "conversation_variables": draw(st.lists(variables(), max_size=2)),
        **draw(st.dictionaries(texts, values, max_size=1)),
    }
    strange = {
        "graph": values,
        "environment_variables": values,
        "dependencies": values,
        "app": values,
        "model_config": values,
        "rag_pipeline_variables": values,
    }
    for key in draw(st.sets(st.sampled_from(sorted(strange)), max_size=2)):
        content[key] = draw(strange[key])
    if draw(st.booleans()):
        content.pop(draw(st.sampled_from(sorted(content))))
    return content


def _allowed(content: dict[str, Any]) -> bool:
    lists = (content.get(name) for name in content if name.endswith("_variables"))
    items = (item for value in lists if isinstance(value, list) for item in value)
    return not any(
        isinstance(item, dict) and item.get("value_type") == "secret" and "value" in item
        for item in items
    )


documents = st.builds(
    Document, st.sampled_from(["workflow", "advanced-chat", "chat"]), contents().filter(_allowed)
)
