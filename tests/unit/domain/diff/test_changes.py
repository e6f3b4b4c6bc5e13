from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from bot.domain.diff.changes import (
    Change,
    ChangeKind,
    ChangeList,
    ChangeOp,
    compare,
    compare_contents,
)
from bot.domain.diff.kinds import kind_in_model_config, kind_in_node
from store.document import Document, canonical
from tests.unit.store.odd_documents import documents


def llm(node_id: str, title: str, prompt: str, model: str = "gpt-4o", **data: Any) -> Any:
    return {
        "id": node_id,
        "type": "custom",
        "data": {
            "type": "llm",
            "title": title,
            "model": {
                "name": model,
                "provider": "openai",
                "completion_params": {"temperature": 0.2},
            },
            "prompt_template": [
                {"role": "system", "text": prompt},
                {"role": "user", "text": "{{#sys.query#}}"},
            ],
            **data,
        },
    }


def a_node(node_id: str, node_type: str, **data: Any) -> Any:
    return {
        "id": node_id,
        "type": "custom",
        "data": {"type": node_type, "title": node_type, **data},
    }


CONTENT: dict[str, Any] = {
    "graph": {
        "nodes": [
            a_node("1", "start", variables=[{"variable": "query", "type": "paragraph"}]),
            llm("2", "Classify ticket", "Be kind.\nBe brief."),
            a_node("3", "code", code="return 1", outputs={"result": {"type": "string"}}),
            a_node("4", "http-request", url="https://a.example", headers="Accept: text/plain"),
            a_node("5", "tool", tool_name="search", tool_parameters={"n": {"value": 3}}),
            a_node("6", "knowledge-retrieval", dataset_ids=["d1"]),
            a_node("7", "if-else", cases=[{"case_id": "true", "conditions": [{"value": "a"}]}]),
        ],
        "edges": [
            {"id": "e1", "source": "1", "target": "2"},
            {"id": "e2", "source": "7", "sourceHandle": "true", "target": "3"},
        ],
    },
    "features": {"opening_statement": "Hello", "file_upload": {"enabled": False}},
    "environment_variables": [
        {"id": "k", "name": "API_KEY", "value_type": "secret"},
        {"id": "r", "name": "REGION", "value_type": "string", "value": "eu"},
    ],
    "conversation_variables": [],
    "dependencies": [
        {"value": {"marketplace_plugin_unique_identifier": "langgenius/openai:0.0.1@aa"}}
    ],
    "app": {"name": "support", "description": "answers"},
}


def a_document(edit: Callable[[dict[str, Any]], object] = lambda content: None) -> Document:
    content = copy.deepcopy(CONTENT)
    edit(content)
    return Document("workflow", content)


def data(content: dict[str, Any], node_id: int) -> dict[str, Any]:
    found: dict[str, Any] = content["graph"]["nodes"][node_id - 1]["data"]
    return found


def only_change(edit: Callable[[dict[str, Any]], object]) -> Change:
    changes = compare(a_document(), a_document(edit)).changes
    assert len(changes) == 1, changes
    return changes[0]


