from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.card import CardChange
from bot.domain.diff.card import card_changes, extracts
from bot.domain.diff.changes import Change, ChangeKind, ChangeList, ChangeOp, compare
from bot.domain.diff.text import MAX_BYTES, as_text, mini
from store.document import Document
from tests.unit.domain.diff.test_changes import CONTENT, data
from tests.unit.store.odd_documents import documents


def a_change(before: Any, after: Any, **changes: Any) -> Change:
    facts: dict[str, Any] = {
        "kind": ChangeKind.PROMPT,
        "op": ChangeOp.CHANGED,
        "subject": "Answer",
        "where": "nodes/2/prompt_template/1/text",
        "before": before,
        "after": after,
    }
    return Change(**{**facts, **changes})


def listed(*changes: Change) -> ChangeList:
    return ChangeList(changes)


def test_a_prompt_is_shown_line_by_line_with_what_stands_around() -> None:
    old = "\n".join(["one", "two", "three", "four", "Be kind.", "six", "seven", "eight", "nine"])
    new = old.replace("Be kind.", "Be rude.")

    text = as_text(listed(a_change(old, new)), title="support@prod: version 2 to 1")

    assert text == (
        "support@prod: version 2 to 1\n"
        "1 prompt reworded\n"
        "changes: prompt 1\n"
        "\n"
        "[prompt] changed: Answer · prompt 1\n"
        "  …\n  two\n  three\n  four\n"
        "- Be kind.\n+ Be rude.\n"
        "  six\n  seven\n  eight\n  …\n"
    )


def test_two_edits_far_apart_leave_out_what_is_between() -> None:
    old = [f"line {n}" for n in range(30)]
    new = ["first", *old[1:29], "last"]

    lines = as_text(listed(a_change("\n".join(old), "\n".join(new)))).splitlines()

    assert lines[3:] == [
        "[prompt] changed: Answer · prompt 1",
        *("- line 0", "+ first", "  line 1", "  line 2", "  line 3", "  …"),
        *("  line 26", "  line 27", "  line 28", "- line 29", "+ last"),
    ]


def test_close_edits_show_all_that_is_between() -> None:
    old = "a\nb\nc\nd"

    assert as_text(listed(a_change(old, "A\nb\nc\nD"))).endswith("- a\n+ A\n  b\n  c\n- d\n+ D\n")


def test_a_new_node_is_shown_as_a_whole() -> None:
    content = copy.deepcopy(CONTENT)
    content["graph"]["nodes"].append({"id": "8", "data": {"type": "end", "title": "Bye"}})

    text = as_text(compare(Document("workflow", CONTENT), Document("workflow", content)))

    assert "[node] added: Bye\n+ {\n" in text
    assert '+     "title": "Bye",\n' in text


def test_a_text_that_became_a_number_is_told_from_the_number() -> None:
    assert "- 1\n" in as_text(listed(a_change(1, "1")))
    assert '+ "1"\n' in as_text(listed(a_change(1, "1")))


def test_hidden_and_reordering_characters_are_spelled_out() -> None:
    hostile = "a\u202eb\x1b[31mc\x00d\r\u2028e"

    changes = listed(a_change("", hostile, subject=hostile, where=f"nodes/2/{hostile}"))
    shown = as_text(changes, title=hostile) + mini(changes) + str(card_changes(changes, 1))

    assert not {"\u202e", "\x1b", "\x00", "\r", "\u2028"} & set(shown)
    assert "⟨U+202E⟩" in shown


def test_wide_spaces_and_tabs_stay() -> None:
    assert "+ 　a\tb\u00a0c\n" in as_text(listed(a_change("", "　a\tb\u00a0c")))


def test_no_difference_is_said_in_words() -> None:
    assert as_text(ChangeList()) == "no difference that matters\n"
    assert mini(ChangeList()) == "no difference that matters"
    assert card_changes(ChangeList(), 5) == ()


def test_a_huge_difference_is_cut_and_says_how_much_is_missing() -> None:
    changes = listed(*(a_change("x" * 15_000, "y" * 15_000) for _ in range(50)))

    text = as_text(changes)

    assert MAX_BYTES * 0.9 < len(text.encode()) < MAX_BYTES * 1.01
    assert text.endswith("of 50 changes are cut or not shown here\n")


