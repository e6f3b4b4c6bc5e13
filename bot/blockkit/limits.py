"""How much of what fits where, in characters as sent, after escaping.

Rules: docs.slack.dev/reference/block-kit (sizes as in slack_sdk 3.47's models).
"""

from __future__ import annotations

from typing import Final

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
