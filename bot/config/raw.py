"""The configuration as it was read, before anything of it is known to be right."""

from __future__ import annotations

from collections.abc import Mapping

from bot.config.mistakes import at

Raw = Mapping[str, object]


def tables(raw: Raw, *path: str) -> Mapping[str, object]:
    """The tables under *path* by their names; none where there is no table."""
    table = at(raw, *path)
    return table if isinstance(table, Mapping) else {}


def texts(value: object) -> list[str]:
    """The texts in a list; none where there is no list."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
