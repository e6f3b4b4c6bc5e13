"""What Slack's door committed, read back into values.

The door has verified the bytes and keeps of each payload only what stands here:

    click       value, channel, ts, response_url        of the message that holds the button;
                window, the dialog in which it is answered, if there is one; place, where in it
    submission  value, channel, ts, response_url, reason   the first three as the click gave them
    command     text, channel, response_url; or with the action `undo` what a submission has

What is done in the dialog in which an app and a version are chosen has the action `choose`: a
click says of which app (`where`) which page (`place`) of versions is to be shown, what was sent is
a command with `where`, `number` and `reason`.

`action` is the button's: approve, reject, undo, another, difference (a prefix up to a dot is left
out).
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.commands import To
from bot.errors import BadInput
from store.records import AppEnv, InboxItem

LONGEST_REASON = 500
_DIGITS = 9


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


@dataclass(frozen=True)
class Look:
    """The versions of *where* that somebody looks for in a dialog."""

    where: AppEnv
    page: int


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


def looked(item: InboxItem) -> Look:
    """Return what is looked for in a dialog. Raises `BadInput`."""
    page = _text(item, "place")
    if not page.isascii() or not page.isdigit() or len(page) > _DIGITS:
        raise BadInput(f"inbox item {item.id} has no page")
    return Look(_where(item), int(page))


def choice(item: InboxItem) -> tuple[To, Words]:
    """Return what a sent dialog asks for. Raises `BadInput` when the row is not as above."""
    number = _text(item, "number")
    if not number.isascii() or not number.isdigit() or len(number) > _DIGITS:
        raise BadInput(f"inbox item {item.id} has no version")
    reason = _sentence(_text(item, "reason", default=""))
    words = Words("", _text(item, "channel"), _text(item, "response_url", default=""))
    return To(_where(item), int(number), reason), words


def _where(item: InboxItem) -> AppEnv:
    try:
        return AppEnv.parse(_text(item, "where"))
    except ValueError as error:
        raise BadInput(f"inbox item {item.id} names no app") from error


def _text(item: InboxItem, name: str, *, default: str | None = None) -> str:
    found = item.payload.get(name, default)
    if not isinstance(found, str):
        raise BadInput(f"inbox item {item.id} has no {name}")
    return found


def _sentence(text: str) -> str:
    """*text* on one line and of a length that a card can show; what cannot be seen is left out."""
    seen = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(seen.split())[:LONGEST_REASON]
