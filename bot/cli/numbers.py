"""Numbers and times as options: refused in one sentence that names what would do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import typer


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers from *least* to *most*, both included."""
    would_do = f"at least {least}" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        digits = str(text)  # a default comes as a number
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else -1
        if number < least or (most is not None and number > most):
            raise typer.BadParameter(f"{digits[:40]!r} is not a whole number {would_do}")
        return number

    return read


def span(text: str) -> timedelta:
    """Read a time such as `36h` or `90d`."""
    from bot.config.fields import duration  # with pydantic, so late

    try:
        found = duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text[:40]!r} {error}") from error
    if not found:
        raise typer.BadParameter(f"{text[:40]!r} is no time at all")
    return found
