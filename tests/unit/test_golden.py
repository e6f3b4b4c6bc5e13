"""What Slack gets of every command, dialog and state, as it was looked at and found right."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.words import AnswerCode, FindingCode, NoteCode, OutcomeCode
from store.records import State
from tests.golden.kept import FOLDERS, KINDS, SAMPLES, drawn, golden


@pytest.mark.parametrize("language", FOLDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_looks_as_it_was_found_right(kind: str, language: str) -> None:
    kept = golden(kind, language)
    made = {name: drawn(name, language) for name in KINDS[kind]}

    assert sorted(made) == sorted(kept)
    for name, sent in made.items():
        assert sent == kept[name], name


@pytest.mark.parametrize(
    ("kind", "codes"),
    [("card", State), ("note", NoteCode), ("answer", AnswerCode), ("ended", OutcomeCode)],
)
def test_nothing_that_can_be_said_is_left_out(kind: str, codes: Any) -> None:
    assert {f"{kind}/{code.value}" for code in codes} <= set(SAMPLES)
    assert {f"card/finding.{code.value}" for code in FindingCode} <= set(SAMPLES)
