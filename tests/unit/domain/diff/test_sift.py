"""What is the same on both sides is not read, and that is seen in nothing but the time."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.diff.changes import compare
from bot.domain.diff.raw import compare_json
from bot.domain.diff.sift import sift
from bot.domain.redact_fields import DRAWN, OPEN_FIELDS, node_may_hold_credentials
from store.document import Document

KEY = "zq8Lw0Kd71vTn4"


def an_llm(name: str, prompt: str, **more: Any) -> dict[str, Any]:
    said = [{"role": "system", "text": prompt}]
    return {
        "id": name,
        "type": "custom",
        "data": {"type": "llm", "title": f"Step {name}", "prompt_template": said},
        "position": {"x": 1, "y": 2},
        **more,
    }


def a_call(name: str, key: str = "") -> dict[str, Any]:
    headers = f"X-Custom: {key}" if key else ""
    return {"id": name, "data": {"type": "http-request", "title": name, "headers": headers}}


def a_code(name: str) -> dict[str, Any]:
    return {"id": name, "data": {"type": "code", "title": f"Code {name}", "code": "x = 1"}}


nodes = st.lists(
    st.one_of(
        st.builds(an_llm, st.sampled_from("abc"), st.sampled_from(["hello", f"use {KEY}", ""])),
        st.builds(a_call, st.sampled_from("abcd"), st.sampled_from(["", KEY])),
        st.builds(a_code, st.sampled_from("abcde")),
        st.sampled_from([{}, {"id": 7}, {"id": ""}, {"data": {"type": "code"}}, 3, None, "note"]),
    ),
    max_size=7,
)
edges = st.lists(
    st.builds(
        lambda source, target: {"id": f"{source}-{target}", "source": source, "target": target},
        st.sampled_from("abcde"),
        st.sampled_from("abcde"),
    ),
    max_size=6,
)
graphs = st.builds(
    lambda nodes, edges, more: {"nodes": nodes, "edges": edges, **more},
    nodes,
    edges,
    st.sampled_from([{}, {}, {}, {"viewport": {"x": 1}}, {"unknown": [1]}]),
)


def texts(*contents: dict[str, Any]) -> list[bytes]:
    return [orjson.dumps(content) for content in contents]


@given(graphs, graphs, st.booleans())
@settings(max_examples=400)
def test_a_difference_is_the_same_whether_read_in_full_or_not(
    one: dict[str, Any], other: dict[str, Any], layout: bool
) -> None:
    sides = [{"graph": graph} for graph in (one, other)]

    found = compare_json(*texts(*sides), layout=layout)

    assert found == compare(*(Document("workflow", side) for side in sides), layout=layout)


@given(nodes, edges, st.data())
@settings(max_examples=200)
def test_it_is_the_same_for_two_that_share_most(
    kept: list[Any], between: list[Any], data: st.DataObject
) -> None:
    more = data.draw(nodes)
    at = data.draw(st.integers(0, len(kept)))
    left, right = ({"nodes": kept, "edges": between}, {"nodes": [*kept[:at], *more, *kept[at:]]})
    sides = [{"graph": left}, {"graph": {**right, "edges": between[at:]}}]
    shuffled = data.draw(st.permutations(kept))
    sides += [{"graph": {"nodes": shuffled, "edges": between}}]

    for one, other in ((0, 1), (1, 0), (0, 2), (1, 2)):
        found = compare_json(*texts(sides[one], sides[other]))
        whole = compare(Document("workflow", sides[one]), Document("workflow", sides[other]))
        assert found == whole


def test_a_credential_of_a_node_that_did_not_change_is_hidden_where_it_was_pasted() -> None:
    call, before, after = a_call("call", KEY), an_llm("a", "hello"), an_llm("a", f"say {KEY}!")
    sides = texts(*({"graph": {"nodes": [call, llm]}} for llm in (before, after)))

    found = compare_json(*sides)

    assert len(found.changes) == 1
    assert KEY not in json.dumps(found.changes[0].after)
    assert "••••" in json.dumps(found.changes[0].after, ensure_ascii=False)


def test_a_connection_is_called_by_titles_of_nodes_that_did_not_change() -> None:
    both = [a_code("a"), an_llm("b", "hello")]
    edge = {"id": "e", "source": "a", "target": "b"}
    sides = texts(
        {"graph": {"nodes": both, "edges": []}}, {"graph": {"nodes": both, "edges": [edge]}}
    )

    assert [change.subject for change in compare_json(*sides).changes] == ["Code a → Step b"]


def test_of_nodes_that_did_not_change_nothing_is_left_but_what_may_hold_a_credential() -> None:
    many = [an_llm(f"n{n}", f"prompt {n}") for n in range(50)]
    old = [*many, a_call("call", KEY), a_call("other")]
    new = [an_llm("n3", "another"), *(node for node in old if node["id"] != "n3")]
    sides = texts(*({"graph": {"nodes": nodes}} for nodes in (old, new)))

    sifted = sift(*sides)

    assert sifted is not None
    before, after, left_out = sifted
    assert [side["graph"]["nodes"] for side in (before, after)] == [[many[3]], [new[0]]]
    assert left_out.suspects == [a_call("call", KEY)]
    assert len(left_out.nodes) == 51
    assert left_out.nodes["n7"] == many[7]


@given(
    st.sampled_from([*OPEN_FIELDS, "tool", "http-request", "start"]),
    st.dictionaries(
        st.sampled_from(
            sorted({*(f for fields in OPEN_FIELDS.values() for f in fields), "headers", "api_key"})
        ),
        st.sampled_from(["", "X: 1", {"api_key": KEY}, [{"key": "token", "value": KEY}], None, 3]),
    ),
    st.sampled_from(sorted(DRAWN | {"secret"})),
)
def test_what_is_taken_for_open_unread_holds_no_credential_by_the_rule(
    kind: str, fields: dict[str, Any], beside: str
) -> None:
    node = {"id": "a", beside: "a", "data": {**fields, "type": kind}}
    graph = {"graph": {"nodes": [node]}}

    sifted = sift(*texts(graph, graph))

    assert sifted is not None
    assert bool(sifted[2].suspects) == node_may_hold_credentials(node)


@pytest.mark.parametrize(
    "broken",
    [
        b'{"graph": {"nodes": [{"id": "a", "x": "\xff"}]}}',
        b'{"graph": {"nodes": [{"id": "a", "x": "\\ud800"}]}}',
        b'{"graph": {"nodes": [{"id": "a", "x": 01}]}}',
        b'{"graph": {"nodes": [{"id": "a", "x": NaN}]}}',
        b'{"graph": {"nodes": {"id": "a"}}}',
        b'{"graph": {"nodes": []}} more',
        b'{"model_config": {}}',
        b"",
    ],
)
def test_what_is_no_workflow_is_left_to_who_names_the_place(broken: bytes) -> None:
    assert sift(broken, broken) is None
