"""Work that is not ours any more."""

from __future__ import annotations

from bot.errors.base import BotError


class LeaseLost(BotError):
    """Another process has taken over this execution: stop without another write."""
