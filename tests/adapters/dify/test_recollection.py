"""An answer that came before is known again by its bytes, and tells the very same."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from bot.adapters.dify import wire
from bot.adapters.dify.recollection import Recollection
from bot.adapters.dify.transport import Answer, Request
from bot.errors import AnswerUnreadable, UpstreamDown, UpstreamRefused
from bot.ports.target import TargetVersion
from store.records import Json

WORKFLOW: dict[str, Any] = {
    "id": "00002710-0000-4000-8000-000000000000",
    "version": "2026-01-01 12:00:00",
    "hash": "00" * 32,
    "marked_name": "friendlier",
    "marked_comment": "",
    "created_by": {"id": "1", "name": "alice", "email": "alice@example.com"},
    "created_at": 1_767_268_800,
    "graph": {"nodes": [{"id": "a", "data": {"type": "llm", "title": "Triage"}}], "edges": []},
    "features": {},
    "environment_variables": [],
    "conversation_variables": [],
}


class Reading:
    """Reads answers as the client does, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, answer: Json) -> TargetVersion | None:
        self.times += 1
        return wire.live(answer, mode="workflow")


def answered(status: int = 200, **changes: Any) -> Answer:
    body = json.dumps({**WORKFLOW, **changes}).encode()
    return Answer(Request("GET", "/apps/1/workflows/publish"), status, "1.14.2", body, {})


def test_the_same_answer_is_read_once_and_tells_the_same() -> None:
    known, reading = Recollection(), Reading()

    first = known.understood(answered(), reading, asked="live")
    again = known.understood(answered(), reading, asked="live")

    assert first is not None
    assert again is not None
    assert reading.times == 1
    assert (again.name, again.author, again.published_at) == (
        "friendlier",
        "alice",
        first.published_at,
    )
    assert (again.document.root, again.document.meaning) == (
        first.document.root,
        first.document.meaning,
    )
    assert reading.times == 1


def test_the_content_is_read_when_it_is_asked_for_and_then_kept() -> None:
    known, reading = Recollection(), Reading()
    known.understood(answered(), reading, asked="live")

    again = known.understood(answered(), reading, asked="live")

    assert again is not None
    assert again.document.content["graph"] == WORKFLOW["graph"]
    assert again.document.parts
    assert again.document.secrets == ()
    assert reading.times == 2


def test_another_answer_and_another_question_are_read() -> None:
    known, reading = Recollection(), Reading()
    first = known.understood(answered(), reading, asked="live")

    other = known.understood(answered(graph={"nodes": [], "edges": []}), reading, asked="live")
    known.understood(answered(), reading, asked="draft")

    assert first is not None
    assert other is not None
    assert other.document.root != first.document.root
    assert reading.times == 3


def test_the_answer_asked_for_least_lately_is_forgotten() -> None:
    known, reading = Recollection(most=2), Reading()
    for name in ("a", "b", "a", "c", "a"):
        known.understood(answered(marked_name=name), reading, asked="live")
    assert reading.times == 3

    known.understood(answered(marked_name="b"), reading, asked="live")

    assert reading.times == 4


def test_nothing_is_remembered_of_an_app_that_was_never_published() -> None:
    known, reading = Recollection(), Reading()

    for _ in range(2):
        assert known.understood(answered(id=None), reading, asked="live") is None

    assert reading.times == 2


@pytest.mark.parametrize(
    ("status", "error"), [(500, UpstreamDown), (403, UpstreamRefused), (429, UpstreamDown)]
)
def test_a_failure_is_one_whatever_its_body_says(status: int, error: type[Exception]) -> None:
    known, reading = Recollection(), Reading()
    known.understood(answered(), reading, asked="live")

    with pytest.raises(error):
        known.understood(answered(status), reading, asked="live")


def test_what_cannot_be_read_is_refused_each_time() -> None:
    known, form = Recollection(), partial(wire.live, mode="workflow")

    for _ in range(2):
        with pytest.raises(AnswerUnreadable):
            known.understood(answered(graph=None), form, asked="live")
