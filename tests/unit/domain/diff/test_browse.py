"""A difference is read one change at a time, and nothing of it is lost between the pages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.diff.browse import (
    CONTENTS,
    LISTED,
    MOST_CHARACTERS,
    MOST_LINES,
    Place,
    Sheet,
    place_in,
    sheet,
    spelled,
)
from bot.domain.diff.changes import Change, ChangeKind, ChangeList, ChangeOp, compare
from bot.domain.diff.words import RunOp
from store.document import Document
from tests.benchmarks.workflows import Workflows


def a_prompt(before: str, after: str, **more: Any) -> Change:
    where = "nodes/a/prompt_template/1/text"
    facts = {"kind": ChangeKind.PROMPT, "op": ChangeOp.CHANGED, "subject": "Triage"}
    return Change(**{**facts, "where": where, "before": before, "after": after, **more})


def walked(changes: ChangeList, by: str = "after", start: Place = CONTENTS) -> list[Sheet]:
    """All sheets from *start* on, as somebody reads them who keeps pressing one button."""
    found = [sheet(changes, start)]
    while (place := getattr(found[-1], by)) is not None:
        found.append(sheet(changes, place))
        assert len(found) < 1000
    return found


def text_of(sheets: list[Sheet], *signs: str) -> str:
    lines = [line for one in sheets for line in one.lines if line.sign in signs]
    return "\n".join("".join(run.text for run in line.runs) for line in lines)


def test_the_list_comes_first_and_names_every_change_with_its_number() -> None:
    made = Workflows(1)
    content = made.content(40)
    edited = made.mixed(content)
    changes = compare(Document("workflow", content), Document("workflow", edited))

    first = sheet(changes, CONTENTS)

    assert first.summary == changes.summary()
    assert [(e.number, e.subject) for e in first.entries] == [
        (n, change.subject) for n, change in enumerate(changes.changes, start=1)
    ]
    assert (first.before, first.after, first.left) == (None, (1, 0), 0)


def test_pressing_next_shows_each_change_once_and_ends_with_the_last() -> None:
    changes = ChangeList(tuple(a_prompt(f"old {n}", f"new {n}") for n in range(5)))

    numbers = [one.entry.number for one in walked(changes) if one.entry]

    assert numbers == [1, 2, 3, 4, 5]


def test_a_long_change_is_read_in_parts_and_no_line_of_it_is_missing() -> None:
    before = "\n".join(f"line {n} was here" for n in range(200))
    after = "\n".join(f"line {n} is now here" for n in range(200))
    changes = ChangeList((a_prompt(before, after), a_prompt("a", "b")))

    sheets = walked(changes)

    assert text_of(sheets[:-1], "−") == before
    assert text_of(sheets[:-1], "+") == after
    assert sheets[1].parts > 1
    assert [one.part for one in sheets if one.entry and one.entry.number == 1] == [
        *range(1, sheets[1].parts + 1)
    ]


def test_previous_leads_back_through_the_parts_and_to_the_list() -> None:
    long = "\n".join(f"line {n}" for n in range(70))
    changes = ChangeList((a_prompt("a", "b"), a_prompt("", long)))

    back = walked(changes, "before", start=(2, 2))

    assert [one.place for one in back] == [(2, 2), (2, 1), (2, 0), (1, 0), (0, 0)]


@given(st.lists(st.tuples(st.text(max_size=300), st.text(max_size=300)), max_size=6))
@settings(max_examples=60)
def test_every_sheet_fits_a_phone_and_leads_on(texts: list[tuple[str, str]]) -> None:
    changes = ChangeList(tuple(a_prompt(*pair) for pair in texts))

    for one in walked(changes):
        size = sum(len(run.text) for line in one.lines for run in line.runs)
        assert len(one.lines) <= MOST_LINES
        assert size <= MOST_CHARACTERS or len(one.lines) == 1
        assert all(run.text for line in one.lines for run in line.runs)


def test_of_a_long_line_what_changed_is_shown_with_what_stands_beside_it() -> None:
    words = " ".join(f"word{n}" for n in range(400))
    changes = ChangeList((a_prompt(words, words.replace("word200", "WORD")),))

    (line,) = [line for line in sheet(changes, (1, 0)).lines if line.sign == "+"]

    assert [run.text for run in line.runs if run.op is RunOp.INSERTED] == ["WORD"]
    shown = "".join(run.text for run in line.runs)
    assert "word199 WORD word201" in shown
    assert len(shown) < 250


def test_of_an_endless_line_is_said_how_much_is_not_shown() -> None:
    changes = ChangeList((a_prompt("", "x" * 4000),))

    (line,) = sheet(changes, (1, 0)).lines

    assert line.runs[0].text.endswith("…")
    assert len(line.runs[0].text) < 200


def test_a_list_too_long_for_a_phone_says_how_many_are_not_on_it() -> None:
    changes = ChangeList(tuple(a_prompt("a", str(n)) for n in range(LISTED + 7)))

    first = sheet(changes, CONTENTS)

    assert (len(first.entries), first.left) == (LISTED, 7)


def test_where_nothing_differs_there_is_a_list_of_nothing() -> None:
    assert sheet(ChangeList(), (3, 1)) == Sheet(CONTENTS, ChangeList().phrases(), total=0)


@pytest.mark.parametrize("text", ["", "1", "1.", "-1.0", "1.0.0", "9" * 9 + ".0", "a.b", "01.0"])
def test_what_is_no_place_is_the_list(text: str) -> None:
    assert place_in(text) == CONTENTS


@given(st.tuples(st.integers(0, 999_999), st.integers(0, 999_999)))
def test_a_place_reads_back(place: Place) -> None:
    assert place_in(spelled(place)) == place


def test_a_place_that_is_not_there_any_more_is_the_nearest_one() -> None:
    changes = ChangeList((a_prompt("a", "b"),))

    assert sheet(changes, (9, 9)).place == (1, 0)
