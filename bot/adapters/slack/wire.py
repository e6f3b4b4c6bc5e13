"""What Slack sends, read: verified bytes in, values out, or a named refusal. No I/O.

Shapes: https://docs.slack.dev/reference/interaction-payloads and
https://docs.slack.dev/interactivity/implementing-slash-commands.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from bot.errors import BadInput
from store.records import InboxKind, NewInboxItem

# Buttons that open a form, whose `callback_id` is the button's `action_id`.
FORMS = frozenset(
    {"rollback.reject", "rollback.undo", "rollback.break_glass", "rollback.sign_review"}
)
REASON_BLOCK, REASON_INPUT = "reason", "text"
_FORM = "application/x-www-form-urlencoded"
_ID = re.compile(r"[A-Z0-9]{1,64}")
_EVENT_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_MOST_FIELDS = 100
_DEEPEST = 40  # Slack's own payloads with rich text stay below twenty


@dataclass(frozen=True)
class Sender:
    """Who sent it: the workspace of the installation, and the person with their own one."""

    team_id: str
    slack_id: str
    user_team_id: str


@dataclass(frozen=True)
class Received:
    """A body that can be understood. `sender` is None where Slack itself speaks.

    `payload` is all that was read: whoever handles it need not, and must not, read it again.
    """

    kind: str  # interaction, command, event, ssl_check or url_verification
    sender: Sender | None
    payload: Mapping[str, Any] = field(default_factory=dict)
    challenge: str = ""


def parse(body: bytes, content_type: str) -> Received:
    """Read the body of a request to `/slack/events`.

    Raises:
        BadInput: It is of no form that Slack sends.
    """
    if content_type.partition(";")[0].strip().lower() == _FORM:
        return _form(_fields(body))
    return event(_object(_text(body)))


def interaction(payload: Mapping[str, Any]) -> Received:
    """A pressed button or a sent form. Raises `BadInput` when nobody known has sent it."""
    return Received("interaction", _interaction_sender(payload), payload)


def typed(fields: Mapping[str, Any]) -> Received:
    """A slash command. Raises `BadInput` when nobody known has typed it."""
    team = _id(fields, "team_id")
    return Received("command", Sender(team, _id(fields, "user_id"), team), fields)


def event(body: Mapping[str, Any]) -> Received:
    """An event, or Slack's question whether this address is ours."""
    if body.get("type") == "url_verification":
        return Received("url_verification", None, challenge=_str(body, "challenge"))
    team = _str(body, "team_id")
    user = body.get("event", {}).get("user", "") if isinstance(body.get("event"), dict) else ""
    return Received("event", Sender(team, user if isinstance(user, str) else "", team), body)


