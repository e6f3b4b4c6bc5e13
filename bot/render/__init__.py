"""Cards, replies and dialogs as Block Kit, drawn from `templates/slack/*.json.j2`."""

from __future__ import annotations

from bot.render.drawing import BrokenBlocks, Message
from bot.render.messages import answer, card, note
from bot.render.ours import strictly
from bot.render.views import (
    app_options,
    choice_view,
    difference_view,
    filled,
    form_view,
    home_view,
)

__all__ = [
    "BrokenBlocks",
    "Message",
    "answer",
    "app_options",
    "card",
    "choice_view",
    "difference_view",
    "filled",
    "form_view",
    "home_view",
    "note",
    "strictly",
]
