"""Nobody breaks the glass, or signs for it, who may not."""

from __future__ import annotations

from typing import ClassVar

from bot.errors.base import Refused, plain
from bot.errors.votes import NotEligible
from bot.language import filled, message


class GlassRefused(NotEligible):
    """This person may not break the glass; `why` is a code of the policy rules."""

    _SENTENCES: ClassVar[dict[str, str]] = {
        **NotEligible._SENTENCES,
        "glass_off": message(
            "Break-glass is off for this environment: two keys are the only way here."
        ),
        "not_named": message(
            "You are not among those who may break the glass in this environment."
        ),
        "not_at_open": message(
            "You came to those who may break the glass after this rollback was opened, "
            "so you cannot start it alone."
        ),
        "bot": message("Bots cannot break the glass."),
        "guest": message("Guests cannot break the glass."),
        "stranger": message("People of another organisation cannot break the glass."),
        "shared_channel": message(
            "This channel is shared with another organisation; the glass is not broken here."
        ),
    }
    user_message = "You cannot break the glass here."


class ReviewRefused(NotEligible):
    """This person may not sign the review; `why` is a code of the policy rules."""

    _SENTENCES: ClassVar[dict[str, str]] = {
        **NotEligible._SENTENCES,
        "own_glass": message("You broke the glass, so two others have to sign the review."),
        "bot": message("Bots cannot sign a review."),
        "guest": message("Guests cannot sign a review."),
        "stranger": message("People of another organisation cannot sign a review."),
        "shared_channel": message(
            "This channel is shared with another organisation; reviews are not signed here."
        ),
    }
    user_message = "You cannot sign this review."


class ReasonTooShort(Refused):
    """Breaking the glass needs a written reason of some length."""

    user_message = "Please say in a sentence why it cannot wait for an approval."

    def __init__(self, at_least: int) -> None:
        super().__init__(f"a reason of fewer than {at_least} characters")
        self.at_least = at_least

    def to_person(self) -> str:
        return filled(
            "Please say in a sentence why it cannot wait for an approval. "
            "It needs %(count)s characters at least.",
            count=self.at_least,
        )


class NothingToReview(Refused):
    """No review of the app is open."""

    user_message = "No review of it is open."

    def __init__(self, where: str) -> None:
        super().__init__(f"no review of {where} is open")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "No review of `%(where)s` is open: it is signed, or was never needed.",
            where=plain(self.where),
        )


class AlreadySigned(Refused):
    """This person's signature is there already."""

    user_message = "You have signed this review already; somebody else has to."


class NothingToBreak(Refused):
    """No rollback of the app is open that break-glass could start."""

    user_message = "Nothing is open that break-glass could start."

    def __init__(self, where: str) -> None:
        super().__init__(f"no rollback of {where} is open")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "No rollback of `%(where)s` is open. Ask for one first: "
            "`/rollback to %(where)s VERSION` "
            "(`/rollback log %(where)s` has the versions); then break the glass.",
            where=plain(self.where),
        )
