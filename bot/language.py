"""In which language is spoken at this moment, and what each sentence is called in it.

English is what the sentences are written in, and needs no catalogue. No files are read here:
whoever starts Keyturn installs the catalogues.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeAlias

ENGLISH: Final = "en"
CHINESE: Final = "zh-Hans"
LANGUAGES: Final = (ENGLISH, CHINESE)
_HANS: Final = re.compile(r"zh(-cmn)?(-hans(-[a-z0-9]+)*|-cn|-sg|-my)?", re.ASCII)
# What a sentence needs: %(name)s, and %% for the sign
_PLACES: Final = re.compile(r"%(?:\((\w+)\)s|(%))|(%)", re.ASCII)

Sentences: TypeAlias = Mapping[str, str]


@dataclass
class _Installed:
    by_language: dict[str, Sentences] = field(default_factory=dict)
    workspace: str = ENGLISH


_installed: Final = _Installed()
_current: Final[ContextVar[str]] = ContextVar("language", default="")


def current() -> str:
    """The language of this moment, one of `LANGUAGES`."""
    return _current.get() or _installed.workspace


@contextmanager
def speaking_in(language: str) -> Iterator[None]:
    """Let everything that is said inside be said in *language*."""
    before = _current.set(language)
    try:
        yield
    finally:
        _current.reset(before)


def settle(language: str) -> None:
    """Let *language* be spoken where nobody says another one: the workspace's."""
    _installed.workspace = language


def install(language: str, sentences: Sentences) -> None:
    """Keep the *sentences* of *language*, by the English ones."""
    _installed.by_language[language] = sentences


def matching(tag: object) -> str:
    """The language of ours for a tag of BCP 47, as `zh-CN`; English for those that we lack."""
    said = str(tag or "")[:64].replace("_", "-").casefold()
    return CHINESE if _HANS.fullmatch(said) else ENGLISH


def message(sentence: str) -> str:
    """Mark a *sentence* that is translated when it is said, not where it is written."""
    return sentence


def messages(one: str, many: str) -> tuple[str, str]:
    """Mark the sentences of one thing and of many likewise."""
    return one, many


def gettext(sentence: str) -> str:
    """The *sentence* in the language of this moment; where it has none, in English."""
    sentences = _installed.by_language.get(current())
    return sentences.get(sentence, sentence) if sentences else sentence


def ngettext(one: str, many: str, count: object) -> str:
    """The sentence of *count* things; kept under its English singular."""
    sentences = _installed.by_language.get(current())
    if sentences and one in sentences:
        return sentences[one]
    return one if count == 1 else many


def filled(sentence: str, /, **values: object) -> str:
    """The *sentence* in the language of this moment, with what its places take."""
    return gettext(sentence) % values


class Tongue(Protocol):
    """How sentences are said that are read outside Slack too. What is said is literal text."""

    def filled(self, sentence: str, /, **values: object) -> str:
        """The *sentence* with what its places take."""
        ...

    def counted(self, one: str, many: str, count: int, /, **values: object) -> str:
        """The sentence of *count* things, filled likewise; `num` is their number in it."""
        ...


class _English:
    """As they are written."""

    def filled(self, sentence: str, /, **values: object) -> str:
        return sentence % values

    def counted(self, one: str, many: str, count: int, /, **values: object) -> str:
        return (one if count == 1 else many) % {"num": count, **values}


IN_ENGLISH: Final[Tongue] = _English()


def dated(moment: datetime) -> str:
    """A time as it stands in a sentence, with its zone."""
    form = "%a %d %b %Y, %H:%M %Z" if current() == ENGLISH else "%Y-%m-%d %H:%M %Z"
    return f"{moment:{form}}"


def places(sentence: str) -> frozenset[str] | None:
    """The names that *sentence* has places for; None where it has a place that is none of ours."""
    found = list(_PLACES.finditer(sentence))
    if any(one[3] for one in found):
        return None
    return frozenset(one[1] for one in found if one[1])


def faithful(english: str, translated: str) -> bool:
    """Whether *translated* takes what *english* takes; else it cannot be filled."""
    return (
        bool(translated)
        and places(translated) is not None
        and (places(english) == places(translated))
    )
