"""Text, buttons, choices: what stands in blocks."""

from __future__ import annotations

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
from bot.blockkit.limits import (
    ALT_TEXT,
    BUTTON_TEXT,
    BUTTON_VALUE,
    CONFIRM_CHOICE,
    CONFIRM_TEXT,
    CONFIRM_TITLE,
    ID,
    INPUT_TEXT,
    OPTION_TEXT,
    OPTION_VALUE,
    OPTIONS,
    OVERFLOW_OPTIONS,
    PLACEHOLDER,
    URL,
)

NAME = string(ID)
ADDRESS = string(URL)


def plain(longest: int) -> Check:
    """A text object without markup."""
    return typed(
        "text",
        {"plain_text": record({"type": anything, "text": string(longest)}, {"emoji": boolean})},
    )


def any_text(longest: int) -> Check:
    """A text object, with or without markup."""
    fields = {"type": anything, "text": string(longest)}
    plain, mrkdwn = record(fields, {"emoji": boolean}), record(fields, {"verbatim": boolean})
    return typed("text", {"plain_text": plain, "mrkdwn": mrkdwn})


_style = one_of("primary", "danger")
_confirm = record(
    {"title": plain(CONFIRM_TITLE), "text": any_text(CONFIRM_TEXT)}
    | {"confirm": plain(CONFIRM_CHOICE), "deny": plain(CONFIRM_CHOICE)},
    {"style": _style},
)
_button = record(
    {"type": anything, "text": plain(BUTTON_TEXT)},
    {"action_id": NAME, "url": ADDRESS, "value": string(BUTTON_VALUE), "style": _style}
    | {"confirm": _confirm, "accessibility_label": string(BUTTON_TEXT)},
)
OPTION = record(
    {"text": any_text(OPTION_TEXT), "value": string(OPTION_VALUE)},
    {"description": any_text(OPTION_TEXT), "url": ADDRESS},
)
PLAIN_OPTION = record(  # of a menu; radio buttons and checkboxes take mrkdwn too
    {"text": plain(OPTION_TEXT), "value": string(OPTION_VALUE)},
    {"description": plain(OPTION_TEXT), "url": ADDRESS},
)
_options = listed(PLAIN_OPTION, 1, OPTIONS)
_choosing = {"action_id": NAME, "placeholder": plain(PLACEHOLDER), "confirm": _confirm}
_choosing |= {"focus_on_load": boolean, "initial_option": PLAIN_OPTION}
_menu = record(
    {"type": anything},
    {**_choosing, "options": _options, "option_groups": listed(anything, 1, OPTIONS)},
)
_external_menu = record({"type": anything}, {**_choosing, "min_query_length": number(0, 3_000)})
_multi_menu = record({"type": anything}, {**_choosing, "options": _options}, open_ended=True)
_few_options = record({"type": anything, "options": listed(OPTION, 1, 10)}, open_ended=True)
_other_element = record({"type": anything}, _choosing, open_ended=True)
_overflow = record(
    {"type": anything, "options": listed(OPTION, 1, OVERFLOW_OPTIONS)},
    {"action_id": NAME, "confirm": _confirm},
)
_text_input = record(
    {"type": anything},
    {"action_id": NAME, "initial_value": string(INPUT_TEXT, shortest=0), "multiline": boolean}
    | {"min_length": number(0, INPUT_TEXT), "max_length": number(1, INPUT_TEXT)}
    | {"placeholder": plain(PLACEHOLDER), "focus_on_load": boolean}
    | {"dispatch_action_config": anything},
)
PICTURE = {"alt_text": string(ALT_TEXT, shortest=0)}
PICTURE_FROM = {"image_url": ADDRESS, "slack_file": anything}
IMAGE_ELEMENT = record({"type": anything, **PICTURE}, PICTURE_FROM)

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
INTERACTIVE: Final = {
    "button": _button,
    "overflow": _overflow,
    "workflow_button": _other_element,
    **_MENUS,
}
INPUTS: Final = {
    "plain_text_input": _text_input,
    **dict.fromkeys(
        ("email_text_input", "url_text_input", "number_input", "file_input", "rich_text_input"),
        _other_element,
    ),
    **_MENUS,
}
