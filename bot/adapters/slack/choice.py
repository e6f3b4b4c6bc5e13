"""The dialog in which an app and one of its versions are chosen, as Slack sends it. No I/O.

The dialog keeps in its `private_metadata` of which app it shows versions, and where its answer
belongs. Its `external_id` is new with each app that is chosen, so that the versions of another
one, which come a moment later, find no dialog any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.adapters.slack.reading import an_id, an_object, part, text_of
from bot.adapters.slack.wire import reason_in, sender_of
from bot.domain.choices import chosen
from bot.ports.people import CHOICE
from store.records import InboxKind, NewInboxItem

FORM: Final = "rollback.choose"
APP: Final = "rollback.choose.app"  # the select's action_id
APP_BLOCK, VERSION_BLOCK = "app", "version."
_FIRST = "1"


@dataclass(frozen=True)
class Choice:
    """What was filled in. `shown` is the app whose versions stood there, "" for none yet.

    `app` is the one that is chosen; "" where the dialog is about one app only. `number` is None
    while no version is chosen.
    """

    shown: str
    app: str
    number: int | None
    takes_reason: bool
    reason: str
    asks_app: bool
    version_block: str


def read(view: Mapping[str, Any]) -> Choice:
    """Return what was filled into *view*. Raises `BadInput` when it is no dialog of ours."""
    values = part(part(view, "state"), "values")
    block = next((name for name in values if name.startswith(VERSION_BLOCK)), "")
    number, takes_reason = None, False
    if block and (said := _selected(part(values, block))):
        number, takes_reason = chosen(said)
    return Choice(
        shown=text_of(_metadata(view), "where"),
        app=_selected(part(values, APP_BLOCK)) if APP_BLOCK in values else "",
        number=number,
        takes_reason=takes_reason,
        reason=reason_in(view),
        asks_app=APP_BLOCK in values,
        version_block=block,
    )


def typed(payload: Mapping[str, Any]) -> tuple[str, str, str]:
    """Who looks for an app, of which workspace, and the letters that they typed."""
    sender = sender_of(payload)
    return sender.slack_id, sender.user_team_id, text_of(payload, "value", default="")


def app(payload: Mapping[str, Any], action: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of an app that was chosen: its versions are to be shown."""
    where = text_of(part(action, "selected_option"), "value")
    return _look(payload, digest, where, _FIRST, window=f"{CHOICE}.{digest}")


def turned(payload: Mapping[str, Any], action: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a button that turns the page."""
    view = part(payload, "view")
    where, page = text_of(_metadata(view), "where"), text_of(action, "value")
    return _look(payload, digest, where, page, window=text_of(view, "external_id"))


def sent(payload: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of the sent dialog.

    It asks for a rollback as `/rollback to` does, and waits among the commands.
    """
    filled = read(part(payload, "view"))
    more = {"where": filled.shown, "number": str(filled.number or ""), "reason": filled.reason}
    return _row(InboxKind.COMMAND, payload, digest, more)


def not_opened(item: NewInboxItem) -> NewInboxItem:
    """The row that asks for the words where the dialog of the command *item* did not open."""
    digest = hashlib.sha256(f"{item.digest}\nhelp".encode()).hexdigest()
    return NewInboxItem(
        digest=digest,
        kind=item.kind,
        action=item.action,
        slack_id=item.slack_id,
        team_id=item.team_id,
        payload={**item.payload, "text": "help"},
    )


# -- how --------------------------------------------------------------------------------------


def _look(
    payload: Mapping[str, Any], digest: str, where: str, page: str, *, window: str
) -> NewInboxItem:
    return _row(InboxKind.CLICK, payload, digest, {"where": where, "place": page, "window": window})


def _row(
    kind: InboxKind, payload: Mapping[str, Any], digest: str, more: Mapping[str, str]
) -> NewInboxItem:
    sender, kept = sender_of(payload), _metadata(part(payload, "view"))
    return NewInboxItem(
        digest=digest,
        kind=kind,
        action="choose",
        slack_id=sender.slack_id,
        team_id=sender.user_team_id,
        payload={
            "value": text_of(kept, "value"),
            "channel": an_id(kept, "channel"),
            "ts": text_of(kept, "ts"),
            "response_url": text_of(kept, "response_url"),
            **more,
        },
    )


def _metadata(view: Mapping[str, Any]) -> dict[str, Any]:
    return an_object(text_of(view, "private_metadata"))


def _selected(block: Mapping[str, Any]) -> str:
    """The value that is chosen in a block of one element; "" for none."""
    for element in block.values():
        option = element.get("selected_option") if isinstance(element, dict) else None
        if isinstance(option, dict):
            return text_of(option, "value")
    return ""
