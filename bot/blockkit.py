"""Slack's limits as a checker of blocks, with JSON pointers (RFC 6901) to what breaks them.

Rules: docs.slack.dev/reference/block-kit (sizes as in slack_sdk 3.47's models). Slack answers a
broken rule with `invalid_blocks` and posts nothing, so blocks are checked before every send.
Lengths count characters as sent, after escaping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Surface = Literal["message", "modal", "home"]

MESSAGE_TEXT: Final = 4_000  # chat.update refuses more with `msg_too_long`
MESSAGE_BLOCKS: Final = 50
MESSAGE_BLOCK_TEXT: Final = 10_000  # undocumented; `msg_blocks_too_long` was seen from 11 341 on
MESSAGE_ATTACHMENTS: Final = 100
MARKDOWN_TEXT: Final = 12_000  # summed over the message
VIEW_BLOCKS: Final = 100
VIEW_TITLE: Final = 24  # and its submit and close
VIEW_PRIVATE_METADATA: Final = 3_000
VIEW_ID: Final = 255  # callback_id, external_id
SECTION_TEXT: Final = 3_000
SECTION_FIELDS: Final = 10
FIELD_TEXT: Final = 2_000
HEADER_TEXT: Final = 150
CONTEXT_ELEMENTS: Final = 10
CONTEXT_TEXT: Final = 2_000
ACTIONS_ELEMENTS: Final = 25
ID: Final = 255  # block_id, action_id
BUTTON_TEXT: Final = 75
BUTTON_VALUE: Final = 2_000
URL: Final = 3_000
CONFIRM_TITLE: Final = 100
CONFIRM_TEXT: Final = 300
CONFIRM_CHOICE: Final = 30
OPTION_TEXT: Final = 75
OPTION_VALUE: Final = 150
OPTIONS: Final = 100
OVERFLOW_OPTIONS: Final = 5
PLACEHOLDER: Final = 150
INPUT_LABEL: Final = 2_000
INPUT_TEXT: Final = 3_000
ALT_TEXT: Final = 2_000
TABLE_ROWS: Final = 100
TABLE_CELLS: Final = 20
ANY_TEXT: Final = 10_000  # where Slack names no limit of its own, the message's holds


@dataclass(frozen=True)
class Problem:
    """A broken rule: where (a JSON pointer into what was checked) and what is wrong there."""

    pointer: str
    text: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.text}"


Check = Callable[[object, str], Iterator[Problem]]


# -- What a value may be ----------------------------------------------------------------------


def _anything(value: object, at: str) -> Iterator[Problem]:
    yield from ()


def _bool(value: object, at: str) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield Problem(at, f"must be true or false, not {_kind(value)}")


def _number(low: int, high: int) -> Check:
    def check(value: object, at: str) -> Iterator[Problem]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield Problem(at, f"must be a whole number, not {_kind(value)}")
        elif not low <= value <= high:
            yield Problem(at, f"must be {low} to {high}, not {value}")

    return check


def _string(longest: int, *, shortest: int = 1) -> Check:
    def check(value: object, at: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield Problem(at, f"must be a string, not {_kind(value)}")
        elif len(value) < shortest:
            yield Problem(at, "must not be empty")
        elif len(value) > longest:
            yield Problem(at, f"has {len(value)} characters, at most {longest} fit")

    return check


def _one_of(*allowed: str) -> Check:
    def check(value: object, at: str) -> Iterator[Problem]:
        if value not in allowed:
            yield Problem(at, f"must be {' or '.join(allowed)}, not {_shown(value)}")

    return check


def _list(each: Check, low: int, high: int) -> Check:
    def check(value: object, at: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(at, f"must be a list, not {_kind(value)}")
            return
        if not low <= len(value) <= high:
            yield Problem(at, f"has {len(value)} elements, {low} to {high} are allowed")
        for index, item in enumerate(value):
            yield from each(item, f"{at}/{index}")

    return check


def _object(
    required: Mapping[str, Check] | None = None,
    optional: Mapping[str, Check] | None = None,
    *,
    open_ended: bool = False,
) -> Check:
    """An object with these fields and, unless *open_ended*, no others."""
    must, known = dict(required or {}), {**(required or {}), **(optional or {})}

    def check(value: object, at: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(at, f"must be an object, not {_kind(value)}")
            return
        for name in must.keys() - value.keys():
            yield Problem(at, f"lacks {name}")
        for name, inner in value.items():
            if name in known:
                yield from known[name](inner, f"{at}/{_token(name)}")
            elif not open_ended:
                yield Problem(f"{at}/{_token(name)}", "is not a known field here")

    return check


def _typed(what: str, kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` names which of *kinds* it must be."""

    def check(value: object, at: str) -> Iterator[Problem]:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict):
            yield Problem(at, f"must be an object, not {_kind(value)}")
        elif not isinstance(kind, str) or kind not in kinds:
            yield Problem(f"{at}/type", f"{_shown(kind)} is not a {what} that is allowed here")
        else:
            yield from kinds[kind](value, at)

    return check


