"""How a command speaks: results on stdout, everything else on stderr, one sentence for a mistake.

Exit codes: 0 done, 1 the answer is no, 2 wrong use or configuration. Colours are rich's: on a
terminal only, and NO_COLOR (https://no-color.org) turns them off.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from difflib import get_close_matches
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rich.console import Console

    from store.records import Json

DONE, NO, WRONG_USE = 0, 1, 2
_PIPED = 10_000  # columns: nothing is cut or wrapped for a program that reads


def end(code: int, *lines: str) -> NoReturn:
    """Say on stderr what is wrong and what to do, and end with *code*."""
    print(f"keyturn: {lines[0]}", *lines[1:], sep="\n  ", file=sys.stderr)
    raise SystemExit(code)


def say(line: str) -> None:
    """Write one line of the result."""
    print(line, flush=True)


def say_json(value: Json) -> None:
    """Write *value* as one line of JSON."""
    import json

    say(json.dumps(value, ensure_ascii=False))


def remark(*lines: str) -> None:
    """Say beside the result, on stderr, what a person should know."""
    print(f"keyturn: {lines[0]}", *lines[1:], sep="\n  ", file=sys.stderr, flush=True)


def did_you_mean(asked: str, known: Iterable[str]) -> str:
    """` Did you mean …?` when something known is near, else nothing."""
    near = get_close_matches(asked, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def survive_any_terminal() -> None:
    """Let no character end the command where the terminal cannot show it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def screen() -> Console:
    """Where people read the result: as wide as the terminal, or as needed when there is none."""
    from rich.console import Console

    on_terminal = sys.stdout.isatty()
    return Console(width=None if on_terminal else _PIPED, highlight=False, markup=False)