EDITS: list[tuple[str, Callable[[dict[str, Any]], object], str, str]] = [
    ("model", lambda c: data(c, 2)["model"].update(name="o1"), "changed", "nodes/2/model/name"),
    (
        "model",
        lambda c: data(c, 2)["model"]["completion_params"].update(temperature=0.9),
        "changed",
        "nodes/2/model/completion_params/temperature",
    ),
    (
        "prompt",
        lambda c: data(c, 2)["prompt_template"][0].update(text="Be rude."),
        "changed",
        "nodes/2/prompt_template/1/text",
    ),
    (
        "prompt",
        lambda c: data(c, 2)["prompt_template"].append({"role": "user", "text": "x"}),
        "added",
        "nodes/2/prompt_template/3",
    ),
    ("code", lambda c: data(c, 3).update(code="return 2"), "changed", "nodes/3/code"),
    ("code", lambda c: data(c, 3)["outputs"].clear(), "removed", "nodes/3/outputs/result"),
    ("http", lambda c: data(c, 4).update(url="https://b.example"), "changed", "nodes/4/url"),
    ("tool", lambda c: data(c, 5).update(tool_name="find"), "changed", "nodes/5/tool_name"),
    ("knowledge", lambda c: data(c, 6).update(dataset_ids=[]), "changed", "nodes/6/dataset_ids"),
    (
        "condition",
        lambda c: data(c, 7)["cases"][0]["conditions"][0].update(value="b"),
        "changed",
        "nodes/7/cases/true/conditions/1/value",
    ),
    (
        "variable",
        lambda c: data(c, 1)["variables"][0].update(type="select"),
        "changed",
        "nodes/1/variables/query/type",
    ),
    (
        "variable",
        lambda c: c["environment_variables"][1].update(value="us"),
        "changed",
        "environment_variables/REGION/value",
    ),
    (
        "variable",
        lambda c: c["environment_variables"].pop(0),
        "removed",
        "environment_variables/API_KEY",
    ),
    (
        "variable",
        lambda c: c["conversation_variables"].append({"id": "v", "name": "lang", "value": "en"}),
        "added",
        "conversation_variables/lang",
    ),
    (
        "feature",
        lambda c: c["features"]["file_upload"].update(enabled=True),
        "changed",
        "features/file_upload/enabled",
    ),
    ("feature", lambda c: c.pop("features"), "removed", "features"),
    ("node", lambda c: c["graph"]["nodes"].append(a_node("8", "end")), "added", "nodes/8"),
    ("node", lambda c: c["graph"]["nodes"].pop(), "removed", "nodes/7"),
    ("node", lambda c: data(c, 3).update(error_strategy="none"), "added", "nodes/3/error_strategy"),
    ("edge", lambda c: c["graph"]["edges"].pop(0), "removed", "edges/1:source:2"),
    ("title", lambda c: data(c, 3).update(title="Count"), "renamed", "nodes/3/title"),
    ("title", lambda c: c["app"].update(name="help"), "renamed", "app/name"),
    (
        "other",
        lambda c: c.update(
            dependencies=[
                {"value": {"marketplace_plugin_unique_identifier": "langgenius/openai:0.0.2@bb"}}
            ]
        ),
        "changed",
        "dependencies/langgenius_openai/value/marketplace_plugin_unique_identifier",
    ),
    ("other", lambda c: c["graph"].update(future=1), "added", "future"),
    ("other", lambda c: c.update(future=1), "added", "future"),
]


NODE_FIELDS = [
    ("llm", "memory/window/size", "model"),
    ("answer", "answer", "prompt"),
    ("template-transform", "template", "code"),
    ("template-transform", "variables", "variable"),
    ("agent", "agent_parameters/model/value/model", "model"),
    ("agent", "agent_parameters/instruction/value", "prompt"),
    ("agent", "agent_parameters/tools/value", "tool"),
    ("agent", "agent_strategy_name", "tool"),
    ("question-classifier", "classes", "condition"),
    ("question-classifier", "instruction", "prompt"),
    ("question-classifier", "model/name", "model"),
    ("parameter-extractor", "parameters", "variable"),
    ("loop", "break_conditions", "condition"),
    ("iteration", "parallel_nums", "node"),
    ("iteration", "iterator_selector", "variable"),
    ("http-request", "retry_config/max_retries", "node"),
    ("http-request", "title", "title"),
    ("code", "iteration_id", "node"),
    ("code", "type", "node"),
    ("a type of tomorrow", "field", "node"),
]


@pytest.mark.parametrize(("node_type", "path", "kind"), NODE_FIELDS)
def test_each_field_of_a_node_has_its_kind(node_type: str, path: str, kind: str) -> None:
    assert kind_in_node(node_type, path.split("/")) == kind


def test_a_change_of_a_node_as_a_whole_is_a_change_of_a_node() -> None:
    def flatten(content: dict[str, Any]) -> None:
        content["graph"]["nodes"][2]["data"] = "odd"

    assert only_change(flatten).kind == "node"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("model/name", "model"),
        ("pre_prompt", "prompt"),
        ("agent_mode/tools", "tool"),
        ("dataset_configs/top_k", "knowledge"),
        ("user_input_form", "variable"),
        ("opening_statement", "feature"),
        ("", "feature"),
    ],
)
def test_each_field_of_a_chat_application_has_its_kind(path: str, kind: str) -> None:
    assert kind_in_model_config(path.split("/") if path else []) == kind


def test_a_chat_application_is_compared_field_by_field() -> None:
    def chat(model: str, prompt: str) -> Document:
        config = {"model": {"name": model, "provider": "openai"}, "pre_prompt": prompt}
        return Document("chat", {"model_config": config})

    changes = compare(chat("gpt-4o", "Be kind."), chat("gpt-4o-mini", "Be rude."))

    assert changes.summary() == "model gpt-4o → gpt-4o-mini, 1 prompt reworded"


