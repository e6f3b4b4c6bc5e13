"""Templates of a team, tried on every sample before anybody reads what they make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import BotError
from bot.render import Message, strictly
from bot.samples.drawn import Draw, samples
from bot.voice import OURS, Voice, speaking

Powers = list[str]


@dataclass(frozen=True)
class Tried:
    """The templates that may be used, and of the others why not, each by its name."""

    good: Mapping[str, str]
    refused: Mapping[str, str]


def tried(templates: Mapping[str, str]) -> Tried:
    """Draw every sample with *templates*; takes about a second where there are any.

    A template is refused when something cannot be drawn with it, when Slack would not take it, or
    when a button or field does anything else than in ours: how it looks is the team's, what it
    does is not. Each stands alone then, so that one that is broken does not take others with it.
    """
    every = samples()
    if not templates or not (_flaw(templates, every)):
        return Tried(dict(templates), {})
    flaws = {name: _flaw({name: source}, every) for name, source in templates.items()}
    good = {name: source for name, source in templates.items() if not flaws[name]}
    together = _flaw(good, every)
    if together:  # each is fine alone, and they do not fit one another
        return Tried({}, {**dict.fromkeys(good, together), **_found(flaws)})
    return Tried(good, _found(flaws))


def _found(flaws: Mapping[str, str]) -> dict[str, str]:
    return {name: flaw for name, flaw in flaws.items() if flaw}


def _flaw(templates: Mapping[str, str], every: Mapping[str, Draw]) -> str:
    """What is wrong with *templates* together, and where it was seen first; "" for nothing."""
    voice = Voice(templates)
    for name, draw in every.items():
        with speaking(OURS):
            wanted = powers(draw())
        with speaking(voice), strictly():
            try:
                found = powers(draw())
            except BotError as error:
                return f"{name}: {error}"
        if found != wanted:
            return f"{name}: its buttons and fields are not those of Keyturn's own"
    return ""


def powers(made: Message | dict[str, Any]) -> Powers:
    """Everything in *made* that does something when it is pressed or sent, in an order."""
    whole: Any = made.blocks if isinstance(made, Message) else made
    return sorted(_powers(whole))


def _powers(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        does = {
            key: part[key]
            for key in ("action_id", "value", "callback_id", "private_metadata", "external_id")
            if key in part
        }
        if does:
            asks = "confirm" in part
            yield json.dumps({**does, "type": part.get("type"), "asks": asks}, sort_keys=True)
        for inner in part.values():
            yield from _powers(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _powers(inner)