def test_one_endless_line_is_cut_and_says_so() -> None:
    text = as_text(listed(a_change("", "é" * 3_000_000)))

    assert len(text.encode()) < MAX_BYTES
    assert "… (2980002 characters more)" in text


def test_large_texts_that_have_nothing_in_common_take_no_time_to_speak_of() -> None:
    old = "\n".join(f"a{n % 7}" for n in range(20_000))
    new = "\n".join(f"b{n % 7}" for n in range(20_000))
    start = time.process_time()

    as_text(listed(a_change(old, new)))

    assert time.process_time() - start < 3


def test_the_short_form_keeps_to_its_lines() -> None:
    changes = listed(*(a_change("a\nb\nc", f"a\n{n}\nc") for n in range(30)))

    for lines in (1, 2, 7, 40, 1000):
        assert len(mini(changes, lines=lines).splitlines()) <= lines
    assert mini(changes, lines=7).splitlines()[-1] == "… 29 of 30 changes are cut or not shown here"
    assert "not shown" not in mini(changes, lines=1000)


def test_the_short_form_puts_small_values_on_one_line() -> None:
    change = a_change("gpt-4o", "o1", kind=ChangeKind.MODEL, where="nodes/2/model/name")

    assert mini(listed(change)) == "[model] changed: Answer · model name: gpt-4o → o1"


def test_the_short_form_cuts_long_lines() -> None:
    assert max(map(len, mini(listed(a_change("x" * 999, "y" * 999))).splitlines())) == 160


def test_a_card_line_says_what_and_where_with_the_words_that_changed() -> None:
    content = copy.deepcopy(CONTENT)
    data(content, 2)["prompt_template"][0]["text"] = "Be kind.\nBe very long."

    changes = compare(Document("workflow", CONTENT), Document("workflow", content))

    assert card_changes(changes, 3) == (
        CardChange(
            kind="prompt",
            op="changed",
            subject="Classify ticket",
            detail="prompt 1",
            before="Be kind. Be brief.",
            after="Be kind. Be very long.",
        ),
    )


def test_an_extract_starts_and_ends_at_words() -> None:
    before = "You are a helpful assistant of the support team. Answer in two sentences. " * 2
    after = before.replace("two", "ten", 1)

    assert extracts(before, after) == (
        "…team. Answer in two sentences. You are a…",
        "…team. Answer in ten sentences. You are a…",
    )


def test_an_extract_of_a_text_without_spaces_is_cut_too() -> None:
    before, after = "字" * 500 + "旧" + "字" * 500, "字" * 500 + "新" + "字" * 500

    old, new = extracts(before, after)

    assert "旧" in old
    assert "新" in new
    assert len(old) < 60


def test_line_breaks_alone_are_seen_to_differ() -> None:
    old, new = extracts("a b", "a\nb")

    assert old != new


@pytest.mark.parametrize("kind", [ChangeKind.NODE, ChangeKind.EDGE])
def test_a_whole_thing_is_named_and_not_extracted(kind: ChangeKind) -> None:
    change = a_change(None, {"data": {"type": "llm"}}, kind=kind, op=ChangeOp.ADDED)

    (line,) = card_changes(listed(change), 1)

    assert (line.before, line.after) == ("", "")


@given(documents, documents, st.integers(0, 12))
@settings(max_examples=60)
def test_card_lines_are_short_whatever_changed(one: Document, other: Document, n: int) -> None:
    lines = card_changes(compare(one, other), n)

    assert len(lines) <= n
    for line in lines:
        assert len(line.subject) <= 80
        assert all(len(text) <= 120 for text in (line.detail, line.before, line.after))
        assert not any("\n" in text for text in (line.subject, line.before, line.after))


@given(st.text(max_size=300), st.text(max_size=300))
def test_extracts_of_different_texts_are_short_and_of_one_line(before: str, after: str) -> None:
    for extract in extracts(before, after):
        assert len(extract) <= 120
        assert "\n" not in extract
