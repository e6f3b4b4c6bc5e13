"""What Slack sends, read without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.slack import wire
from bot.adapters.slack.wire import Received, Sender
from bot.errors import BadInput
from bot.playground.slack.people import BOB, INCIDENTS, OTHER_TEAM, TEAM
from store.records import InboxKind, NewInboxItem
from tests.adapters.slack.sent import (
    FORM,
    RESPONSE_URL,
    a_click,
    a_command,
    a_submission,
    an_event,
    form,
    interaction,
)

FROM_BOB = Sender(TEAM, BOB, TEAM)


def test_an_interaction_names_its_sender_and_keeps_all_that_was_read() -> None:
    read = wire.parse(interaction(a_click()).body, FORM)

    assert read == Received("interaction", FROM_BOB, a_click())


def test_a_command_names_its_sender_and_keeps_all_that_was_read() -> None:
    read = wire.parse(form(a_command(text="to a@b 6 &=+%")).body, f"{FORM}; charset=utf-8")

    assert read == Received("command", FROM_BOB, a_command(text="to a@b 6 &=+%"))


@pytest.mark.parametrize("user", [{"id": BOB}, {"id": BOB, "team_id": TEAM}])
def test_a_person_without_a_workspace_is_of_the_one_that_the_payload_names(
    user: dict[str, str],
) -> None:
    assert wire.parse(interaction(a_click(user=user)).body, FORM).sender == FROM_BOB


def test_a_person_of_another_workspace_keeps_it() -> None:
    payload = a_click(user={"id": BOB, "team_id": OTHER_TEAM})

    assert wire.click(payload, payload["actions"][0], "d").team_id == OTHER_TEAM


def test_an_event_names_its_workspace_and_person() -> None:
    read = wire.parse(json.dumps(an_event()).encode(), "application/json")

    assert (read.kind, read.sender) == ("event", FROM_BOB)


def test_a_press_without_a_value_is_a_row_that_no_rollback_answers_to() -> None:
    payload = a_click()
    action = {"action_id": "rollback.approve"}

    assert wire.click(payload, action, "digest") == NewInboxItem(
        digest="digest",
        kind=InboxKind.CLICK,
        action="approve",
        slack_id=BOB,
        team_id=TEAM,
        payload={
            "value": "",
            "channel": INCIDENTS,
            "ts": "17.000001",
            "response_url": RESPONSE_URL,
        },
    )


def test_what_no_database_takes_is_left_out_or_refused() -> None:
    assert wire.command(a_command(text="sta\0tus"), "d").payload["text"] == "status"
    with pytest.raises(BadInput):
        wire.command(a_command(text="\ud83d"), "d")


@pytest.mark.parametrize("written", [None, "", " \n"])
def test_a_reason_of_nothing_is_no_reason(written: str | None) -> None:
    values = {"reason": {"text": {"type": "plain_text_input", "value": written}}}

    assert wire.reason_in(a_submission(state={"values": values})["view"]) == ""


def test_nesting_that_slack_needs_is_read() -> None:
    deep: Any = "bottom"
    for _ in range(20):
        deep = {"elements": [deep]} if isinstance(deep, list) else [deep]

    assert wire.parse(interaction(a_click(message=deep)).body, FORM).kind == "interaction"


@given(st.binary(), st.sampled_from([FORM, "application/json", "", "x" * 50]))
def test_any_bytes_are_read_or_refused(body: bytes, content_type: str) -> None:
    try:
        read = wire.parse(body, content_type)
    except BadInput:
        return
    assert read.kind in {"interaction", "command", "event", "ssl_check", "url_verification"}
