"""Words as options: one of a few, refused in one sentence that names them."""

from __future__ import annotations

from collections.abc import Callable

import typer

from bot.cli.telling import did_you_mean


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader that takes one of *words*."""

    def read(text: str) -> str:
        if text not in words:
            hint = did_you_mean(text, words)
            raise typer.BadParameter(f"{text[:40]!r} is not one of {', '.join(words)}.{hint}")
        return text

    return read


def completed(*words: str) -> Callable[[str], list[str]]:
    """Return what completes one of *words* in a shell."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]
