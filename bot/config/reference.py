"""The configuration reference of the README, made from the settings themselves."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bot.config.tables import Document
from bot.config.variables import SECRET_VARIABLES, VARIABLES

START, END = "<!-- settings:start -->", "<!-- settings:end -->"
REFRESH = "python -m bot.config README.md"
_PLACEHOLDERS = {
    "dify": "NAME",
    "app": "NAME",
    "environments": "ENV",
    "policy": "ENV",
    "events": "NAME",
    "webhook": "NAME",
}


def reference_table() -> str:
    """Two markdown tables: the environment's variables and the keys of `keyturn.toml`."""
    variables = [
        f"| `{name}` | {_default(field)} | {field.description}"
        f"{'; also as `' + name + '_FILE`' if name in SECRET_VARIABLES else ''} |"
        for name, field in VARIABLES.items()
        if not field.exclude
    ]
    keys = [
        f"| `{key}` | {_default(field)} | {field.description} |" for key, field in _keys(Document)
    ]
    return "\n".join(
        [
            "| variable | default | meaning |",
            "|---|---|---|",
            *variables,
            "",
            "| key of `keyturn.toml` | default | meaning |",
            "|---|---|---|",
            *keys,
        ]
    )


def refreshed(readme: str) -> str:
    """*readme* with the reference between its two markers. ValueError when they are not there."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"no {START} … {END}")
    return f"{before}{START}\n{reference_table()}\n{END}{after}"


def refresh(path: Path) -> None:
    """Bring the reference in *path* up to date."""
    path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = _table(field.annotation)
        if inner is None:
            yield key, field
            continue
        placeholder = f".{_PLACEHOLDERS[name]}" if name in _PLACEHOLDERS else ""
        yield from _keys(inner, f"{key}{placeholder}.")


def _table(annotation: object) -> type[BaseModel] | None:
    """The table that a key holds, also as one of many under names of the user's choice."""
    if isinstance(annotation, types.UnionType):
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, timedelta):
        value = _duration(value)
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if value not in (None, "", (), [], {}) else "none"


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
