"""Socket Mode's messages, read: a delivery is known by what it says, not by what carried it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.adapters.slack import frames
from bot.adapters.slack.admission import Answer
from bot.adapters.slack.frames import Enveloped, Farewell, Hello, Unknown
from bot.errors import BadInput
from tests.adapters.slack.sent import a_click, a_command, an_event


def enveloped(payload: object, *, kind: str = "interactive", **more: Any) -> Enveloped:
    said = {"type": kind, "envelope_id": "E1", "payload": payload, **more}
    found = frames.parse(json.dumps(said))
    assert isinstance(found, Enveloped)
    return found


def test_the_kinds_of_messages_are_told_apart() -> None:
    assert frames.parse('{"type": "hello", "num_connections": 1}') == Hello()
    assert frames.parse('{"type": "disconnect", "reason": "warning"}') == Farewell("warning")
    assert frames.parse('{"type": "disconnect"}') == Farewell("unsaid")
    assert frames.parse('{"type": "new", "envelope_id": 7}') == Unknown()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "{}", '{"type": 7}', "[" * 90_000])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        frames.parse(text)


@pytest.mark.parametrize(
    ("kind", "payload", "read"),
    [
        ("interactive", a_click(), "interaction"),
        ("slash_commands", a_command(), "command"),
        ("events_api", an_event(), "event"),
    ],
)
def test_an_envelope_holds_what_its_type_says(kind: str, payload: object, read: str) -> None:
    assert frames.read(enveloped(payload, kind=kind)).kind == read


def test_the_same_payload_is_the_same_delivery_whatever_carried_it() -> None:
    click = a_click()
    turned = dict(reversed(list(click.items())))
    again = json.dumps(
        {"retry_attempt": 1, "payload": turned, "envelope_id": "E2", "type": "interactive"},
        indent=2,
        ensure_ascii=False,
    )
    second = frames.parse(again)

    assert isinstance(second, Enveloped)
    assert frames.digest(second) == frames.digest(enveloped(click))


@pytest.mark.parametrize("change", [{"trigger_id": "3.4.trigger"}, {"actions": []}])
def test_another_press_is_another_delivery(change: dict[str, Any]) -> None:
    assert frames.digest(enveloped(a_click(**change))) != frames.digest(enveloped(a_click()))


def test_the_same_payload_under_another_type_is_another_delivery() -> None:
    other = enveloped(a_click(), kind="events_api")

    assert frames.digest(other) != frames.digest(enveloped(a_click()))


@pytest.mark.parametrize(
    ("answer", "payload"),
    [
        (Answer(), None),
        (Answer("No such app."), {"text": "No such app."}),
        (Answer('{"response_action": "clear"}', "application/json"), {"response_action": "clear"}),
    ],
)
def test_an_answer_travels_in_the_acknowledgement(answer: Answer, payload: object) -> None:
    said = json.loads(frames.acknowledgement(enveloped({}, accepts_response_payload=True), answer))

    assert said == {"envelope_id": "E1"} | ({"payload": payload} if payload else {})


def test_an_envelope_that_takes_no_answer_gets_none() -> None:
    event = enveloped(an_event(), kind="events_api", accepts_response_payload=False)

    assert json.loads(frames.acknowledgement(event, Answer("hello"))) == {"envelope_id": "E1"}
