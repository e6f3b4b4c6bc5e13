"""Numbers as options: refused in one sentence that names what would do."""

from __future__ import annotations

from collections.abc import Callable

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
