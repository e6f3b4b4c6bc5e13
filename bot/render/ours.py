"""A team's templates are drawn with; where one breaks, ours are, and the message says so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from typing import Final, ParamSpec, TypeVar, cast

from bot.language import current
from bot.render.drawing import BrokenBlocks, Message, parsed
from bot.render.fitting import fits
from bot.voice import OURS, speaking, spoken

_log = logging.getLogger(__name__)
_strict: Final[ContextVar[bool]] = ContextVar("strict", default=False)
P = ParamSpec("P")
R = TypeVar("R")


def or_ours(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw with the team's templates, and with ours, saying so, where theirs break."""

    @wraps(draw)
    def drawn(*args: P.args, **named: P.kwargs) -> R:
        if not spoken().templates or _strict.get():
            return draw(*args, **named)
        try:
            return draw(*args, **named)
        except BrokenBlocks as error:
            _log.error("a template of the team broke", extra={"why": str(error)[:300]})
            with speaking(OURS, current()):
                made = draw(*args, **named)
                return cast(R, _noted(made)) if isinstance(made, Message) else made

    return drawn


@contextmanager
def strictly() -> Iterator[None]:
    """Let what cannot be drawn in the voice of the moment raise `BrokenBlocks`."""
    before = _strict.set(True)
    try:
        yield
    finally:
        _strict.reset(before)


def _noted(message: Message) -> Message:
    """*message* with a line that says why it looks otherwise than the team's, if it has room."""
    line = parsed("fallback")
    with_line = replace(message, blocks=[*message.blocks, line])
    return with_line if fits(with_line) else message
