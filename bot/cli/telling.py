"""How a command speaks: results on stdout, everything else on stderr, one sentence for a mistake.

Exit codes: 0 done, 1 the answer is no, 2 wrong use or configuration. Colours are rich's: on a
terminal only, and NO_COLOR (https://no-color.org) turns them off.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rich.console import Console

    from store.records import Json

DONE, NO, WRONG_USE = 0, 1, 2
ENOUGH = 141  # as shells say it of what SIGPIPE has ended: 128 + 13
_PIPED = 10_000  # columns: nothing is cut or wrapped for a program that reads


def end(code: int, line: str, *more: str) -> NoReturn:
    """Say on stderr what is wrong and what to do, and end with *code*."""
    print(f"keyturn: {line}", *more, sep="\n  ", file=sys.stderr)
    raise SystemExit(code)


def say(line: str) -> None:
    """Write one line of the result."""
    print(line, flush=True)


def say_json(value: Json) -> None:
    """Write *value* as one line of JSON."""
    import json

    say(json.dumps(value, ensure_ascii=False))


def remark(line: str, *more: str) -> None:
    """Say beside the result, on stderr, what a person should know."""
    print(f"keyturn: {line}", *more, sep="\n  ", file=sys.stderr, flush=True)


def did_you_mean(asked: str, known: Iterable[str]) -> str:
    """` Did you mean …?` when something known is near, else nothing."""
    near = get_close_matches(asked, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


class _Piped(TextIOWrapper):
    """Standard output; whoever reads it may have had enough, as `head` has."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._end()

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._end()

    def _end(self) -> NoReturn:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())  # else the end flushes once more
        raise SystemExit(ENOUGH)


def survive_any_terminal() -> None:
    """Let no character end the command where the terminal cannot show it, nor a pipe's end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, TextIOWrapper):
        out = sys.stdout
        encoding, by_lines, through = out.encoding, out.line_buffering, out.write_through
        sys.stdout = _Piped(
            out.detach(),  # else it closes this one with itself
            encoding,
            "backslashreplace",
            line_buffering=by_lines,
            write_through=through,
        )


def screen() -> Console:
    """Where people read the result: as wide as the terminal, or as needed when there is none."""
    from rich.console import Console

    on_terminal = sys.stdout.isatty()
    return Console(width=None if on_terminal else _PIPED, highlight=False, markup=False)
