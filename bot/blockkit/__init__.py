"""Slack's limits as a checker of blocks, with JSON pointers (RFC 6901) to what breaks them.

Slack answers a broken rule with `invalid_blocks` and posts nothing, so blocks are checked before
every send.
"""

from __future__ import annotations

from bot.blockkit.checks import Problem
from bot.blockkit.limits import (
    MESSAGE_ATTACHMENTS,
    MESSAGE_BLOCK_TEXT,
    MESSAGE_BLOCKS,
    MESSAGE_TEXT,
    OPTION_TEXT,
    OPTION_VALUE,
    OPTIONS,
    SECTION_TEXT,
    VIEW_PRIVATE_METADATA,
    VIEW_TITLE,
)
from bot.blockkit.whole import (
    Surface,
    message_problems,
    options_problems,
    problems,
    text_size,
    view_problems,
)

__all__ = [
    "MESSAGE_ATTACHMENTS",
    "MESSAGE_BLOCKS",
    "MESSAGE_BLOCK_TEXT",
    "MESSAGE_TEXT",
    "OPTIONS",
    "OPTION_TEXT",
    "OPTION_VALUE",
    "SECTION_TEXT",
    "VIEW_PRIVATE_METADATA",
    "VIEW_TITLE",
    "Problem",
    "Surface",
    "message_problems",
    "options_problems",
    "problems",
    "text_size",
    "view_problems",
]