def _all(*checks: Check) -> Check:
    def check(value: object, at: str) -> Iterator[Problem]:
        for one in checks:
            yield from one(value, at)

    return check


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _shown(value: object) -> str:
    return repr(value) if len(repr(value)) <= 40 else _kind(value)


def _token(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


# -- Text, buttons, choices -------------------------------------------------------------------

_id = _string(ID)
_url = _string(URL)


def _plain(longest: int) -> Check:
    return _typed(
        "text",
        {"plain_text": _object({"type": _anything, "text": _string(longest)}, {"emoji": _bool})},
    )


def _text(longest: int) -> Check:
    fields = {"type": _anything, "text": _string(longest)}
    plain, mrkdwn = _object(fields, {"emoji": _bool}), _object(fields, {"verbatim": _bool})
    return _typed("text", {"plain_text": plain, "mrkdwn": mrkdwn})


_style = _one_of("primary", "danger")
_confirm = _object(
    {"title": _plain(CONFIRM_TITLE), "text": _text(CONFIRM_TEXT)}
    | {"confirm": _plain(CONFIRM_CHOICE), "deny": _plain(CONFIRM_CHOICE)},
    {"style": _style},
)
_button = _object(
    {"type": _anything, "text": _plain(BUTTON_TEXT)},
    {"action_id": _id, "url": _url, "value": _string(BUTTON_VALUE), "style": _style}
    | {"confirm": _confirm, "accessibility_label": _string(BUTTON_TEXT)},
)
_option = _object(
    {"text": _text(OPTION_TEXT), "value": _string(OPTION_VALUE)},
    {"description": _text(OPTION_TEXT), "url": _url},
)
_plain_option = _object(  # of a menu; radio buttons and checkboxes take mrkdwn too
    {"text": _plain(OPTION_TEXT), "value": _string(OPTION_VALUE)},
    {"description": _plain(OPTION_TEXT), "url": _url},
)
_options = _list(_plain_option, 1, OPTIONS)
_choosing = {"action_id": _id, "placeholder": _plain(PLACEHOLDER), "confirm": _confirm}
_choosing |= {"focus_on_load": _bool, "initial_option": _plain_option}
_menu = _object(
    {"type": _anything},
    {**_choosing, "options": _options, "option_groups": _list(_anything, 1, OPTIONS)},
)
_external_menu = _object({"type": _anything}, {**_choosing, "min_query_length": _number(0, 3_000)})
_multi_menu = _object({"type": _anything}, {**_choosing, "options": _options}, open_ended=True)
_few_options = _object({"type": _anything, "options": _list(_option, 1, 10)}, open_ended=True)
_other_element = _object({"type": _anything}, _choosing, open_ended=True)
_overflow = _object(
    {"type": _anything, "options": _list(_option, 1, OVERFLOW_OPTIONS)},
    {"action_id": _id, "confirm": _confirm},
)
_text_input = _object(
    {"type": _anything},
    {"action_id": _id, "initial_value": _string(INPUT_TEXT, shortest=0), "multiline": _bool}
    | {"min_length": _number(0, INPUT_TEXT), "max_length": _number(1, INPUT_TEXT)}
    | {"placeholder": _plain(PLACEHOLDER), "focus_on_load": _bool}
    | {"dispatch_action_config": _anything},
)
_picture = {"alt_text": _string(ALT_TEXT, shortest=0)}
_picture_from = {"image_url": _url, "slack_file": _anything}
_image_element = _object({"type": _anything, **_picture}, _picture_from)

_MENUS: Final[dict[str, Check]] = {
    "static_select": _menu,
    "external_select": _external_menu,
    "checkboxes": _few_options,
    "radio_buttons": _few_options,
    **dict.fromkeys(("multi_static_select",), _multi_menu),
    **dict.fromkeys(
        [f"{many}{of}_select" for of in ("users", "conversations", "channels")
         for many in ("", "multi_")]
        + ["multi_external_select", "datepicker", "timepicker", "datetimepicker"],
        _other_element,
    ),
}  # fmt: skip
_INTERACTIVE: Final = {
    "button": _button,
    "overflow": _overflow,
    "workflow_button": _other_element,
    **_MENUS,
}
_INPUTS: Final = {
    "plain_text_input": _text_input,
    **dict.fromkeys(
        ("email_text_input", "url_text_input", "number_input", "file_input", "rich_text_input"),
        _other_element,
    ),
    **_MENUS,
}


# -- Rich text --------------------------------------------------------------------------------

_emphasis = _object(
    optional=dict.fromkeys(
        ("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight",
         "unlink"), _bool,
    )
)  # fmt: skip


def _leaf(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    return _object({"type": _anything, **required}, {"style": _emphasis, **(optional or {})})


_rich_string = _string(ANY_TEXT)
_LEAVES: Final = {
    "text": _leaf({"text": _rich_string}),
    "link": _leaf({"url": _url}, {"text": _rich_string, "unsafe": _bool}),
    "user": _leaf({"user_id": _id}),
    "usergroup": _leaf({"usergroup_id": _id}),
    "channel": _leaf({"channel_id": _id}),
    "team": _leaf({"team_id": _id}),
    "emoji": _leaf({"name": _id}, {"unicode": _anything, "skin_tone": _anything, "url": _url}),
    "date": _leaf(
        {"timestamp": _number(0, 2**63), "format": _rich_string},
        {"fallback": _rich_string, "url": _url},
    ),
    "broadcast": _leaf({"range": _one_of("here", "channel", "everyone")}),
    "color": _leaf({"value": _id}),
}
_leaves = _list(_typed("rich text element", _LEAVES), 0, 10_000)
_plain_leaves = _list(
    _typed("rich text element", {kind: _LEAVES[kind] for kind in ("text", "link")}), 0, 10_000
)
_rich_section = _object({"type": _anything, "elements": _leaves})
_RICH: Final = {
    "rich_text_section": _rich_section,
    "rich_text_quote": _object({"type": _anything, "elements": _leaves}, {"border": _anything}),
    "rich_text_preformatted": _object(
        {"type": _anything, "elements": _plain_leaves}, {"border": _anything, "language": _anything}
    ),
    "rich_text_list": _object(
        {
            "type": _anything,
            "style": _one_of("bullet", "ordered"),
            "elements": _list(_typed("list item", {"rich_text_section": _rich_section}), 1, 10_000),
        },
        {"indent": _number(0, 8), "offset": _number(0, 10_000), "border": _anything},
    ),
}
_rich_elements = _list(_typed("rich text part", _RICH), 1, 10_000)


# -- Blocks -----------------------------------------------------------------------------------


def _block(
    required: Mapping[str, Check] | None = None,
    optional: Mapping[str, Check] | None = None,
    *,
    open_ended: bool = False,
) -> Check:
    own = {"type": _anything, **(required or {})}
    return _object(own, {"block_id": _id, **(optional or {})}, open_ended=open_ended)


def _says_something(value: object, at: str) -> Iterator[Problem]:
    if isinstance(value, dict) and not value.keys() & {"text", "fields"}:
        yield Problem(at, "needs text or fields")


def _unlike_action_ids(value: object, at: str) -> Iterator[Problem]:
    elements = value.get("elements") if isinstance(value, dict) else None
    yield from _unlike(elements, "action_id", f"{at}/elements")


def _unlike(items: object, name: str, at: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in enumerate(items if isinstance(items, list) else []):
        given = item.get(name) if isinstance(item, dict) else None
        if isinstance(given, str):
            if given in seen:
                yield Problem(f"{at}/{index}/{name}", f"{_shown(given)} is there twice")
            seen.add(given)


_CELLS: Final = {
    "raw_text": _object({"type": _anything, "text": _string(ANY_TEXT)}),
    "raw_number": _object({"type": _anything}, open_ended=True),
    "rich_text": _block({"elements": _rich_elements}),
}
_row = _list(_typed("table cell", _CELLS), 1, TABLE_CELLS)
_column = _object(
    optional={"align": _one_of("left", "center", "right"), "is_wrapped": _bool}, open_ended=False
)
_context_element = _typed(
    "context element",
    {
        "image": _image_element,
        "plain_text": _text(CONTEXT_TEXT),
        "mrkdwn": _text(CONTEXT_TEXT),
    },
)
_open_block = _block(open_ended=True)
_card = _block(
    None,
    {"title": _text(150), "subtitle": _text(150), "body": _text(200)}
    | {"actions": _list(_typed("card action", _INTERACTIVE), 0, 3)},
    open_ended=True,
)

_BLOCKS: Final[dict[str, Check]] = {
    "section": _all(
        _block(
            None,
            {"text": _text(SECTION_TEXT), "fields": _list(_text(FIELD_TEXT), 1, SECTION_FIELDS)}
            | {"accessory": _typed("element", {**_INTERACTIVE, "image": _image_element})}
            | {"expand": _bool},
        ),
        _says_something,
    ),
    "header": _block({"text": _plain(HEADER_TEXT)}, {"level": _number(1, 6)}),
    "divider": _block(),
    "context": _block({"elements": _list(_context_element, 1, CONTEXT_ELEMENTS)}),
    "actions": _all(
        _block({"elements": _list(_typed("element", _INTERACTIVE), 1, ACTIONS_ELEMENTS)}),
        _unlike_action_ids,
    ),
    "input": _block(
        {"label": _plain(INPUT_LABEL), "element": _typed("input", _INPUTS)},
        {"hint": _plain(INPUT_LABEL), "optional": _bool, "dispatch_action": _bool},
    ),
    "image": _block(_picture, {"title": _plain(ALT_TEXT), **_picture_from}),
    "rich_text": _block({"elements": _rich_elements}),
    "markdown": _block({"text": _string(10**9)}),  # the limit is on the sum
    "table": _block(
        {"rows": _list(_row, 1, TABLE_ROWS)},
        {"column_settings": _list(_column, 0, TABLE_CELLS)},
    ),
    "file": _block({"external_id": _id, "source": _one_of("remote")}),
    "video": _block({"alt_text": _string(ALT_TEXT), "title": _plain(200)}, open_ended=True),
    "alert": _block({"text": _text(200)}, open_ended=True),
    "card": _card,
    "carousel": _block({"elements": _list(_typed("card", {"card": _card}), 1, 10)}),
    "context_actions": _block({"elements": _list(_anything, 1, 5)}),
    "plan": _block({"title": _anything}, {"tasks": _list(_anything, 0, 50)}),
    "container": _block(None, {"child_blocks": _list(_anything, 1, 10)}, open_ended=True),
    "task_card": _open_block,
    "data_table": _open_block,
    "data_visualization": _open_block,
}  # fmt: skip

# Which block stands where is slackblocks' table; Slack's own word would be blocks.validate.
_EVERYWHERE: Final = ("actions", "context", "divider", "header", "image", "input", "rich_text",
                      "section", "video", "card")  # fmt: skip
_LAID_OUT: Final = ("carousel", "container", "data_table", "data_visualization", "table")
_SURFACES: Final[dict[str, tuple[str, ...]]] = {
    "message": (*_EVERYWHERE, *_LAID_OUT, "context_actions", "file", "markdown", "plan",
                "task_card"),
    "modal": (*_EVERYWHERE, "alert"),
    "home": (*_EVERYWHERE, *_LAID_OUT),
}  # fmt: skip


# -- The whole --------------------------------------------------------------------------------


def problems(blocks: object, *, surface: Surface = "message") -> list[Problem]:
    """Return every rule of Block Kit that *blocks* breaks on *surface*; [] when Slack takes them.

    *blocks* is what `json.loads` gave. Pointers start at the list: `/0/text/text`. An empty
    list is fine in a message (it has its text) and a problem in a view.
    """
    kinds = {kind: _BLOCKS[kind] for kind in _SURFACES[surface]}
    low, high = (0, MESSAGE_BLOCKS) if surface == "message" else (1, VIEW_BLOCKS)
    found = list(_list(_typed("block", kinds), low, high)(blocks, ""))
    found += _unlike(blocks, "block_id", "")
    if surface == "message" and isinstance(blocks, list):
        found += _sums(blocks)
    return found


def view_problems(view: object) -> list[Problem]:
    """Return what Slack would refuse of a modal or home *view*, blocks included."""
    kind = view.get("type") if isinstance(view, dict) else None
    if not isinstance(view, dict) or kind not in {"modal", "home"}:
        return [Problem("/type", f"must be modal or home, not {_shown(kind)}")]
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
        return [Problem("", f"must be an object, not {_kind(payload)}")]
    found = list(_message(payload, ""))
    if payload.get("blocks") is not None:
        found += _below("/blocks", problems(payload["blocks"]))
    if not (payload.get("text") or payload.get("blocks") or payload.get("attachments")):
        found.append(Problem("", "has neither text nor blocks"))
    return found


def text_size(blocks: object) -> int:
    """Return how many characters of text *blocks* hold; MESSAGE_BLOCK_TEXT limits this sum."""
    return sum(map(len, _texts(blocks)))


_suggested = _object(
    None,
    {"options": _list(_plain_option, 0, OPTIONS), "option_groups": _list(_anything, 0, OPTIONS)},
)
_shared_view = {"type": _anything, "blocks": _anything, "callback_id": _string(VIEW_ID)}
_shared_view |= {"external_id": _string(VIEW_ID, shortest=0)}
_shared_view |= {"private_metadata": _string(VIEW_PRIVATE_METADATA, shortest=0)}
_view_word = _plain(VIEW_TITLE)
_home = _object({"blocks": _anything}, _shared_view)
_modal = _object(
    {"title": _view_word, "blocks": _anything},
    {**_shared_view, "submit": _view_word, "close": _view_word, "submit_disabled": _bool}
    | {"clear_on_close": _bool, "notify_on_close": _bool},
)
_message = _object(
    None,
    {
        "text": _string(MESSAGE_TEXT, shortest=0),
        "attachments": _list(_anything, 0, MESSAGE_ATTACHMENTS),
        "metadata": _object({"event_type": _string(ID), "event_payload": _object(open_ended=True)}),
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
