from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from store.document import Document
from store.parts import root_of_parts, take_apart
from tests.unit.store.odd_documents import documents

CONTENT: dict[str, Any] = {
    "graph": {
        "nodes": [
            {
                "id": "1",
                "type": "custom",
                "position": {"x": 80, "y": 282.5},
                "positionAbsolute": {"x": 80, "y": 282.5},
                "width": 244,
                "height": 90,
                "selected": False,
                "sourcePosition": "right",
                "targetPosition": "left",
                "zIndex": 0,
                "data": {
                    "type": "start",
                    "title": "Start",
                    "selected": False,
                    "_connectedSourceHandleIds": ["source"],
                    "variables": [{"id": "v1", "variable": "query", "required": True}],
                },
            },
            {
                "id": "2",
                "type": "custom",
                "parentId": "9",
                "data": {
                    "type": "llm",
                    "title": "Answer",
                    "model": {"name": "gpt-4o", "completion_params": {"temperature": 1.0}},
                    "prompt_template": [{"id": "p1", "role": "system", "text": "Be kind."}],
                },
            },
            {
                "id": "3",
                "type": "custom",
                "data": {
                    "type": "if-else",
                    "cases": [
                        {
                            "id": "true",
                            "case_id": "true",
                            "conditions": [{"id": "c1", "value": "yes"}],
                        }
                    ],
                },
            },
            {"id": "4", "type": "custom", "data": {"type": "loop", "width": 388, "height": 200}},
            {"id": "5", "type": "custom-note", "data": {"type": "", "text": "a note"}},
        ],
        "edges": [
            {
                "id": "1-source-2-target",
                "source": "1",
                "sourceHandle": "source",
                "target": "2",
                "targetHandle": "target",
                "type": "custom",
                "zIndex": 0,
                "data": {"sourceType": "start", "targetType": "llm", "isInIteration": False},
            },
            {"id": "e2", "source": "2", "target": "3"},
        ],
        "viewport": {"x": 1, "y": 2, "zoom": 0.7},
    },
    "features": {"opening_statement": "Hello"},
    "environment_variables": [
        {"id": "k", "name": "API_KEY", "value_type": "secret", "description": "the key"},
        {"id": "r", "name": "REGION", "value_type": "string", "value": "eu", "selector": ["env"]},
    ],
    "conversation_variables": [{"id": "c", "name": "lang", "value_type": "string", "value": "en"}],
    "dependencies": [{"value": {"repo": "a"}}, {"value": {"repo": "b"}}],
    "app": {"name": "support", "icon": "x", "icon_background": "#fff", "icon_type": "emoji"},
}


def a_document(edit: Callable[[dict[str, Any]], object] = lambda content: None) -> Document:
    content = copy.deepcopy(CONTENT)
    edit(content)
    return Document("workflow", content)


def node(content: dict[str, Any], index: int) -> dict[str, Any]:
    found: dict[str, Any] = content["graph"]["nodes"][index]
    return found


NOISE: dict[str, Callable[[dict[str, Any]], object]] = {
    "the viewport": lambda c: c["graph"].update(viewport={"x": 99}),
    "a position": lambda c: node(c, 0).update(position={"x": 1}, positionAbsolute={"x": 1}),
    "a size": lambda c: node(c, 0).update(width=1, height=1, measured={"width": 1}),
    "a selection": lambda c: (node(c, 0).update(selected=True), node(c, 0)["data"].pop("selected")),
    "a mark of the editor": lambda c: node(c, 0)["data"].update(_isCandidate=True),
    "a note": lambda c: c["graph"]["nodes"].pop(4),
    "the order of nodes": lambda c: c["graph"]["nodes"].reverse(),
    "the order of edges": lambda c: c["graph"]["edges"].reverse(),
    "the order of variables": lambda c: c["environment_variables"].reverse(),
    "the order of dependencies": lambda c: c["dependencies"].reverse(),
    "an edge's id, type, zIndex": lambda c: c["graph"]["edges"][0].update(
        id="?", type="", zIndex=9
    ),
    "an edge's data": lambda c: c["graph"]["edges"][0].pop("data"),
    "a handle by default": lambda c: c["graph"]["edges"][0].pop("sourceHandle"),
    "a prompt's id": lambda c: node(c, 1)["data"]["prompt_template"][0].update(id="p2"),
    "a case's own id": lambda c: node(c, 2)["data"]["cases"][0].pop("id"),
    "a condition's id": lambda c: node(c, 2)["data"]["cases"][0]["conditions"][0].pop("id"),
    "a variable's inner id": lambda c: node(c, 0)["data"]["variables"][0].update(id="v2"),
    "the size of a loop's box": lambda c: node(c, 3)["data"].update(width=1, height=1),
    "an icon": lambda c: c["app"].update(icon="y", icon_background="#000"),
    "a selector": lambda c: c["environment_variables"][1].pop("selector"),
    "a secret's description": lambda c: c["environment_variables"][0].update(description="?"),
    "an integral float": lambda c: node(c, 1)["data"]["model"].update(
        completion_params={"temperature": 1}
    ),
}

MATTERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a node": lambda c: c["graph"]["nodes"].pop(3),
    "a node's id": lambda c: node(c, 0).update(id="11"),
    "a node's parent": lambda c: node(c, 1).pop("parentId"),
    "a title": lambda c: node(c, 1)["data"].update(title="Reply"),
    "a prompt": lambda c: node(c, 1)["data"]["prompt_template"][0].update(text="Be rude."),
    "the order of prompts": lambda c: node(c, 1)["data"]["prompt_template"].insert(0, {"text": ""}),
    "a model": lambda c: node(c, 1)["data"]["model"].update(name="gpt-4o-mini"),
    "a fraction": lambda c: node(c, 1)["data"]["model"].update(
        completion_params={"temperature": 1.1}
    ),
    "true for one": lambda c: node(c, 0)["data"]["variables"][0].update(required=1),
    "a case's handle": lambda c: node(c, 2)["data"]["cases"][0].update(case_id="false"),
    "the width that a tool takes": lambda c: node(c, 1)["data"].update(width=3),
    "an edge": lambda c: c["graph"]["edges"].pop(),
    "an edge drawn twice": lambda c: c["graph"]["edges"].append(c["graph"]["edges"][0]),
    "an edge's branch": lambda c: c["graph"]["edges"][1].update(sourceHandle="false"),
    "a feature": lambda c: c["features"].update(opening_statement="Hi"),
    "a value": lambda c: c["environment_variables"][1].update(value="us"),
    "a secret's name": lambda c: c["environment_variables"][0].update(name="KEY"),
    "a secret's id": lambda c: c["environment_variables"][0].update(id="k2"),
    "a conversation variable": lambda c: c["conversation_variables"].clear(),
    "a dependency": lambda c: c["dependencies"].pop(),
    "a key that we do not know": lambda c: node(c, 1).update(future=1),
    "a section that we do not know": lambda c: c.update(future={}),
}


@pytest.mark.parametrize("what", NOISE)
def test_noise_changes_the_root_and_not_the_meaning(what: str) -> None:
    before, after = a_document(), a_document(NOISE[what])

    assert after.root != before.root
    assert after.meaning == before.meaning


@pytest.mark.parametrize("what", MATTERS)
def test_what_matters_changes_both(what: str) -> None:
    before, after = a_document(), a_document(MATTERS[what])

    assert after.root != before.root
    assert after.meaning != before.meaning


def test_the_mode_is_part_of_both() -> None:
    before, after = a_document(), Document("advanced-chat", CONTENT)

    assert after.root != before.root
    assert after.meaning != before.meaning


def test_root_and_meaning_are_never_mistaken_for_each_other() -> None:
    plain = Document("chat", {"features": {}})

    assert plain.meant == plain.content
    assert plain.meaning != plain.root


@given(documents)
@settings(max_examples=40)
def test_the_meaning_does_not_depend_on_any_order(document: Document) -> None:
    content = copy.deepcopy(dict(document.content))
    dice = random.Random(document.root)
    graph = content.get("graph")
    if isinstance(graph, dict):
        for name in ("nodes", "edges"):
            if isinstance(graph.get(name), list):
                dice.shuffle(graph[name])
    keys = list(content)
    dice.shuffle(keys)

    assert Document(document.mode, {k: content[k] for k in keys}).meaning == document.meaning


@given(documents)
@settings(max_examples=40)
def test_what_is_meant_means_the_same_again(document: Document) -> None:
    assert document.meant == Document(document.mode, document.content).meant


@given(documents)
def test_the_meaning_is_the_root_over_the_parts_of_what_matters(document: Document) -> None:
    parts = take_apart(document.meant)
    expected = root_of_parts(document.mode, ((p.path, p.hash) for p in parts), tag="meaning")

    assert document.meaning == expected
    assert Document(document.mode, document.content).meaning == expected  # now from memory
