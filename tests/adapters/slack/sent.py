"""What Slack sends, as dicts to change, and the bytes that it signs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from bot.playground.slack.people import BOB, INCIDENTS, TEAM
from bot.playground.slack.signing import Signed, sign, sign_form
from tests.builders import NOON

Json = dict[str, Any]
SECRET, OLD_SECRET = "4e1c02f5a8d94b7f", "0c5dd27b6f1e4a39"
FORM = "application/x-www-form-urlencoded"
MARK = "PLANTED-IN-BODY"  # no log may hold it
RESPONSE_URL = "https://hooks.slack.com/actions/T0KEYTURN01/1/abc"


def a_click(action: str = "rollback.approve", **changes: Any) -> Json:
    """`block_actions`; https://docs.slack.dev/reference/interaction-payloads/block_actions-payload."""
    pressed = {"type": "button", "action_id": action, "block_id": "actions.1", "value": "17.1.x"}
    return {
        "type": "block_actions",
        "user": {"id": BOB, "username": "bob", "team_id": TEAM},
        "team": {"id": TEAM, "domain": "keyturn"},
        "api_app_id": "A0KEYTURN01",
        "trigger_id": "1.2.trigger",
        "container": {"type": "message", "message_ts": "17.000001", "channel_id": INCIDENTS},
        "channel": {"id": INCIDENTS, "name": "incidents"},
        "message": {"ts": "17.000001", "text": MARK},
        "response_url": RESPONSE_URL,
        "actions": [{**pressed, "action_ts": "18.000001"}],
        **changes,
    }


def a_submission(**changes: Any) -> Json:
    """`view_submission` of the reject form."""
    pressed = {"value": "17.1.x", "channel": INCIDENTS, "ts": "17.000001"}
    view = {
        "id": "V1",
        "type": "modal",
        "callback_id": "rollback.reject",
        "private_metadata": json.dumps(pressed),
        "state": {"values": {"reason": {"text": {"type": "plain_text_input", "value": MARK}}}},
    }
    return {
        "type": "view_submission",
        "user": {"id": BOB, "team_id": TEAM},
        "team": {"id": TEAM, "domain": "keyturn"},
        "view": {**view, **changes},
    }


def a_command(**changes: str) -> dict[str, str]:
    return {
        "command": "/rollback",
        "text": "status",
        "team_id": TEAM,
        "channel_id": INCIDENTS,
        "user_id": BOB,
        "response_url": RESPONSE_URL,
        "trigger_id": "1.2.trigger",
        **changes,
    }


def an_event(**changes: Any) -> Json:
    inner = {"type": "app_home_opened", "user": BOB, "tab": "home"}
    return {"type": "event_callback", "team_id": TEAM, "event": inner, "event_id": "E1", **changes}


def signed(
    body: bytes, content_type: str = FORM, *, secret: str = SECRET, late: timedelta = timedelta()
) -> Signed:
    """*body* as signed by Slack *late* before noon."""
    return sign(body, content_type, secret=secret, at=(NOON - late).timestamp())


def form(fields: dict[str, str]) -> Signed:
    return sign_form(fields, secret=SECRET, at=NOON.timestamp())


def interaction(payload: object) -> Signed:
    return form({"payload": json.dumps(payload)})


def event(body: object) -> Signed:
    return signed(json.dumps(body).encode(), "application/json")
