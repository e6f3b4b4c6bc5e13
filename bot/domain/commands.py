"""The words after `/rollback`, read into what is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from bot.errors import BadCommand
from store.records import AppEnv

LONGEST = 300
_TO = "to APP@ENV VERSION"
_NAMES = {"help": "help", "status": "status", "to": _TO}
_NUMBER = re.compile(r"[vV#]?([1-9][0-9]{0,8})")


@dataclass(frozen=True)
class Help:
    """Say what can be asked."""


@dataclass(frozen=True)
class Status:
    """Say what is live and which rollbacks are open."""


@dataclass(frozen=True)
class To:
    """Ask for a rollback of *where* to its version *number*."""

    where: AppEnv
    number: int


Command = Help | Status | To


def parse(text: str) -> Command:
    """Return what *text* asks for; no words at all ask for help.

    Raises:
        BadCommand: It makes no sense; the error names the nearest command if one is near.
    """
    if len(text) > LONGEST or not text.replace("\t", " ").isprintable():
        raise BadCommand(text[:LONGEST])
    name, *words = text.split() or ["help"]
    match (name.casefold(), words):
        case ("help", _):
            return Help()
        case ("status", []):
            return Status()
        case ("to", [where, version]):
            return _to(text, where, version)
        case _:
            raise BadCommand(text, nearest=_nearest(name))


def _to(text: str, where: str, version: str) -> To:
    number = _NUMBER.fullmatch(version)
    if number is None:
        raise BadCommand(text, nearest=f"to {where} VERSION")
    try:
        return To(AppEnv.parse(where), int(number[1]))
    except ValueError as error:
        raise BadCommand(text, nearest=f"to APP@ENV {number[1]}") from error


def _nearest(name: str) -> str:
    if "@" in name:
        return _TO
    near = get_close_matches(name.casefold(), _NAMES, n=1, cutoff=0.5)
    return _NAMES[near[0]] if near else ""
