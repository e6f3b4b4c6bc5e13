"""Which words of a text changed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.diff.words import Run, RunOp, runs

texts = st.text("ab 退款。,\n", max_size=30)


def spelled(before: str, after: str) -> str:
    signs = {RunOp.EQUAL: "{}", RunOp.DELETED: "[-{}-]", RunOp.INSERTED: "[+{}+]"}
    return "".join(signs[run.op].format(run.text) for run in runs(before, after))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("Be kind.", "Be rude.", "Be [-kind-][+rude+]."),
        ("Be kind.", "Be very kind.", "Be [+very +]kind."),
        ("one two three", "one three", "one [-two -]three"),
        ("请退款给客户", "请拒绝给客户", "请[-退款-][+拒绝+]给客户"),
        ("a b c", "x y c", "[-a b-][+x y+] c"),
        ("", "new", "[+new+]"),
        ("", "", ""),
    ],
)
def test_the_words_that_changed_are_told_apart(before: str, after: str, shown: str) -> None:
    assert spelled(before, after) == shown


@given(texts, texts)
def test_the_runs_hold_both_texts_exactly(before: str, after: str) -> None:
    found = runs(before, after)

    assert "".join(run.text for run in found if run.op is not RunOp.INSERTED) == before
    assert "".join(run.text for run in found if run.op is not RunOp.DELETED) == after
    assert all(run.text for run in found)


@given(texts)
def test_an_equal_text_is_one_run(text: str) -> None:
    assert runs(text, text) == ((Run(RunOp.EQUAL, text),) if text else ())


def test_huge_texts_that_have_nothing_in_common_are_not_aligned() -> None:
    before = " ".join(f"a{n}" for n in range(50_000))
    after = " ".join(f"b{n}" for n in range(50_000))
    began = time.process_time()

    found = runs(before, after)

    assert [run.op for run in found] == [RunOp.DELETED, RunOp.INSERTED]
    assert time.process_time() - began < 5