def test_dependencies_are_compared_plugin_by_plugin() -> None:
    def document(*values: object) -> Document:
        return Document("workflow", {"dependencies": [{"value": value} for value in values]})

    changes = compare(document({"repo": "a"}, "odd"), document({"repo": "a"}, {"repo": "b"}))

    assert [(change.subject, change.op) for change in changes.changes] == [
        ("plugin ?", "removed"),
        ("plugin b", "added"),
    ]


@pytest.mark.parametrize(("kind", "edit", "op", "where"), EDITS, ids=[e[3] for e in EDITS])
def test_each_edit_is_one_change_of_its_kind_in_its_place(
    kind: str, edit: Callable[[dict[str, Any]], object], op: str, where: str
) -> None:
    change = only_change(edit)

    assert (change.kind, change.op, change.where) == (kind, op, where)


def test_a_change_names_the_thing_and_both_values() -> None:
    change = only_change(lambda c: data(c, 2)["model"].update(name="gpt-4o-mini"))

    assert change == Change(
        ChangeKind.MODEL,
        ChangeOp.CHANGED,
        "Classify ticket",
        "nodes/2/model/name",
        "gpt-4o",
        "gpt-4o-mini",
    )


def test_an_edge_is_called_by_the_titles_at_its_ends() -> None:
    assert only_change(lambda c: c["graph"]["edges"].pop(1)).subject == "if-else (true) → code"


def test_a_variable_that_was_made_anew_under_its_name_is_one_change() -> None:
    change = only_change(lambda c: c["environment_variables"][1].update(id="r2"))

    assert (change.subject, change.where) == ("REGION", "environment_variables/REGION/id")


def test_riskier_kinds_come_first() -> None:
    def edit(content: dict[str, Any]) -> None:
        content["app"]["name"] = "help"
        data(content, 3)["code"] = "return 2"
        data(content, 2)["prompt_template"][0]["text"] = "?"
        data(content, 2)["model"]["name"] = "o1"

    changes = compare(a_document(), a_document(edit))

    assert list(changes.counts()) == ["model", "prompt", "code", "title"]
    assert [change.kind for change in changes.top(2)] == ["model", "prompt"]
    assert changes.top(-1) == ()


def test_a_thing_that_was_dragged_elsewhere_in_its_list_is_one_move() -> None:
    def add(content: dict[str, Any]) -> None:
        data(content, 1)["variables"].append({"variable": "lang"})

    def add_first(content: dict[str, Any]) -> None:
        data(content, 1)["variables"].insert(0, {"variable": "lang"})

    (change,) = compare(a_document(add), a_document(add_first)).changes

    assert (change.op, change.where) == ("moved", "nodes/1/variables/lang")
    assert (change.before, change.after) == (2, 1)


def test_layout_is_no_difference() -> None:
    def move(content: dict[str, Any]) -> None:
        for node in content["graph"]["nodes"]:
            node["position"] = {"x": 5, "y": 5}
        content["graph"]["nodes"].reverse()

    assert compare(a_document(), a_document(move)) == ChangeList()


@pytest.mark.parametrize(("before", "after"), [(True, 1), (0, False), (None, {}), ("1", 1)])
def test_values_of_different_types_differ(before: object, after: object) -> None:
    one, other = (Document("workflow", {"features": {"a": v}}) for v in (before, after))

    (change,) = compare(one, other).changes

    assert (change.before, change.after) == (before, after)


def test_a_mode_is_a_difference() -> None:
    (change,) = compare(Document("chat", {}), Document("agent-chat", {})).changes

    assert (change.kind, change.before, change.after) == ("other", "chat", "agent-chat")


@given(documents)
@settings(max_examples=40)
def test_a_document_does_not_differ_from_itself(document: Document) -> None:
    again = Document(document.mode, document.content)

    assert compare(document, again).changes == ()


@given(documents, documents)
@settings(max_examples=60)
def test_there_are_changes_exactly_if_the_meanings_differ(one: Document, other: Document) -> None:
    changes = compare(one, other)

    assert bool(changes.changes) == (one.meaning != other.meaning)
    assert compare(one, other).digest == changes.digest
    if "\ue000" not in canonical([one.content, other.content]).decode():
        assert "\ue000" not in changes.canonical().decode()


@given(documents, documents)
@settings(max_examples=30)
def test_what_is_added_one_way_is_removed_the_other_way(one: Document, other: Document) -> None:
    there = [(c.kind, c.op) for c in compare(one, other).changes]
    back = [(c.kind, c.op) for c in compare(other, one).changes]

    for kind in ("node", "edge", "variable", "feature", "other"):
        assert there.count((ChangeKind(kind), ChangeOp.ADDED)) == back.count(
            (ChangeKind(kind), ChangeOp.REMOVED)
        )


