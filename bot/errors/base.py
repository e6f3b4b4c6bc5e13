"""What all our errors are: `str()` for the operator, `user_message` for the person."""

from __future__ import annotations

from typing import ClassVar

from bot.language import gettext


class BotError(Exception):
    """Root of the bot's own errors.

    `code` names the error in logs, audit entries and outcomes; `retryable` says that the same
    call may work later.
    """

    user_message: ClassVar[str] = "Something went wrong on our side. The operators have been told."
    retryable: ClassVar[bool] = False

    @property
    def code(self) -> str:
        """The class name in snake case: stable, for records and catalogues."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")

    def to_person(self) -> str:
        """The sentence for the person; facts are filled in where the class has them."""
        return gettext(self.user_message)


class Refused(BotError):
    """The person asked for something the rules do not allow; nothing was changed."""

    user_message = "That is not allowed."


def plain(text: str) -> str:
    """*text* as it may stand in a code span of a Slack sentence."""
    cut = text.replace("`", "ʼ").replace("\n", " ")[:80]
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
