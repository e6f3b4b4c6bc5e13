"""Which templates are drawn from: ours, or those of the team on top of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, eq=False)
class Voice:
    """How Keyturn speaks.

    `templates` are sources by the name of the template of ours whose place they take, as
    `slack/card.json.j2`. Two voices are the same only if they are one object.
    """

    templates: Mapping[str, str] = field(default_factory=dict)


OURS: Final = Voice()
_spoken: Final[ContextVar[Voice]] = ContextVar("voice", default=OURS)


def spoken() -> Voice:
    """The voice in which is drawn at this moment."""
    return _spoken.get()


@contextmanager
def speaking(voice: Voice) -> Iterator[None]:
    """Let everything that is drawn inside be drawn in *voice*."""
    before = _spoken.set(voice)
    try:
        yield
    finally:
        _spoken.reset(before)
