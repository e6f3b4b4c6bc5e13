"""What a picture of a difference shows."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.diff.changes import compare
from bot.domain.diff.picture import HEIGHT, MOST, WIDTH, Box, Fate, Picture, picture
from store.document import Document
from tests.benchmarks.workflows import Workflows
from tests.unit.domain.diff.test_changes import a_node


def at(node_id: str, x: Any, y: Any, **data: Any) -> Any:
    return {**a_node(node_id, "llm", **data), "position": {"x": x, "y": y}}


def a_graph(*nodes: Any, edges: str = "") -> Document:
    pairs = [{"source": a, "target": b} for a, b in (pair.split(">") for pair in edges.split())]
    return Document("workflow", {"graph": {"nodes": list(nodes), "edges": pairs}})


def drawn(before: Document, after: Document) -> Picture:
    made = picture(before, after, compare(before, after))
    assert made is not None
    return made


def boxes(made: Picture) -> dict[str, Box]:
    return {box.id: box for box in made.boxes}


def test_each_node_and_connection_says_what_became_of_it() -> None:
    before = a_graph(at("1", 0, 0), at("2", 300, 0), at("3", 600, 0), edges="1>2 2>3")
    after = a_graph(at("1", 0, 0, title="New"), at("2", 300, 0), at("4", 600, 0), edges="1>2 2>4")

    made = drawn(before, after)

    assert {key: box.fate for key, box in boxes(made).items()} == {
        "1": Fate.CHANGED,
        "2": Fate.SAME,
        "3": Fate.REMOVED,
        "4": Fate.ADDED,
    }
    assert boxes(made)["1"].changed == "title"
    assert {(line.source, line.target): line.fate for line in made.lines} == {
        ("1", "2"): Fate.SAME,
        ("2", "3"): Fate.REMOVED,
        ("2", "4"): Fate.ADDED,
    }


def test_nodes_stand_where_their_editors_put_them_also_in_a_container() -> None:
    loop = {**at("L", 1000, 500), "data": {"type": "loop", "width": 800, "height": 300}}
    inner = {**at("i", 30, 60), "parentId": "L"}
    document = a_graph(at("1", 0, 0), loop, inner)

    placed = boxes(drawn(document, document))

    assert placed["i"].x - placed["1"].x == 1030
    assert placed["i"].y - placed["1"].y == 560
    assert (placed["L"].width, placed["L"].container) == (800, True)


@pytest.mark.parametrize("x", ["left", None, float(10**9), True, {}, []])
def test_where_places_say_nothing_nodes_stand_in_layers(x: Any) -> None:
    document = a_graph(at("1", x, 0), at("2", 5, 5), at("3", 5, 5), edges="1>2 2>3 3>1 1>3")

    placed = boxes(drawn(document, document))

    assert len({(box.x, box.y) for box in placed.values()}) == 3


def test_all_in_one_place_is_no_place() -> None:
    document = a_graph(at("1", 7, 7), at("2", 7, 7), edges="1>2")

    placed = boxes(drawn(document, document))

    assert placed["2"].x >= placed["1"].x + WIDTH


def test_of_a_large_graph_only_what_changed_and_its_neighbours_are_shown() -> None:
    made = Workflows(3)
    content = made.content(300)
    before, after = Document("workflow", content), Document("workflow", made.one_prompt(content))

    shown = drawn(before, after)

    assert 1 <= len(shown.boxes) <= 3
    assert len(shown.boxes) + shown.left_out == 300
    assert sum(box.fate is Fate.CHANGED for box in shown.boxes) == 1
    assert all(box.height == HEIGHT for box in shown.boxes)


def test_a_graph_that_changed_everywhere_is_bounded() -> None:
    before, after = (Document("workflow", Workflows(s).content(500)) for s in (1, 2))

    assert len(drawn(before, after).boxes) <= 2 * MOST


def test_secrets_and_hostile_titles_do_not_get_into_a_picture() -> None:
    title = "sk-aB3dE5gH7jK9mN2pQ4rS6tU8 \u202e\n" + "x" * 500
    document = a_graph(at("1", 0, 0, title=title), at("2", 300, 0, title="字" * 60))

    placed = boxes(drawn(document, document))

    assert "aB3dE5gH7j" not in placed["1"].title
    assert "\u202e" not in placed["1"].title
    assert len(placed["1"].title) <= 24
    assert len(placed["2"].title) <= 12


def test_notes_are_left_out_and_without_nodes_there_is_no_picture() -> None:
    note = {"id": "n", "type": "custom-note", "position": {"x": 0, "y": 0}, "data": {}}
    only_notes, chat = a_graph(note), Document("chat", {"model_config": {}})

    assert picture(only_notes, only_notes, compare(only_notes, only_notes)) is None
    assert picture(chat, chat, compare(chat, chat)) is None