def test_the_digest_covers_the_schema_and_every_field_of_every_change() -> None:
    change = Change(ChangeKind.MODEL, ChangeOp.CHANGED, "a", "b", "c", "d")
    digests = {ChangeList().digest, ChangeList((change,)).digest, ChangeList((change,), 3).digest}
    for field in ("subject", "where", "before", "after"):
        digests.add(ChangeList((Change(**{**vars(change), field: "x"}),)).digest)

    assert len(digests) == 7
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests)


def test_the_digest_of_a_known_list_stays_what_it_was() -> None:
    change = Change(ChangeKind.MODEL, ChangeOp.CHANGED, "Answer", "nodes/2/model/name", "a", "b")
    changes = ChangeList((change,))

    assert json.loads(changes.canonical())["schema"] == 2
    assert changes.digest == DIGEST


DIGEST = "a58638793c93aa864f625259c725fc33e44e574de0be883dde407b949a80202a"


@pytest.mark.parametrize(
    ("edit", "summary"),
    [
        (lambda c: data(c, 2)["model"].update(name="gpt-4o-mini"), "model gpt-4o → gpt-4o-mini"),
        (
            lambda c: data(c, 2)["model"].update(name="claude", provider="anthropic"),
            "model gpt-4o → claude",
        ),
        (
            lambda c: data(c, 2)["prompt_template"][0].update(text="?"),
            "1 prompt reworded",
        ),
        (
            lambda c: [prompt.update(text="?") for prompt in data(c, 2)["prompt_template"]],
            "2 prompts reworded",
        ),
        (lambda c: c["graph"]["nodes"].append(a_node("8", "end")), "1 node added"),
        (lambda c: None, "no difference that matters"),
    ],
)
def test_the_summary_is_plain_words(edit: Callable[[dict[str, Any]], object], summary: str) -> None:
    assert compare(a_document(), a_document(edit)).summary() == summary


def test_many_swapped_models_are_counted() -> None:
    def document(*models: str) -> Document:
        nodes = [llm(str(n), "", "", model) for n, model in enumerate(models)]
        return Document("workflow", {"graph": {"nodes": nodes}})

    changes = compare(document("a", "b", "c", "d"), document("e", "f", "g", "h"))

    assert changes.summary() == "model a → e, model b → f, 2 more models swapped"


def test_a_summary_of_everything_is_still_one_short_line() -> None:
    def edit(content: dict[str, Any]) -> None:
        for _, change, _, _ in EDITS[:14]:
            change(content)
        data(content, 2)["model"].update(name="line\nbreak " * 99)

    summary = compare(a_document(), a_document(edit)).summary()

    assert summary.endswith(", and more")
    assert len(summary) < 400
    assert "\n" not in summary


def test_a_provider_that_changed_without_its_model_is_told() -> None:
    changes = compare(a_document(), a_document(lambda c: data(c, 2)["model"].update(provider="x")))

    assert changes.summary() == "1 model setting changed"


def seconds_to_compare(nodes: int) -> float:
    def document(word: str) -> Document:
        graph = {
            "nodes": [llm(str(n), f"Node {n}", f"{word} " * 20) for n in range(nodes)],
            "edges": [{"source": str(n), "target": str(n + 1)} for n in range(nodes)],
        }
        return Document("workflow", {"graph": graph})

    before, after = document("kind"), document("rude")
    start = time.process_time()
    changes = compare(before, after)
    took = time.process_time() - start

    assert changes.counts() == {"prompt": nodes}
    return took


def test_four_times_the_nodes_take_about_four_times_as_long() -> None:
    small = max(seconds_to_compare(500) for _ in range(2))

    assert seconds_to_compare(2000) < small * 10


def test_contents_that_say_their_mode_themselves_differ_in_it_once() -> None:
    def said(mode: str) -> tuple[str, dict[str, Any]]:
        return mode, {"app": {"mode": mode}}

    changes = compare_contents(said("workflow"), said("advanced-chat")).changes

    assert [(change.subject, change.where) for change in changes] == [("mode", "app/mode")]


def test_another_mode_is_a_change_where_the_contents_do_not_say_it() -> None:
    changes = compare_contents(("workflow", {}), ("advanced-chat", {})).changes

    assert [(change.before, change.after) for change in changes] == [("workflow", "advanced-chat")]
