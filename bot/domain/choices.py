"""The versions of one app that a person may choose from, as a dialog lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.errors import BadInput

_NEEDS_REASON = "why"
_FORM = re.compile(rf"([1-9][0-9]{{0,8}})(\.{_NEEDS_REASON})?")


@dataclass(frozen=True)
class Offered:
    """One version, with what came with it.

    `counts` are its changes by kind, None for the oldest one that is stored. Going to one that
    `takes_reason` has to be explained: it was gone back from before.
    """

    number: int
    published_at: datetime
    author: str = ""
    name: str = ""
    counts: Mapping[str, int] | None = None
    back_to: int = 0  # the version that it brought back
    tags: tuple[str, ...] = ()
    condemned: bool = False
    takes_reason: bool = False


@dataclass(frozen=True)
class Choices:
    """One page of the versions of an app, the newest first.

    `as_live` are the numbers on this page that cannot be chosen: their content is what is live.
    """

    where: str
    live: Offered
    page: int
    pages: int
    offered: tuple[Offered, ...] = ()
    as_live: tuple[int, ...] = ()
    not_imported: int = 0


def spelled(version: Offered) -> str:
    """How a choice is written into a dialog."""
    return f"{version.number}.{_NEEDS_REASON}" if version.takes_reason else str(version.number)


def chosen(said: str) -> tuple[int, bool]:
    """Return the number that was chosen, and whether the dialog said that it takes a reason.

    Raises:
        BadInput: It is none of ours.
    """
    found = _FORM.fullmatch(said)
    if found is None:
        raise BadInput("a choice is not of our form")
    return int(found[1]), found[2] is not None
