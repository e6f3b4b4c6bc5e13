"""Card views for tests, and what can be asked of any message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.blockkit import message_problems
from bot.render import Message
from bot.samples.cards import (
    ALICE,
    BOB,
    OUTCOMES,
    REVIEWERS,
    a_change,
    a_view,
    an_impact,
    both_approved,
    facts_only,
)

__all__ = [
    "ALICE",
    "BOB",
    "OUTCOMES",
    "REVIEWERS",
    "a_change",
    "a_view",
    "an_impact",
    "both_approved",
    "facts_only",
]
# Mentions and dates made by code, from ids of Slack's form and from times, and links of ours.
OURS = re.compile(
    r"<@[UW][A-Z0-9]{7,}>|<!subteam\^S[A-Z0-9]{7,}>"
    r"|<!date\^\d+\^[a-z_{} ]+\|[-0-9: ]+UTC>"
    r"|<https://keyturn\.slack\.com/archives/[A-Z0-9/p]+\|[a-zA-Z0-9 ]+>"
)


def sound(message: Message) -> Message:
    """*message*, after the look that Slack would take at it."""
    payload = {"text": message.text, "blocks": message.blocks}
    assert [str(problem) for problem in message_problems(payload)] == []
    return message


def objects(value: object) -> Iterator[dict[str, Any]]:
    """Every JSON object in *value*, outermost first."""
    if isinstance(value, dict):
        yield value
        yield from objects(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def mrkdwn_texts(message: Message) -> list[str]:
    """All texts in which Slack looks for tokens."""
    found = [o["text"] for o in objects(message.blocks) if o.get("type") == "mrkdwn"]
    return [message.text, *found]


def literal_texts(message: Message) -> list[str]:
    """All texts that Slack shows as they are."""
    kinds = {"plain_text", "text"}
    return [o["text"] for o in objects(message.blocks) if o.get("type") in kinds]


def everything(message: Message) -> str:
    """All texts of the message's blocks, one a line."""
    return "\n".join([*mrkdwn_texts(message)[1:], *literal_texts(message)])


def tokens(message: Message) -> list[str]:
    """The live `<…>` tokens that are not of the kinds that we make."""
    return [t for text in mrkdwn_texts(message) for t in re.findall(r"[<>]", OURS.sub("", text))]


def header(message: Message) -> str:
    return str(message.blocks[0]["text"]["text"])


def actions(message: Message) -> list[dict[str, Any]]:
    """The buttons; none when there is no row of them."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return rows[0] if rows else []
