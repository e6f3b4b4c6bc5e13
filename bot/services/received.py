"""What Slack's door committed, read back into values.

The door has verified the bytes and keeps of each payload only what stands here:

    click       value, channel, ts, response_url        of the message that holds the button;
                window, the dialog in which it is answered, if there is one; place, where in it
    submission  value, channel, ts, response_url, reason   the first three as the click gave them
    command     text, channel, response_url; or with the action `undo` what a submission has

`action` is the button's: approve, reject, undo, difference (a prefix up to a dot is left out).
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import BadInput
from store.records import InboxItem

LONGEST_REASON = 500


@dataclass(frozen=True)
class Press:
    """A button that was pressed, or the form that it opened and that was sent."""

    action: str
    value: str
    channel: str
    ts: str
    response_url: str
    reason: str = ""
    place: str = ""


@dataclass(frozen=True)
class Words:
    """A slash command."""

    text: str
    channel: str
    response_url: str


def press(item: InboxItem) -> Press:
    """Return what was pressed. Raises `BadInput` when the row is not of the form above."""
    return Press(
        action=item.action.rpartition(".")[2],
        value=_text(item, "value"),
        channel=_text(item, "channel"),
        ts=_text(item, "ts"),
        response_url=_text(item, "response_url", default=""),
        reason=_sentence(_text(item, "reason", default="")),
        place=_text(item, "place", default=""),
    )


def words(item: InboxItem) -> Words:
    """Return what was typed. Raises `BadInput` when the row is not of the form above."""
    return Words(
        text=_text(item, "text", default=""),
        channel=_text(item, "channel"),
        response_url=_text(item, "response_url", default=""),
    )


def _text(item: InboxItem, name: str, *, default: str | None = None) -> str:
    found = item.payload.get(name, default)
    if not isinstance(found, str):
        raise BadInput(f"inbox item {item.id} has no {name}")
    return found


def _sentence(text: str) -> str:
    """*text* on one line and of a length that a card can show; what cannot be seen is left out."""
    seen = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(seen.split())[:LONGEST_REASON]
