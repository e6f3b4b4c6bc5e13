"""Sentences in the language of the moment, filled; what fills them is made literal mrkdwn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from bot import textsafe
from bot.language import Tongue, gettext, ngettext

# Chinese has no space beside its full-width signs. Where a sentence of ours begins or ends with
# one, a mark says so until the pieces are put together; no text of anybody else has it.
_MARK: Final = "\ue000"
_WIDE: Final = "，。：；！？、（）"
_MARKED: Final = re.compile(f" ?{_MARK} ?")


def joined(text: str) -> str:
    """Take the marks out of *text*, and the spaces beside them."""
    return _MARKED.sub("", text) if _MARK in text else text


def marked(sentence: str) -> str:
    """Mark the full-width signs at the edges of *sentence*."""
    if sentence.startswith(tuple(_WIDE)):
        sentence = _MARK + sentence
    return sentence + _MARK if sentence.endswith(tuple(_WIDE)) else sentence


def translated(sentence: str, /, **values: object) -> str:
    """The *sentence*, filled, in the language of this moment."""
    return marked(gettext(sentence)) % values


def counted(one: str, many: str, count: object, /, **values: object) -> str:
    """The sentence of *count* things, filled likewise; `num` is their number in it."""
    return marked(ngettext(one, many, count)) % {"num": count, **values}


class _InCatalogue:
    """Says what is read outside Slack too in the language of this moment."""

    def filled(self, sentence: str, /, **values: object) -> str:
        return translated(sentence, **values)

    def counted(self, one: str, many: str, count: int, /, **values: object) -> str:
        return counted(one, many, count, **values)


OF_NOW: Final[Tongue] = _InCatalogue()


def speak(made: Environment) -> None:
    """Give an environment of sentences what makes them in the language of the moment."""
    made.globals |= {"gettext": _sentence, "_": _sentence, "ngettext": _sentence_of}


def _sentence(sentence: str, /, **values: object) -> Markup:
    """What `{% trans %}` makes: ours is mrkdwn, what fills it is made so as every expression."""
    return trusted(translated(sentence, **_each_as_mrkdwn(values)))


def _sentence_of(one: str, many: str, count: object, /, **values: object) -> Markup:
    return trusted(counted(one, many, count, **_each_as_mrkdwn(values)))


def _each_as_mrkdwn(values: Mapping[str, object]) -> dict[str, object]:
    return {name: as_mrkdwn(value) for name, value in values.items()}


def as_mrkdwn(value: object) -> Markup:
    """What an expression of a sentence comes out as: literal text, unless a filter made it."""
    return value if isinstance(value, Markup) else trusted(textsafe.mrkdwn(value))


def trusted(text: str) -> Markup:
    """What is mrkdwn already."""
    return Markup(text)  # noqa: S704  # made safe by the filter that returned it
