"""The catalogues of translations: read once, and what cannot be filled is left in English."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from bot import language
from bot.language import CHINESE, Sentences

_NAMES: Final = {CHINESE: "zh_Hans"}
_log = logging.getLogger(__name__)


@cache
def keep() -> None:
    """Let every language that has a catalogue be spoken."""
    for tag in _NAMES:
        language.install(tag, sentences(read(tag)))


def read(tag: str) -> Catalog:
    """The catalogue of the language *tag* as its file has it."""
    with file_of(tag).open("rb") as file:
        return read_po(file, locale=_NAMES[tag])


def file_of(tag: str) -> Path:
    """Where the catalogue of *tag* is: in the wheel, or in a checkout."""
    below = Path("templates", "locale", _NAMES[tag], "LC_MESSAGES", "keyturn.po")
    here = Path(__file__).parent
    return next((f for f in (here / below, here.parent / below) if f.exists()), here.parent / below)


def sentences(catalogue: Catalog) -> Sentences:
    """What *catalogue* says for each English sentence, but what lacks a place or has its own."""
    found = {}
    for message in catalogue:
        if not message.id or message.fuzzy:
            continue
        english, said = _english(message), _said(message)
        if language.faithful(english[-1], said):  # what is filled in is the same for all numbers
            found[english[0]] = said
        elif said:
            _log.warning("a translation has other places", extra={"sentence": english[0][:80]})
    return found


def _english(message: Message) -> tuple[str, ...]:
    """The sentence, or those of one and of many."""
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def _said(message: Message) -> str:
    """The translation; a language of ours has one form for every number."""
    said = message.string
    return said if isinstance(said, str) else str(said[0]) if said else ""
