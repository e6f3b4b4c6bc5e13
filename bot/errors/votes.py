"""A key that was turned does not count, or there is nothing to turn it for."""

from __future__ import annotations

from typing import ClassVar

from bot.errors.base import Refused
from bot.language import gettext, message


class AlreadyDecided(Refused):
    """The rollback is past voting."""

    user_message = "This rollback has been decided already; the card shows how it ended."


class RollbackExpired(Refused):
    """The time to vote is over."""

    user_message = "This rollback has expired. Ask again with `/rollback to APP@ENV VERSION`."


class SelfApproval(Refused):
    """The approver is the requester."""

    user_message = "You asked for this rollback, so two other people have to turn the keys."


class AlreadyVoted(Refused):
    """This person's vote is counted already."""

    user_message = "Your vote is counted already."


class NoVote(Refused):
    """There is no vote of this person that could be taken back."""

    user_message = "You have no vote on it that could be taken back."


class OutOfDate(Refused):
    """The button belongs to a message or a content that is no longer the current one."""

    user_message = "This card is out of date. Please use the newest card of this incident."


class ReasonMissing(Refused):
    """A rejection needs a reason."""

    user_message = "Please say in a few words why you reject it."


class NotEligible(Refused):
    """This person may not vote here; `why` is a code of the policy rules."""

    _SENTENCES: ClassVar[dict[str, str]] = {
        "no_policy": message(
            "Nobody is named as a reviewer for this environment yet: "
            "add `[policy.ENV] reviewers` to the configuration."
        ),
        "not_reviewer": message("You are not among the reviewers of this environment."),
        "not_at_open": message(
            "You became a reviewer after this rollback was opened, "
            "so your vote cannot count for it."
        ),
        "left_group": message("You left a group of which one had to approve."),
        "publisher": message("You published what is live now, so others have to turn the keys."),
        "publisher_unknown": message(
            "I cannot tell whether you published what is live now: "
            "name who did in `[people] authors` of the configuration."
        ),
        "deleted": message("This account is deactivated."),
        "bot": message("Bots cannot vote."),
        "guest": message("Guests cannot vote."),
        "stranger": message("People of another organisation cannot vote."),
        "other_team": message("This account belongs to another workspace."),
        "shared_channel": message(
            "This channel is shared with another organisation; votes are not taken here."
        ),
    }
    user_message = "You cannot vote on this rollback."

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(detail or why)
        self.why = why

    @property
    def code(self) -> str:
        return f"{super().code}:{self.why}"

    def to_person(self) -> str:
        return gettext(self._SENTENCES.get(self.why, self.user_message))


class PressLost(Refused):
    """A button of App Home was pressed, and nothing came of it."""

    user_message = (
        "That came to nothing: it waited for too long, or Slack did not say who you are. "
        "Press it again."
    )
