"""Two texts side by side."""

from __future__ import annotations

from bot.domain.diff.rows import MOST_ROWS, RowKind, rows
from bot.domain.diff.words import RunOp


def texts(kind: RowKind, before: str, after: str) -> list[tuple[str, str]]:
    found = [row for row in rows(before, after) if row.kind is kind]
    return [("".join(r.text for r in f.old), "".join(r.text for r in f.new)) for f in found]


def test_a_changed_line_stands_beside_what_it_was_with_its_words_marked() -> None:
    (row,) = rows("Be kind.", "Be rude.")

    assert row.kind is RowKind.CHANGED
    assert [run.text for run in row.old if run.op is RunOp.DELETED] == ["kind"]
    assert [run.text for run in row.new if run.op is RunOp.INSERTED] == ["rude"]


def test_a_line_that_came_or_went_has_nothing_beside_it() -> None:
    assert texts(RowKind.ADDED, "a\nb", "a\nx\nb") == [("", "x")]
    assert texts(RowKind.REMOVED, "a\nx\nb", "a\nb") == [("x", "")]
    assert texts(RowKind.ADDED, "", "a\n\nb") == [("", "a"), ("", " "), ("", "b")]
    assert rows("", "") == ()


def test_long_stretches_of_what_stayed_are_counted_and_not_shown() -> None:
    lines = [f"line {n}" for n in range(100)]
    changed = [*lines[:50], "new", *lines[51:]]

    found = rows("\n".join(lines), "\n".join(changed))

    assert [row.count for row in found if row.kind is RowKind.SKIPPED] == [47, 46]
    assert sum(row.kind is RowKind.EQUAL for row in found) == 6


def test_a_huge_text_is_cut_with_a_count() -> None:
    found = rows("", "\n".join("abc" for _ in range(5_000)))

    assert len(found) == MOST_ROWS + 1
    assert (found[-1].kind, found[-1].count) == (RowKind.CUT, 5_000 - MOST_ROWS - 1)


def test_characters_that_would_hide_or_reorder_text_are_spelled_out() -> None:
    (row,) = rows("a\u202eb", "a\u2066b")

    assert "⟨U+202E⟩" in "".join(run.text for run in row.old)
    assert "⟨U+2066⟩" in "".join(run.text for run in row.new)


def test_line_ends_that_are_those_of_windows_on_both_sides_are_not_shown() -> None:
    found = rows("a\r\nb\r\n", "a\r\nc\r\n")

    assert "U+000D" not in "".join(run.text for row in found for run in (*row.old, *row.new))


def test_line_ends_that_changed_are_shown() -> None:
    found = rows("a\r\nb", "a\nb")

    assert [row.kind for row in found] == [RowKind.CHANGED, RowKind.EQUAL]
