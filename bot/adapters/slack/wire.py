"""What Slack sends, read: verified bytes in, values out, or a named refusal. No I/O.

Shapes: https://docs.slack.dev/reference/interaction-payloads and
https://docs.slack.dev/interactivity/implementing-slash-commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from bot.adapters.slack.reading import an_id, an_object, decoded, part, text_of
from bot.errors import BadInput
from bot.ports.people import CHOICE, DIFFERENCE, DRILL
from store.records import InboxKind, NewInboxItem

# Buttons that open a form, whose `callback_id` is the button's `action_id`.
FORMS = frozenset(
    {"rollback.reject", "rollback.undo", "rollback.break_glass", "rollback.sign_review"}
)
_WINDOWS = {"difference": DIFFERENCE, "another": CHOICE}  # buttons that open a dialog to read in
REASON_BLOCK, REASON_INPUT = "reason", "text"
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100


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
    return event(an_object(decoded(body)))


def interaction(payload: Mapping[str, Any]) -> Received:
    """A pressed button or a sent form. Raises `BadInput` when nobody known has sent it."""
    if payload.get("type") == "block_actions" and not payload.get("actions"):
        raise BadInput("nothing was pressed")
    return Received("interaction", sender_of(payload), payload)


def typed(fields: Mapping[str, Any]) -> Received:
    """A slash command. Raises `BadInput` when nobody known has typed it."""
    team = an_id(fields, "team_id")
    return Received("command", Sender(team, an_id(fields, "user_id"), team), fields)


def event(body: Mapping[str, Any]) -> Received:
    """An event, or Slack's question whether this address is ours."""
    if body.get("type") == "url_verification":
        return Received("url_verification", None, challenge=text_of(body, "challenge"))
    team = text_of(body, "team_id")
    user = body.get("event", {}).get("user", "") if isinstance(body.get("event"), dict) else ""
    return Received("event", Sender(team, user if isinstance(user, str) else "", team), body)


def click(payload: Mapping[str, Any], action: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a pressed button of a message.

    A difference and the versions of an app are shown in a dialog, which is named after the
    delivery that asked for it.
    """
    sender = sender_of(payload)
    name = text_of(action, "action_id").rpartition(".")[2]
    return NewInboxItem(
        digest=digest,
        kind=InboxKind.CLICK,
        action=name,
        slack_id=sender.slack_id,
        team_id=sender.user_team_id,
        payload={
            "value": text_of(action, "value", default=""),
            "channel": an_id(part(payload, "channel"), "id"),
            "ts": text_of(part(payload, "container"), "message_ts"),
            "response_url": text_of(payload, "response_url", default=""),
            **({"window": _window(name, action, digest)} if name in _WINDOWS else {}),
        },
    )


def _window(name: str, action: Mapping[str, Any], digest: str) -> str:
    kind = _WINDOWS[name]
    return f"{kind}.{DRILL}.{digest}" if of_drill(action) else f"{kind}.{digest}"


def of_drill(action: Mapping[str, Any]) -> bool:
    """Whether a button stood on the card of a drill, by the id of its block.

    That decides nothing: a dialog that is opened before anything is read says it on its face.
    """
    block = action.get("block_id")
    return isinstance(block, str) and block.startswith(f"actions.{DRILL}.")


def turned(payload: Mapping[str, Any], action: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a button that turns a page of the difference's dialog.

    It asks for the difference as the button on the card did, whose value the dialog keeps in its
    `private_metadata`, and says where.
    """
    where = {
        "window": text_of(part(payload, "view"), "external_id"),
        "place": text_of(action, "value"),
    }
    return _in_dialog(InboxKind.CLICK, "difference", payload, digest, where)


def submission(payload: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a sent form; `private_metadata` holds what was pressed.

    Undo asks for a rollback, as a command does, and waits among those: it reads the target, which
    must not hold up what people press.
    """
    view = part(payload, "view")
    action = text_of(view, "callback_id").rpartition(".")[2]
    kind = InboxKind.COMMAND if action == "undo" else InboxKind.SUBMISSION
    return _in_dialog(kind, action, payload, digest, {"reason": reason_in(view)})


def _in_dialog(
    kind: InboxKind, action: str, payload: Mapping[str, Any], digest: str, more: Mapping[str, str]
) -> NewInboxItem:
    """What was done in a dialog: a press of the button that opened it, and *more*."""
    sender = sender_of(payload)
    pressed = an_object(text_of(part(payload, "view"), "private_metadata"))
    return NewInboxItem(
        digest=digest,
        kind=kind,
        action=action,
        slack_id=sender.slack_id,
        team_id=sender.user_team_id,
        payload={
            "value": text_of(pressed, "value"),
            "channel": an_id(pressed, "channel"),
            "ts": text_of(pressed, "ts"),
            "response_url": "",
            **more,
        },
    )


def reason_in(view: Mapping[str, Any]) -> str:
    """Return what was written into a form, without space around it; "" for nothing."""
    values = part(part(view, "state"), "values")
    field = part(part(values, REASON_BLOCK), REASON_INPUT)
    return (text_of(field, "value", default="") if field.get("value") is not None else "").strip()


def command(form: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a slash command."""
    return NewInboxItem(
        digest=digest,
        kind=InboxKind.COMMAND,
        action=text_of(form, "command").lstrip("/"),
        slack_id=an_id(form, "user_id"),
        team_id=an_id(form, "team_id"),
        payload={
            "text": text_of(form, "text", default=""),
            "channel": an_id(form, "channel_id"),
            "response_url": text_of(form, "response_url", default=""),
        },
    )


# -- how --------------------------------------------------------------------------------------


def _form(fields: Mapping[str, str]) -> Received:
    if "payload" in fields:
        return interaction(an_object(fields["payload"]))
    if "command" in fields:
        return typed(fields)
    if fields.get("ssl_check") == "1":
        return Received("ssl_check", None)
    raise BadInput("a form that is neither an interaction nor a command")


def sender_of(payload: Mapping[str, Any]) -> Sender:
    """Who pressed, chose or sent something. Raises `BadInput`."""
    user, team = part(payload, "user"), part(payload, "team")
    team_id = an_id(team, "id")
    return Sender(team_id, an_id(user, "id"), text_of(user, "team_id", default=team_id))


def _fields(body: bytes) -> dict[str, str]:
    try:
        parsed = parse_qsl(
            decoded(body), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:  # UnicodeDecodeError is one of them
        raise BadInput("the form cannot be decoded") from error
    fields = dict(parsed)
    if len(fields) != len(parsed):  # which of the two was meant?
        raise BadInput("a field is there twice")
    return fields
