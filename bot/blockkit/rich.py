"""Rich text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.blockkit.checks import (
    Check,
    anything,
    boolean,
    listed,
    number,
    one_of,
    record,
    string,
    typed,
)
from bot.blockkit.elements import ADDRESS, NAME
from bot.blockkit.limits import ANY_TEXT

_emphasis = record(
    optional=dict.fromkeys(
        ("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight",
         "unlink"), boolean,
    )
)  # fmt: skip


def _leaf(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    return record({"type": anything, **required}, {"style": _emphasis, **(optional or {})})


_rich_string = string(ANY_TEXT)
_LEAVES: Final = {
    "text": _leaf({"text": _rich_string}),
    "link": _leaf({"url": ADDRESS}, {"text": _rich_string, "unsafe": boolean}),
    "user": _leaf({"user_id": NAME}),
    "usergroup": _leaf({"usergroup_id": NAME}),
    "channel": _leaf({"channel_id": NAME}),
    "team": _leaf({"team_id": NAME}),
    "emoji": _leaf({"name": NAME}, {"unicode": anything, "skin_tone": anything, "url": ADDRESS}),
    "date": _leaf(
        {"timestamp": number(0, 2**63), "format": _rich_string},
        {"fallback": _rich_string, "url": ADDRESS},
    ),
    "broadcast": _leaf({"range": one_of("here", "channel", "everyone")}),
    "color": _leaf({"value": NAME}),
}
_leaves = listed(typed("rich text element", _LEAVES), 0, 10_000)
_plain_leaves = listed(
    typed("rich text element", {kind: _LEAVES[kind] for kind in ("text", "link")}), 0, 10_000
)
_rich_section = record({"type": anything, "elements": _leaves})
_RICH: Final = {
    "rich_text_section": _rich_section,
    "rich_text_quote": record({"type": anything, "elements": _leaves}, {"border": anything}),
    "rich_text_preformatted": record(
        {"type": anything, "elements": _plain_leaves}, {"border": anything, "language": anything}
    ),
    "rich_text_list": record(
        {
            "type": anything,
            "style": one_of("bullet", "ordered"),
            "elements": listed(typed("list item", {"rich_text_section": _rich_section}), 1, 10_000),
        },
        {"indent": number(0, 8), "offset": number(0, 10_000), "border": anything},
    ),
}
RICH_ELEMENTS = listed(typed("rich text part", _RICH), 1, 10_000)
