"""Messages, views and answers as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from bot.blockkit.blocks import BLOCKS, SURFACES, unlike
from bot.blockkit.checks import (
    Problem,
    anything,
    boolean,
    kind_of,
    listed,
    record,
    shown,
    string,
    typed,
)
from bot.blockkit.elements import PLAIN_OPTION, plain
from bot.blockkit.limits import (
    ID,
    MARKDOWN_TEXT,
    MESSAGE_ATTACHMENTS,
    MESSAGE_BLOCK_TEXT,
    MESSAGE_BLOCKS,
    MESSAGE_TEXT,
    OPTIONS,
    VIEW_BLOCKS,
    VIEW_ID,
    VIEW_PRIVATE_METADATA,
    VIEW_TITLE,
)

Surface = Literal["message", "modal", "home"]


def problems(blocks: object, *, surface: Surface = "message") -> list[Problem]:
    """Return every rule of Block Kit that *blocks* breaks on *surface*; [] when Slack takes them.

    *blocks* is what `json.loads` gave. Pointers start at the list: `/0/text/text`. An empty
    list is fine in a message (it has its text) and a problem in a view.
    """
    kinds = {kind: BLOCKS[kind] for kind in SURFACES[surface]}
    low, high = (0, MESSAGE_BLOCKS) if surface == "message" else (1, VIEW_BLOCKS)
    found = list(listed(typed("block", kinds), low, high)(blocks, ""))
    found += unlike(blocks, "block_id", "")
    if surface == "message" and isinstance(blocks, list):
        found += _sums(blocks)
    return found


def view_problems(view: object) -> list[Problem]:
    """Return what Slack would refuse of a modal or home *view*, blocks included."""
    kind = view.get("type") if isinstance(view, dict) else None
    if not isinstance(view, dict) or kind not in {"modal", "home"}:
        return [Problem("/type", f"must be modal or home, not {shown(kind)}")]
    found = list((_modal if kind == "modal" else _home)(view, ""))
    surface: Surface = "modal" if kind == "modal" else "home"
    found += _below("/blocks", problems(view.get("blocks", []), surface=surface))
    asks = any(isinstance(b, dict) and b.get("type") == "input" for b in _items(view, "blocks"))
    if kind == "modal" and asks and "submit" not in view:
        found.append(Problem("", "has input blocks and therefore needs submit"))
    return found


def options_problems(answer: object) -> list[Problem]:
    """Return what Slack would refuse of an *answer* to what somebody looks for in a menu."""
    return list(_suggested(answer, ""))


def message_problems(payload: object) -> list[Problem]:
    """Return what Slack would refuse of a chat.postMessage or chat.update *payload*.

    Looks at text, blocks, attachments and metadata only; `blocks` may be absent, `text` too
    when there are blocks.
    """
    if not isinstance(payload, dict):
        return [Problem("", f"must be an object, not {kind_of(payload)}")]
    found = list(_message(payload, ""))
    if payload.get("blocks") is not None:
        found += _below("/blocks", problems(payload["blocks"]))
    if not (payload.get("text") or payload.get("blocks") or payload.get("attachments")):
        found.append(Problem("", "has neither text nor blocks"))
    return found


def text_size(blocks: object) -> int:
    """Return how many characters of text *blocks* hold; MESSAGE_BLOCK_TEXT limits this sum."""
    return sum(map(len, _texts(blocks)))


_suggested = record(
    None,
    {"options": listed(PLAIN_OPTION, 0, OPTIONS), "option_groups": listed(anything, 0, OPTIONS)},
)
_shared_view = {"type": anything, "blocks": anything, "callback_id": string(VIEW_ID)}
_shared_view |= {"external_id": string(VIEW_ID, shortest=0)}
_shared_view |= {"private_metadata": string(VIEW_PRIVATE_METADATA, shortest=0)}
_view_word = plain(VIEW_TITLE)
_home = record({"blocks": anything}, _shared_view)
_modal = record(
    {"title": _view_word, "blocks": anything},
    {**_shared_view, "submit": _view_word, "close": _view_word, "submit_disabled": boolean}
    | {"clear_on_close": boolean, "notify_on_close": boolean},
)
_message = record(
    None,
    {
        "text": string(MESSAGE_TEXT, shortest=0),
        "attachments": listed(anything, 0, MESSAGE_ATTACHMENTS),
        "metadata": record({"event_type": string(ID), "event_payload": record(open_ended=True)}),
    },
    open_ended=True,
)


def _sums(blocks: list[object]) -> Iterator[Problem]:
    counted = [b for b in blocks if isinstance(b, dict) and b.get("type") == "markdown"]
    others = [block for block in blocks if block not in counted]
    if (markdown := text_size(counted)) > MARKDOWN_TEXT:
        yield Problem("", f"markdown blocks hold {markdown} characters, at most {MARKDOWN_TEXT}")
    if (total := text_size(others)) > MESSAGE_BLOCK_TEXT:
        yield Problem("", f"texts hold {total} characters, at most {MESSAGE_BLOCK_TEXT} together")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "text" and isinstance(item, str):
                yield item
            else:
                yield from _texts(item)


def _below(pointer: str, found: list[Problem]) -> list[Problem]:
    return [Problem(pointer + one.pointer, one.text) for one in found]


def _items(value: Mapping[object, object], name: str) -> list[object]:
    items = value.get(name)
    return items if isinstance(items, list) else []
