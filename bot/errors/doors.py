"""What comes in and is turned away."""

from __future__ import annotations

from bot.errors.base import BotError


class BadInput(BotError):
    """What was sent can never be understood (400)."""

    user_message = "That request could not be read."


class Unauthorised(BotError):
    """Wrong or missing credentials (401); one body for every cause."""


class LinkInvalid(BotError):
    """A link into our pages that we did not make, or to what is not there (404)."""


class LinkExpired(BotError):
    """A link into our pages that was ours, and is over (410)."""


class TooLarge(BotError):
    """More bytes than this door takes (413)."""


class Congested(BotError):
    """More waits to be stored than there is room for (503): to be sent again in a moment."""

    retryable = True
