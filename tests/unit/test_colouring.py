"""Colours on a difference change how it looks, and not one character of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import pages
from bot.colouring import MOST_CHARACTERS, ColouredRow, Segment, coloured
from bot.domain.diff.page import Language, PageChange
from bot.domain.diff.rows import RowKind, rows
from bot.domain.diff.words import RunOp

PYTHON = 'def main(text: str) -> dict:\n    """Say it."""\n    return {"n": 1}  # one\n'
texts = st.text(
    st.sampled_from("ab1 \n\"'#{}%()=:,/*\t") | st.characters(exclude_categories=["Cs"]),
    max_size=60,
)


def colours(found: tuple[ColouredRow, ...], side: str = "new") -> dict[str, str]:
    segments: list[Segment] = [s for row in found for s in getattr(row, side)]
    return {segment.text.strip(): segment.colour for segment in segments if segment.text.strip()}


def test_python_json_javascript_and_templates_are_told_apart() -> None:
    python = colours(coloured(rows("", PYTHON), Language.PYTHON))
    code = "const n = 1; // one"
    script = colours(coloured(rows("", code), Language.JAVASCRIPT))
    data = colours(coloured(rows("", '{"a": null}'), Language.JSON))
    template = colours(coloured(rows("", "Dear {{ name }},"), Language.JINJA))

    assert (python["def"], python["main"], python["# one"]) == ("k", "f", "c")
    assert (python['"""Say it."""'], python["1"]) == ("s", "m")
    assert (script["const"], script["// one"]) == ("k", "c")
    assert (data['"a"'], data["null"]) == ("t", "k")
    assert (template["{{"], template["Dear"]) == ("t", "")


def test_what_is_no_code_has_no_colours() -> None:
    found = coloured(rows("def a", "def b"), Language.NONE)

    assert set(colours(found).values()) == {""}


@given(texts, texts, st.sampled_from(Language))
def test_not_one_character_and_not_one_change_is_another(
    before: str, after: str, language: Language
) -> None:
    plain = rows(before, after)

    found = coloured(plain, language)

    assert [(row.kind, row.count) for row in found] == [(row.kind, row.count) for row in plain]
    for was, now in zip(plain, found, strict=True):
        for side in ("old", "new"):
            spread = [(run.op, char) for run in getattr(was, side) for char in run.text]
            assert spread == [(s.op, char) for s in getattr(now, side) for char in s.text]


def test_a_word_that_changed_keeps_its_mark_beside_its_colour() -> None:
    found = coloured(rows("return 1", "return 2"), Language.PYTHON)

    assert found[0].new == (
        Segment(RunOp.EQUAL, "k", "return"),
        Segment(RunOp.EQUAL, "", " "),
        Segment(RunOp.INSERTED, "m", "2"),
    )


def test_what_is_skipped_stays_skipped() -> None:
    before = "\n".join(f"a = {n}" for n in range(40))
    found = coloured(rows(before, before.replace("= 20", "= 200")), Language.PYTHON)

    assert [row.kind for row in found].count(RowKind.SKIPPED) == 2
    assert colours(found)["200"] == "m"


@pytest.mark.parametrize(
    ("text", "language"),
    [("{#" * 2_000, Language.JINJA), ('"\\' * 2_000, Language.JAVASCRIPT)],
)
def test_a_line_that_lexers_choke_on_stays_as_it_is(text: str, language: Language) -> None:
    """What is longer is not handed to them: what they need grows with the square of the length."""
    found = coloured(rows("", f"x = 1\n{text}{text}\ny = 2"), language)

    assert {segment.colour for segment in found[1].new} == {""}
    assert "".join(segment.text for segment in found[1].new).startswith(text[:100])


def test_a_page_colours_no_more_than_is_quick() -> None:
    lines = "\n".join(f"value_{n} = {n}" for n in range(300))
    one = PageChange("change-1", "code", "added", "A", "code", rows("", lines), Language.PYTHON)
    count = 2 + 2 * MOST_CHARACTERS // len(lines)
    many = [replace(one, anchor=f"change-{n}") for n in range(count)]

    first, *_, last = pages._coloured(many)

    assert "m" in colours(first[1]).values()
    assert set(colours(last[1]).values()) == {""}
