"""What each person was told last that nobody else sees: an answer to them, a direct message."""

from __future__ import annotations

from dataclasses import dataclass

from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message


@dataclass(frozen=True)
class Told:
    """The last private answer, mrkdwn, and how many direct messages there are."""

    answer: str
    messages: int


def told(slack: SlackState, user: str) -> Told:
    """Return what *user* was told."""
    everything = slack.everything()
    answers = [message for message in everything if message.only_for == user]
    direct = [message for message in everything if message.channel == f"D{user[1:]}"]
    return Told(_first_sentence(answers[-1]) if answers else "", len(direct))


def _first_sentence(message: Message) -> str:
    line = message.text.partition("\n")[0]
    return line.partition(". ")[0].removesuffix(".") + "." if line else ""
