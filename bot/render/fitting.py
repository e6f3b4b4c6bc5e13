"""As many things as Slack takes in one message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from bot.blockkit import MESSAGE_BLOCK_TEXT, MESSAGE_BLOCKS, MESSAGE_TEXT, text_size
from bot.render.drawing import Message

_PAGE: Final = 2_800  # characters of one section of a list
_SPARE: Final = 200  # below the limit, which Slack does not document


def fit(draw: Callable[[int], Message], most: int) -> Message:
    """Return the message of as many things as Slack takes in one, the first of *most*.

    *draw* makes the message of the first n things and says in it how many are missing. The
    message of none is returned even if it is too large.
    """
    whole = draw(most)
    if fits(whole) or not most:
        return whole
    low, best, high = 0, draw(0), most - 1
    while low < high:
        middle = (low + high + 1) // 2
        tried = draw(middle)
        if fits(tried):
            low, best = middle, tried
        else:
            high = middle - 1
    return best


def fits(message: Message) -> bool:
    """Whether Slack takes *message*, with some room to spare."""
    return (
        text_size(message.blocks) <= MESSAGE_BLOCK_TEXT - _SPARE
        and len(message.blocks) <= MESSAGE_BLOCKS
        and len(message.text) <= MESSAGE_TEXT
    )


def pages_of(rows: Iterable[str]) -> list[str]:
    """Return *rows* as few texts, each short enough for a section."""
    pages: list[str] = []
    for row in rows:
        if pages and len(pages[-1]) + len(row) < _PAGE:
            pages[-1] += f"\n{row}"
        else:
            pages.append(row)
    return pages
