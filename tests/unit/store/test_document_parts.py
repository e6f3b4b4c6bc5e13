from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings

from store.document import (
    Document,
    Secret,
    SecretInDocument,
    Unreadable,
    hash_of_part,
    join,
    root_of_parts,
    split,
)
from tests.unit.store.odd_documents import documents


def a_document(**changes: object) -> Document:
    content = {
        "graph": {
            "nodes": [
                {"id": "1", "data": {"type": "start", "title": "Start"}},
                {"id": "2", "data": {"type": "llm", "title": "Answer"}},
            ],
            "edges": [{"id": "e", "source": "1", "target": "2"}],
            "viewport": {"x": 0, "y": 0, "zoom": 1},
        },
        "features": {},
        "environment_variables": [{"id": "k", "name": "API_KEY", "value_type": "secret"}],
        "conversation_variables": [],
        **changes,
    }
    return Document("workflow", content)


@given(documents)
@settings(max_examples=40)
def test_what_was_split_joins_to_the_same_document(document: Document) -> None:
    items = [(part.path, part.data) for part in split(document)]
    random.Random(len(items)).shuffle(items)

    again = join(document.mode, items)

    assert again == document
    assert again.root == document.root
    assert again.meaning == document.meaning
    assert again.content == document.content


@given(documents)
@settings(max_examples=40)
def test_paths_are_unique_short_and_plain(document: Document) -> None:
    paths = [part.path for part in split(document)]

    assert len(set(paths)) == len(paths)
    assert all(len(path) < 200 and path.isascii() and path.isprintable() for path in paths)


@given(documents)
@settings(max_examples=40)
def test_the_root_follows_from_paths_and_hashes_alone(document: Document) -> None:
    hashes = [(part.path, part.hash) for part in split(document)]

    assert root_of_parts(document.mode, reversed(hashes)) == document.root
    assert all(hash_of_part(part.data) == part.hash for part in split(document))


@given(documents, documents)
@settings(max_examples=40)
def test_documents_are_equal_exactly_if_their_roots_are(one: Document, other: Document) -> None:
    assert (one == other) == (one.root == other.root)
    assert (split(one) == split(other) and one.mode == other.mode) == (one == other)


def test_equality_tells_true_from_one_and_one_from_its_float() -> None:
    one, true, float_one = (a_document(features={"a": value}) for value in (1, True, 1.0))

    assert len({one, true, float_one}) == 3


def test_a_document_does_not_follow_changes_of_what_it_was_made_from() -> None:
    features = {"a": 1}
    document = a_document(features=features)

    features["a"] = 2

    assert document.content["features"] == {"a": 1}


def test_one_edited_node_changes_one_part() -> None:
    before = a_document()
    nodes = [dict(node) for node in before.content["graph"]["nodes"]]
    nodes[1]["data"] = {"type": "llm", "title": "Reply"}
    after = a_document(graph={**before.content["graph"], "nodes": nodes})

    assert {part.path for part in set(split(after)) - set(split(before))} == {"graph/nodes/2"}


def test_the_order_of_nodes_and_duplicate_ids_survive() -> None:
    nodes = [{"id": "9", "n": 1}, {"id": "1"}, {"id": "9", "n": 2}, {}, "odd", {"id": 5}]
    document = a_document(graph={"nodes": nodes, "edges": None})

    again = join("workflow", ((part.path, part.data) for part in split(document)))

    assert again.content["graph"] == {"nodes": nodes, "edges": None}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda items: [item for item in items if item[0] != "graph/nodes"],
        lambda items: [item for item in items if item[0] != "graph/nodes/1"],
        lambda items: [*items, items[0]],
        lambda items: [*items, ("graph/nodes/77", b"{}")],
        lambda items: [*items, ("strange", b"{}")],
        lambda items: [*items[1:], (items[0][0], b"{")],
        lambda items: [*items, ("other", b"[]")],
        lambda items: [("graph/nodes", b"[[1]]") if i[0] == "graph/nodes" else i for i in items],
    ],
)
def test_parts_that_make_no_document_are_refused(spoil: object) -> None:
    items = [(part.path, part.data) for part in split(a_document())]

    with pytest.raises(Unreadable):
        join("workflow", spoil(items))  # type: ignore[operator]


@pytest.mark.parametrize(
    "name", ["environment_variables", "conversation_variables", "rag_pipeline_variables"]
)
@pytest.mark.parametrize("value", ["hunter2", "", "*" * 20, None])
def test_a_secret_with_a_value_makes_no_document(name: str, value: str | None) -> None:
    secret = {"id": "k", "name": "API_KEY", "value_type": "secret", "value": value}

    with pytest.raises(SecretInDocument) as refused:
        a_document(**{name: [secret]})

    assert "hunter2" not in str(refused.value)


def test_secrets_are_known_by_id_and_name() -> None:
    odd = {"value_type": "secret", "name": 5}
    variables = [*a_document().content["environment_variables"], odd, "odd", {"name": "plain"}]

    assert a_document(environment_variables=variables).secrets == (
        Secret("k", "API_KEY"),
        Secret("", ""),
    )
    assert a_document(environment_variables="odd").secrets == ()


@pytest.mark.parametrize(
    ("graph", "empty"),
    [
        ({"nodes": [{"id": "1"}]}, False),
        ({"nodes": []}, True),
        ({}, True),
        (None, True),
        ({"nodes": [{"id": "1", "type": "custom-note"}]}, True),
    ],
)
def test_a_graph_without_a_node_that_runs_is_empty(graph: object, empty: bool) -> None:
    assert a_document(graph=graph).empty_graph is empty


def test_a_chat_application_has_no_graph_to_be_empty() -> None:
    assert not Document("chat", {"model_config": {}}).empty_graph
    assert Document("workflow", {}).empty_graph


def test_a_recalled_document_is_read_once_whoever_asks_first() -> None:
    document = a_document()
    asked: list[int] = []

    def read() -> Mapping[str, Any]:
        asked.append(1)
        return document.content

    known = Document.recalled(document.mode, document.root, document.meaning, read)
    assert (known == document, asked) == (True, [])

    assert known.parts == document.parts
    assert known.secrets == document.secrets
    assert known.content is document.content
    assert asked == [1]
    with pytest.raises(AttributeError, match="nothing"):
        _ = known.nothing


def test_one_that_another_thread_has_read_meanwhile_is_there() -> None:
    document = a_document()
    known = Document.recalled(document.mode, document.root, document.meaning, lambda: {})
    vars(known)["content"] = document.content  # in the moment before we looked for how to read it
    vars(known).pop("_read")

    assert known.__getattr__("content") is document.content
