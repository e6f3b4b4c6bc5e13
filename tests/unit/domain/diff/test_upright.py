"""A wide picture is turned, so that it is read on a phone without a lens."""

from __future__ import annotations

import itertools

import pytest

from bot.domain.diff.picture import HEIGHT, WIDTH, Box, Fate, Picture
from bot.domain.diff.upright import upright
from tests.unit.domain.diff.test_picture import a_graph, at, boxes, drawn


def a_row(count: int, *, branch: bool = False) -> Picture:
    """Nodes one after the other as Dify sets them; with a *branch*, a second row below."""
    nodes = [at(f"{n}", n * 304, 0) for n in range(count)]
    nodes += [at(f"b{n}", n * 304, 130) for n in range(count) if branch]
    edges = " ".join(f"{n}>{n + 1}" for n in range(count - 1))
    before = a_graph(*nodes, edges=edges)
    after = a_graph(at("0", 0, 0, title="New"), *nodes[1:], edges=edges)
    return drawn(before, after)


def overlapping(made: Picture) -> list[tuple[str, str]]:
    def touch(one: Box, other: Box) -> bool:
        return abs(one.x - other.x) < WIDTH and abs(one.y - other.y) < HEIGHT

    plain = [box for box in made.boxes if not box.container]
    return [(a.id, b.id) for a, b in itertools.combinations(plain, 2) if touch(a, b)]


def test_a_row_runs_downwards_in_its_order_and_as_wide_as_one_node() -> None:
    made = upright(a_row(6))

    assert made.down
    assert made.width == WIDTH + 48
    tops = [boxes(made)[f"{n}"].y for n in range(6)]
    assert tops == sorted(tops)
    assert len(set(tops)) == 6
    assert overlapping(made) == []


@pytest.mark.parametrize("count", [2, 5, 9])
def test_what_stood_side_by_side_still_does_and_nothing_touches(count: int) -> None:
    made = upright(a_row(count, branch=True))

    assert overlapping(made) == []
    at_place = boxes(made)
    if made.down:
        assert all(at_place[f"{n}"].y == at_place[f"b{n}"].y for n in range(count))
        assert all(at_place[f"{n}"].x < at_place[f"b{n}"].x for n in range(count))


def test_connections_lead_from_the_foot_of_a_node_to_the_head_of_the_next() -> None:
    made = upright(a_row(4))

    for line in made.lines:
        source, target = boxes(made)[line.source], boxes(made)[line.target]
        assert (line.x1, line.y1) == (source.x + WIDTH / 2, source.y + HEIGHT)
        assert (line.x2, line.y2) == (target.x + WIDTH / 2, target.y)


def test_what_holds_others_holds_them_still() -> None:
    inside = [{**at(f"i{n}", 40 + n * 304, 60), "parentId": "loop"} for n in range(4)]
    loop = {**at("loop", 0, 0, type="loop"), "width": 1340, "height": 220}
    before = a_graph(loop, *inside, edges="i0>i1 i1>i2 i2>i3")
    after = a_graph(loop, at("i0", 40, 60, title="New"), *inside[1:], edges="i0>i1 i1>i2 i2>i3")
    made = upright(drawn(before, after))

    box = boxes(made)["loop"]
    assert made.down
    for n in range(1, 4):
        held = boxes(made)[f"i{n}"]
        assert box.x <= held.x
        assert held.x + held.width <= box.x + box.width
        assert box.y <= held.y
        assert held.y + held.height <= box.y + box.height


def test_the_room_of_nodes_that_are_not_shown_is_taken_out() -> None:
    nodes = [at("1", 0, 0), at("2", 9000, 0), at("3", 9304, 2000)]
    before = a_graph(*nodes, edges="1>2 2>3")
    made = upright(drawn(before, a_graph(at("1", 0, 0, title="New"), *nodes[1:], edges="1>2 2>3")))

    assert made.height < 5 * HEIGHT
    assert made.width < 3 * WIDTH
    assert overlapping(made) == []


def test_a_picture_that_is_readable_as_it_is_stays_so() -> None:
    before = a_graph(at("1", 0, 0), at("2", 0, 130), edges="1>2")
    made = drawn(before, a_graph(at("1", 0, 0, title="New"), at("2", 0, 130), edges="1>2"))

    assert upright(made) == made


def test_far_away_nodes_do_not_make_a_picture_of_nothing() -> None:
    nodes = [at("1", 0, 0), at("2", 0, 900_000)]
    made = drawn(a_graph(*nodes), a_graph(at("1", 0, 0, title="New"), nodes[1]))

    assert upright(made).height < 4 * HEIGHT


def test_what_went_hides_nothing_that_stands_in_its_place_now() -> None:
    before = a_graph(at("old", 0, 0), at("older", 10, 10))
    made = drawn(before, a_graph(at("new", 5, 0)))

    assert overlapping(made) == []
    assert {box.id: box.fate for box in made.boxes} == {
        "new": Fate.ADDED,
        "old": Fate.REMOVED,
        "older": Fate.REMOVED,
    }
