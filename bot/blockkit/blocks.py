"""Blocks, and on which surface each may stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bot.blockkit.checks import (
    Check,
    Problem,
    anything,
    boolean,
    every,
    listed,
    number,
    one_of,
    record,
    shown,
    string,
    typed,
)
from bot.blockkit.elements import (
    IMAGE_ELEMENT,
    INPUTS,
    INTERACTIVE,
    NAME,
    PICTURE,
    PICTURE_FROM,
    any_text,
    plain,
)
from bot.blockkit.limits import (
    ACTIONS_ELEMENTS,
    ALT_TEXT,
    ANY_TEXT,
    CONTEXT_ELEMENTS,
    CONTEXT_TEXT,
    FIELD_TEXT,
    HEADER_TEXT,
    INPUT_LABEL,
    SECTION_FIELDS,
    SECTION_TEXT,
    TABLE_CELLS,
    TABLE_ROWS,
)
from bot.blockkit.rich import RICH_ELEMENTS


def _block(
    required: Mapping[str, Check] | None = None,
    optional: Mapping[str, Check] | None = None,
    *,
    open_ended: bool = False,
) -> Check:
    own = {"type": anything, **(required or {})}
    return record(own, {"block_id": NAME, **(optional or {})}, open_ended=open_ended)


def _says_something(value: object, at: str) -> Iterator[Problem]:
    if isinstance(value, dict) and not value.keys() & {"text", "fields"}:
        yield Problem(at, "needs text or fields")


def _unlike_action_ids(value: object, at: str) -> Iterator[Problem]:
    elements = value.get("elements") if isinstance(value, dict) else None
    yield from unlike(elements, "action_id", f"{at}/elements")


def unlike(items: object, name: str, at: str) -> Iterator[Problem]:
    """Every item of a list whose *name* one before it has too."""
    seen: set[str] = set()
    for index, item in enumerate(items if isinstance(items, list) else []):
        given = item.get(name) if isinstance(item, dict) else None
        if isinstance(given, str):
            if given in seen:
                yield Problem(f"{at}/{index}/{name}", f"{shown(given)} is there twice")
            seen.add(given)


_CELLS: Final = {
    "raw_text": record({"type": anything, "text": string(ANY_TEXT)}),
    "raw_number": record({"type": anything}, open_ended=True),
    "rich_text": _block({"elements": RICH_ELEMENTS}),
}
_row = listed(typed("table cell", _CELLS), 1, TABLE_CELLS)
_column = record(
    optional={"align": one_of("left", "center", "right"), "is_wrapped": boolean}, open_ended=False
)
_context_element = typed(
    "context element",
    {
        "image": IMAGE_ELEMENT,
        "plain_text": any_text(CONTEXT_TEXT),
        "mrkdwn": any_text(CONTEXT_TEXT),
    },
)
_open_block = _block(open_ended=True)
_card = _block(
    None,
    {"title": any_text(150), "subtitle": any_text(150), "body": any_text(200)}
    | {"actions": listed(typed("card action", INTERACTIVE), 0, 3)},
    open_ended=True,
)

BLOCKS: Final[dict[str, Check]] = {
    "section": every(
        _block(
            None,
            {"text": any_text(SECTION_TEXT)}
            | {"fields": listed(any_text(FIELD_TEXT), 1, SECTION_FIELDS)}
            | {"accessory": typed("element", {**INTERACTIVE, "image": IMAGE_ELEMENT})}
            | {"expand": boolean},
        ),
        _says_something,
    ),
    "header": _block({"text": plain(HEADER_TEXT)}, {"level": number(1, 6)}),
    "divider": _block(),
    "context": _block({"elements": listed(_context_element, 1, CONTEXT_ELEMENTS)}),
    "actions": every(
        _block({"elements": listed(typed("element", INTERACTIVE), 1, ACTIONS_ELEMENTS)}),
        _unlike_action_ids,
    ),
    "input": _block(
        {"label": plain(INPUT_LABEL), "element": typed("input", INPUTS)},
        {"hint": plain(INPUT_LABEL), "optional": boolean, "dispatch_action": boolean},
    ),
    "image": _block(PICTURE, {"title": plain(ALT_TEXT), **PICTURE_FROM}),
    "rich_text": _block({"elements": RICH_ELEMENTS}),
    "markdown": _block({"text": string(10**9)}),  # the limit is on the sum
    "table": _block(
        {"rows": listed(_row, 1, TABLE_ROWS)},
        {"column_settings": listed(_column, 0, TABLE_CELLS)},
    ),
    "file": _block({"external_id": NAME, "source": one_of("remote")}),
    "video": _block({"alt_text": string(ALT_TEXT), "title": plain(200)}, open_ended=True),
    "alert": _block({"text": any_text(200)}, open_ended=True),
    "card": _card,
    "carousel": _block({"elements": listed(typed("card", {"card": _card}), 1, 10)}),
    "context_actions": _block({"elements": listed(anything, 1, 5)}),
    "plan": _block({"title": anything}, {"tasks": listed(anything, 0, 50)}),
    "container": _block(None, {"child_blocks": listed(anything, 1, 10)}, open_ended=True),
    "task_card": _open_block,
    "data_table": _open_block,
    "data_visualization": _open_block,
}  # fmt: skip

# Which block stands where is slackblocks' table; Slack's own word would be blocks.validate.
_EVERYWHERE: Final = ("actions", "context", "divider", "header", "image", "input", "rich_text",
                      "section", "video", "card")  # fmt: skip
_LAID_OUT: Final = ("carousel", "container", "data_table", "data_visualization", "table")
SURFACES: Final[dict[str, tuple[str, ...]]] = {
    "message": (*_EVERYWHERE, *_LAID_OUT, "context_actions", "file", "markdown", "plan",
                "task_card"),
    "modal": (*_EVERYWHERE, "alert"),
    "home": (*_EVERYWHERE, *_LAID_OUT),
}  # fmt: skip
