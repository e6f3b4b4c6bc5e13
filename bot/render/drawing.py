"""A template drawn: what Slack takes, or what is wrong with it.

Every expression of the templates comes out as a JSON literal, quotes included, so no value can
break a document. What people wrote stands in plain_text or rich_text, or went through a filter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot import textsafe
from bot.blockkit import OPTION_TEXT, Problem, message_problems
from bot.domain.choices import spelled as spelled_choice
from bot.errors import BotError
from bot.language import ENGLISH, current
from bot.voice import Voice, spoken
from bot.wording import (
    FILTERS,
    NoWords,
    change,
    counted,
    environment,
    given_up,
    hitched,
    joined,
    phrased,
    translated,
)


class BrokenBlocks(BotError):
    """What was drawn cannot be sent: words or facts are missing, or a rule of Slack is broken."""

    def __init__(self, what: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__("; ".join([what, *map(str, problems[:5])]))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Message:
    """A message for Slack; `text` is what notifications and screen readers give."""

    text: str
    blocks: list[dict[str, Any]]


def checked(message: Message, what: str) -> Message:
    """Return *message*, called *what*. Raises `BrokenBlocks` where Slack would refuse it."""
    if found := message_problems({"text": message.text, "blocks": message.blocks}):
        raise BrokenBlocks(what, found)
    return message


def drawn(template: str, **context: object) -> Message:
    """Draw a message. Raises `BrokenBlocks`."""
    made = parsed(template, **context)
    return Message(made["text"], made["blocks"])


def parsed(template: str, **context: object) -> dict[str, Any]:
    """Draw any JSON object that a template makes. Raises `BrokenBlocks`."""
    try:
        text = _json(spoken()).get_template(f"slack/{template}.json.j2").render(context)
        made: dict[str, Any] = json.loads(text)
    except (NoWords, TemplateError, TypeError, ValueError) as error:
        raise BrokenBlocks(f"{template}: {error}") from error
    return made


def option(name: str) -> dict[str, Any]:
    """Return *name* as an option of a select; it is the option's value too."""
    shown = textsafe.one_line(name, OPTION_TEXT) or "–"
    return {"text": {"type": "plain_text", "emoji": False, "text": shown}, "value": name}


# -- The environment --------------------------------------------------------------------------


def _as_json(value: object) -> Markup:
    if isinstance(value, Markup):  # what a macro made: JSON already
        return value
    value = joined(value) if isinstance(value, str) else value
    return Markup(json.dumps(value))  # noqa: S704  # a JSON literal


def _utc(value: object) -> str:
    """A time for plain_text in the form of the language."""
    return textsafe.utc(value) if current() == ENGLISH else textsafe.utc_by_numbers(value)


@lru_cache(maxsize=4)  # as of sentences
def _json(voice: Voice) -> ImmutableSandboxedEnvironment:
    made = environment(_as_json, voice)
    made.globals |= {"gettext": translated, "_": translated, "ngettext": counted}
    made.filters |= FILTERS
    made.filters |= {
        "clean": lambda text, n=300: textsafe.clean(joined(str(text)), n),
        "change_words": change,
        "phrased": phrased,
        "given_up": given_up,
        "hitched": hitched,
        "joined": joined,
        "visible": textsafe.visible,
        "one_line": textsafe.one_line,
        "utc": _utc,
        "option": option,
        "spelled_choice": spelled_choice,
    }
    return made