def click(payload: Mapping[str, Any], action: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a pressed button of a message.

    A difference is shown in a dialog, which is named after the delivery that asked for it.
    """
    sender = _interaction_sender(payload)
    name = _str(action, "action_id").rpartition(".")[2]
    return NewInboxItem(
        digest=digest,
        kind=InboxKind.CLICK,
        action=name,
        slack_id=sender.slack_id,
        team_id=sender.user_team_id,
        payload={
            "value": _str(action, "value", default=""),
            "channel": _id(_dict(payload, "channel"), "id"),
            "ts": _str(_dict(payload, "container"), "message_ts"),
            "response_url": _str(payload, "response_url", default=""),
            **({"window": f"difference.{digest}"} if name == "difference" else {}),
        },
    )


def turned(payload: Mapping[str, Any], action: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a button that turns a page of the difference's dialog.

    It asks for the difference as the button on the card did, whose value the dialog keeps in its
    `private_metadata`, and says where.
    """
    where = {
        "window": _str(_dict(payload, "view"), "external_id"),
        "place": _str(action, "value"),
    }
    return _in_dialog(InboxKind.CLICK, "difference", payload, digest, where)


def home_opened(body: Mapping[str, Any]) -> NewInboxItem:
    """Return the inbox row of a person who looks at App Home.

    Slack sends an event again when it heard no answer, each time signed anew: it is known by its
    `event_id` (https://docs.slack.dev/apis/events-api).
    """
    team, event_id = _id(body, "team_id"), _id(body, "event_id", _EVENT_ID)
    return NewInboxItem(
        digest=hashlib.sha256(f"event\n{team}\n{event_id}".encode()).hexdigest(),
        kind=InboxKind.HOME,
        action="opened",
        slack_id=_id(_dict(body, "event"), "user"),
        team_id=team,
        payload={},
    )


def pressed_at_home(
    payload: Mapping[str, Any], action: Mapping[str, Any], digest: str
) -> NewInboxItem:
    """Return the inbox row of a button of App Home; what follows the first dot is its name."""
    sender = _interaction_sender(payload)
    return NewInboxItem(
        digest=digest,
        kind=InboxKind.HOME,
        action=_str(action, "action_id").partition(".")[2],
        slack_id=sender.slack_id,
        team_id=sender.user_team_id,
        payload={"value": _str(action, "value", default="")},
    )


def submission(payload: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a sent form; `private_metadata` holds what was pressed.

    Undo asks for a rollback, as a command does, and waits among those: it reads the target, which
    must not hold up what people press.
    """
    view = _dict(payload, "view")
    action = _str(view, "callback_id").rpartition(".")[2]
    kind = InboxKind.COMMAND if action == "undo" else InboxKind.SUBMISSION
    return _in_dialog(kind, action, payload, digest, {"reason": reason_in(view)})


def _in_dialog(
    kind: InboxKind, action: str, payload: Mapping[str, Any], digest: str, more: Mapping[str, str]
) -> NewInboxItem:
    """What was done in a dialog: a press of the button that opened it, and *more*."""
    sender = _interaction_sender(payload)
    pressed = _object(_str(_dict(payload, "view"), "private_metadata"))
    return NewInboxItem(
        digest=digest,
        kind=kind,
        action=action,
        slack_id=sender.slack_id,
        team_id=sender.user_team_id,
        payload={
            "value": _str(pressed, "value"),
            "channel": _id(pressed, "channel"),
            "ts": _str(pressed, "ts"),
            "response_url": "",
            **more,
        },
    )


def reason_in(view: Mapping[str, Any]) -> str:
    """Return what was written into a form, without space around it; "" for nothing."""
    values = _dict(_dict(view, "state"), "values")
    field = _dict(_dict(values, REASON_BLOCK), REASON_INPUT)
    return (_str(field, "value", default="") if field.get("value") is not None else "").strip()


def command(form: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a slash command."""
    return NewInboxItem(
        digest=digest,
        kind=InboxKind.COMMAND,
        action=_str(form, "command").lstrip("/"),
        slack_id=_id(form, "user_id"),
        team_id=_id(form, "team_id"),
        payload={
            "text": _str(form, "text", default=""),
            "channel": _id(form, "channel_id"),
            "response_url": _str(form, "response_url", default=""),
        },
    )


# -- how --------------------------------------------------------------------------------------


def _form(fields: Mapping[str, str]) -> Received:
    if "payload" in fields:
        return interaction(_object(fields["payload"]))
    if "command" in fields:
        return typed(fields)
    if fields.get("ssl_check") == "1":
        return Received("ssl_check", None)
    raise BadInput("a form that is neither an interaction nor a command")


def _interaction_sender(payload: Mapping[str, Any]) -> Sender:
    user, team = _dict(payload, "user"), _dict(payload, "team")
    team_id = _id(team, "id")
    return Sender(team_id, _id(user, "id"), _str(user, "team_id", default=team_id))


def _fields(body: bytes) -> dict[str, str]:
    try:
        parsed = parse_qsl(
            _text(body), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:  # UnicodeDecodeError is one of them
        raise BadInput("the form cannot be decoded") from error
    fields = dict(parsed)
    if len(fields) != len(parsed):  # which of the two was meant?
        raise BadInput("a field is there twice")
    return fields


def _object(text: str) -> dict[str, Any]:
    return shallow(load(text))


def load(text: str) -> object:
    """What *text* says as JSON. Raises `BadInput` when it is none."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadInput("not JSON") from error


def shallow(found: object) -> dict[str, Any]:
    """*found*, if it is an object that can be walked. Raises `BadInput`."""
    if not isinstance(found, dict):
        raise BadInput("not a JSON object")
    if not _shallow(found):
        raise BadInput(f"nested deeper than {_DEEPEST}")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _shallow(found: dict[str, Any]) -> bool:
    level: list[Any] = [found]
    for _ in range(_DEEPEST):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadInput("not UTF-8") from error


def _dict(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = holder.get(name)
    if not isinstance(found, dict):
        raise BadInput(f"{name} is missing or not an object")
    return found


def _id(holder: Mapping[str, Any], name: str, form: re.Pattern[str] = _ID) -> str:
    """A Slack id: https://docs.slack.dev/reference/objects."""
    found = _str(holder, name)
    if not form.fullmatch(found):
        raise BadInput(f"{name} is not a Slack id")
    return found


def _str(holder: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    found = holder.get(name, default)
    if not isinstance(found, str):
        raise BadInput(f"{name} is missing or not text")
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{name} has half a character") from error
    return found.replace("\0", "")
