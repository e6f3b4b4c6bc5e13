"""Which templates are drawn from, ours or the team's on top of them, and in which language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from bot.language import ENGLISH, speaking_in


@dataclass(frozen=True, eq=False)
class Voice:
    """How Keyturn speaks.

    `templates` are sources by the name of the template of ours whose place they take, as
    `slack/card.json.j2`. `language` is what all read; each person may read their own. Two voices
    are the same only if they are one object.
    """

    templates: Mapping[str, str] = field(default_factory=dict)
    language: str = ENGLISH


OURS: Final = Voice()
_spoken: Final[ContextVar[Voice]] = ContextVar("voice", default=OURS)


def spoken() -> Voice:
    """The voice in which is drawn at this moment."""
    return _spoken.get()


@contextmanager
def speaking(voice: Voice, language: str = "") -> Iterator[None]:
    """Let everything that is drawn inside be drawn in *voice*, in *language* or else its own."""
    before = _spoken.set(voice)
    try:
        with speaking_in(language or voice.language):
            yield
    finally:
        _spoken.reset(before)
