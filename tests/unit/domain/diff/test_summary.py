"""What a difference amounts to, as values: what they say, and what another release may queue."""

from __future__ import annotations

import pytest

from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.summary import Phrase, said
from bot.domain.diff.walk import ChangeOp


def things(kind: str, op: str, count: int) -> Phrase:
    return {"code": "things", "kind": kind, "op": op, "count": count}


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        (things("prompt", "changed", 1), "1 prompt reworded"),
        (things("prompt", "moved", 2), "2 prompts moved"),
        (things("title", "renamed", 1), "1 name changed"),
        (things("title", "added", 3), "3 titles or descriptions added"),
        (things("edge", "reconnected", 1), "1 connection reconnected"),
        (things("http", "removed", 2), "2 HTTP request settings removed"),
        ({"code": "swapped", "before": "50 %(x)s", "after": "%"}, "model 50 %(x)s → %"),
        ({"code": "swapped_more", "count": 2}, "2 more models swapped"),
        ({"code": "format_only", "count": 1}, "format only in 1 place"),
        ({"code": "format_only", "count": 2}, "format only in 2 places"),
        ({"code": "more"}, "and more"),
        ({"code": "nothing"}, "no difference that matters"),
    ],
    ids=str,
)
def test_a_phrase_is_said_in_plain_words(phrase: Phrase, words: str) -> None:
    assert said([phrase]) == words


@pytest.mark.parametrize("kind", ChangeKind)
@pytest.mark.parametrize("op", ChangeOp)
def test_every_kind_of_change_is_counted(kind: ChangeKind, op: ChangeOp) -> None:
    one, many = said([things(kind, op, 1)]), said([things(kind, op, 2)])

    assert one.startswith("1 ")
    assert many.startswith("2 ")
    assert one[2:] != many[2:]


def test_what_a_newer_release_says_is_told_as_far_as_it_is_understood() -> None:
    newer = [things("odd %", "odd %s", 1), {"code": "odd"}, {"code": "more"}]

    assert said(newer) == "1 other setting changed, and more"
