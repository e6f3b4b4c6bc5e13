"""What `keyturn replay --from-store` shows of its counts in a terminal, wide or narrow."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bot.cli import replay_store
from bot.cli.replay_store import Told
from bot.domain.verdict.feedback import Answer, Answered
from bot.services.looking.looking_back import Again, Past
from tests.builders import NOON, PROD, a_case


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "  1 accepted, 1 rejected; share accepted 1/2 (9 to 91 %)"),
        (140, "support-triage@prod         1         1"),
    ],
)
def test_the_counts_are_readable_whatever_the_width(
    monkeypatch: pytest.MonkeyPatch, width: int, line: str
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(replay_store, "screen", lambda: Console(file=shown, width=width))
    told = Told(NOON, [again(Answer.ACCEPTED), again(Answer.REJECTED)])

    replay_store._show(told)

    lines = shown.getvalue().splitlines()
    assert any(one.startswith(line) for one in lines), lines
    assert max(map(len, lines)) <= width


def again(answer: Answer) -> Again:
    answered = Answered(PROD, "HighErrorRate", NOON, answer)
    return Again(Past(a_case(), answered, None, None, ()), None)
