"""What people did is what is named: one edit, one change, and no noise around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.diff.changes import ChangeKind, ChangeList, ChangeOp, Note, compare
from bot.domain.diff.text import as_text, mini
from store.document import Document
from tests.unit.domain.diff.test_changes import (
    a_document,
    a_node,
    data,
    llm,
    only_change,
)


def prompts(content: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data(content, 2)["prompt_template"]
    return found


def a_graph(titles: str, order: Callable[[list[Any]], list[Any]] = list) -> Document:
    nodes = [llm(str(n), title, f"Prompt of {title}") for n, title in enumerate(titles)]
    return Document("workflow", {"graph": {"nodes": order(nodes), "edges": []}})


def test_one_reworded_word_is_one_change_of_one_prompt() -> None:
    change = only_change(lambda c: prompts(c)[0].update(text="Be kind.\nBe long."))

    assert (change.kind, change.op) == (ChangeKind.PROMPT, ChangeOp.CHANGED)
    assert change.where == "nodes/2/prompt_template/1/text"


def test_a_node_that_moved_in_the_list_of_nodes_is_no_change() -> None:
    before = a_graph("abcdefgh")
    after = a_graph("abcdefgh", lambda nodes: [nodes[-1], *nodes[:-1]])

    assert compare(before, after) == ChangeList()


def test_two_prompt_messages_that_were_swapped_are_one_move() -> None:
    def swap(content: dict[str, Any]) -> None:
        prompts(content).reverse()

    change = only_change(swap)

    assert (change.kind, change.op) == (ChangeKind.PROMPT, ChangeOp.MOVED)
    assert {change.before, change.after} == {1, 2}
    assert compare(a_document(), a_document(swap)).summary() == "1 prompt moved"


def test_a_message_that_was_taken_out_of_the_middle_leaves_the_others_alone() -> None:
    def three(content: dict[str, Any]) -> None:
        prompts(content).insert(1, {"role": "user", "text": "an example"})

    (change,) = compare(a_document(three), a_document()).changes

    assert (change.op, change.where) == (ChangeOp.REMOVED, "nodes/2/prompt_template/2")


def test_a_message_that_was_moved_and_reworded_is_told_as_both() -> None:
    def both(content: dict[str, Any]) -> None:
        first, second = prompts(content)
        prompts(content)[:] = [second, {**first, "text": "Be kind.\nBe quick."}]

    ops = {change.op for change in compare(a_document(), a_document(both)).changes}

    assert ops == {ChangeOp.MOVED, ChangeOp.CHANGED}


def test_a_removed_node_is_one_change_beside_its_connections() -> None:
    def remove(content: dict[str, Any]) -> None:
        content["graph"]["nodes"].pop()

    assert only_change(remove).op is ChangeOp.REMOVED


def test_a_new_title_is_a_new_name() -> None:
    change = only_change(lambda c: data(c, 2).update(title="Sort ticket"))

    assert (change.op, change.before, change.after) == (
        ChangeOp.RENAMED,
        "Classify ticket",
        "Sort ticket",
    )
    renamed = a_document(lambda c: data(c, 2).update(title="Sort ticket"))
    assert compare(a_document(), renamed).summary() == "1 name changed"


def test_a_variable_of_another_name_is_the_same_variable() -> None:
    change = only_change(lambda c: c["environment_variables"][1].update(name="AREA"))

    assert (change.kind, change.op, change.before, change.after) == (
        ChangeKind.VARIABLE,
        ChangeOp.RENAMED,
        "REGION",
        "AREA",
    )


@pytest.mark.parametrize(
    ("ends", "subject"),
    [
        ({"target": "3"}, "start → code (was Classify ticket)"),
        ({"source": "3"}, "code (was start) → Classify ticket"),
        ({"sourceHandle": "false"}, "start (false) (was start) → Classify ticket"),
    ],
)
def test_a_connection_with_another_end_is_one_reconnection(
    ends: dict[str, str], subject: str
) -> None:
    change = only_change(lambda c: c["graph"]["edges"][0].update(ends))

    assert (change.kind, change.op, change.subject) == (
        ChangeKind.EDGE,
        ChangeOp.RECONNECTED,
        subject,
    )


def test_handles_that_are_left_out_are_those_that_every_node_has() -> None:
    def spell_out(content: dict[str, Any]) -> None:
        content["graph"]["edges"][0].update(sourceHandle="source", targetHandle="target", id="x")

    assert compare(a_document(), a_document(spell_out)) == ChangeList()


def test_code_that_is_only_written_otherwise_is_called_format_only_and_comes_last() -> None:
    def valid(content: dict[str, Any]) -> None:
        data(content, 3)["code"] = "x = [1,\n 2]"

    def valid_too(content: dict[str, Any]) -> None:
        data(content, 3)["code"] = "x = [1, 2]  # two"
        data(content, 3)["title"] = "Count"

    changes = compare(a_document(valid), a_document(valid_too))

    assert [(c.kind, c.note) for c in changes.changes] == [
        (ChangeKind.TITLE, Note.NONE),
        (ChangeKind.CODE, Note.FORMAT_ONLY),
    ]
    assert changes.summary() == "1 name changed, format only in 1 place"
    assert "format only" in mini(changes)
    assert "format only" in as_text(changes)


def test_json_in_a_text_is_compared_as_json() -> None:
    def body(text: str) -> Callable[[dict[str, Any]], object]:
        return lambda c: data(c, 4).update(body={"type": "json", "data": text})

    before = a_document(body('{"limit": 3, "tags": ["a"]}'))
    (change,) = compare(before, a_document(body('{"tags":["a"],"limit":5}'))).changes
    (same,) = compare(before, a_document(body('{"tags":["a"],"limit":3}'))).changes
    (text,) = compare(before, a_document(body('{"limit": 3, "tags"'))).changes

    assert (change.where, change.before, change.after) == ("nodes/4/body/data/limit", 3, 5)
    assert same.note is Note.FORMAT_ONLY
    assert (text.where, text.note) == ("nodes/4/body/data", Note.NONE)


def test_layout_is_a_class_of_its_own_that_is_asked_for() -> None:
    def at(x: int, note: str = "") -> Document:
        nodes: list[Any] = [
            {**a_node("1", "start"), "position": {"x": x, "y": 0}, "selected": x > 0},
            {"id": "n", "type": "custom-note", "data": {"text": note}},
        ]
        return Document("workflow", {"graph": {"nodes": nodes, "edges": []}})

    assert compare(at(0), at(9, "read me")) == ChangeList()
    moved, note = compare(at(0), at(9, "read me"), layout=True).changes

    assert (moved.kind, moved.op) == (ChangeKind.LAYOUT, ChangeOp.MOVED)
    assert (moved.before, moved.after) == ({"x": 0, "y": 0}, {"x": 9, "y": 0})
    assert (note.subject, note.op) == ("note", ChangeOp.CHANGED)
    assert compare(at(0), at(0), layout=True) == ChangeList()


def test_the_news_is_in_the_first_three_lines() -> None:
    def edit(content: dict[str, Any]) -> None:
        content["app"]["name"] = "help"
        content["graph"]["edges"].pop(0)
        content["graph"]["nodes"].append(a_node("8", "end"))
        data(content, 2)["model"]["name"] = "gpt-4o-mini"
        prompts(content)[0]["text"] = "Be rude."
        data(content, 3)["code"] = "return 2"

    changes = compare(a_document(), a_document(edit))

    assert [change.kind for change in changes.top(3)] == ["model", "prompt", "code"]
    assert changes.summary() == (
        "model gpt-4o → gpt-4o-mini, 1 prompt reworded, 1 code setting changed, 1 node added, "
        "1 connection removed, 1 name changed"
    )


def test_a_summary_is_the_same_the_other_way_round_with_its_words_exchanged() -> None:
    def edit(content: dict[str, Any]) -> None:
        content["graph"]["nodes"].append(a_node("8", "end"))
        prompts(content).reverse()
        data(content, 2)["model"]["name"] = "gpt-4o-mini"
        content["environment_variables"].pop()

    there = compare(a_document(), a_document(edit)).summary()
    back = compare(a_document(edit), a_document()).summary()

    words = there.replace("added", "?").replace("removed", "added").replace("?", "removed")
    assert sorted(words.split(", ")) == sorted(
        back.replace("gpt-4o-mini → gpt-4o", "gpt-4o → gpt-4o-mini").split(", ")
    )
