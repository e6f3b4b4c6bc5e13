"""Every mistake in the settings as one line: the key's path, what is wrong, how to mend it."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.errors import ConfigurationWrong

Path = tuple[str | int, ...]
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SECRETS = frozenset(
    {"password", "token", "secret", "api_key", "bot_token", "signing_secret", "admin_key"}
)
_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be a text in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
    "int_type": "must be a whole number, without quotes",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false, without quotes",
    "list_type": 'must be a list, such as ["…", "…"]',
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "too_short": "must hold at least one entry",
}


class Mistakes:
    """Collects mistakes; `raise_if_any` tells all of them at once."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._notices: list[str] = []

    @property
    def notices(self) -> tuple[str, ...]:
        """What is no mistake, but should be known; in the same form."""
        return tuple(self._notices)

    def notice(self, path: Path, sentence: str) -> None:
        """Add something that should be known and holds up nothing."""
        self._notices.append(f"{dotted(path)}: {sentence}")

    def add(self, path: Path | str, sentence: str) -> None:
        """Add one mistake at *path*; a text stands for itself, such as a file's name."""
        line = f"{path if isinstance(path, str) else dotted(path)}: {sentence}"
        if line not in self._lines:
            self._lines.append(line)

    def add_all(self, error: ValidationError, model: type[BaseModel]) -> None:
        """Add what pydantic found in data of *model*, in our words; no value is quoted."""
        for details in error.errors(include_url=False, include_input=False):
            path = tuple(step for step in details["loc"] if step != "[key]")
            self.add(path, _sentence(details, path, model))

    def raise_if_any(self) -> None:
        """Raise `ConfigurationWrong` with every mistake, in the order in which they were found."""
        if self._lines:
            raise ConfigurationWrong(self._lines)


def dotted(path: Iterable[str | int]) -> str:
    """A key's path as TOML writes it: `app."客服-bot".environments.prod`, `reviewers[2]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step + 1}]"
            continue
        quoted = step if _BARE.fullmatch(step) else '"' + _printable(step).replace('"', '\\"') + '"'
        text += f".{quoted}" if text else quoted
    return text


def did_you_mean(asked: str, known: Iterable[str]) -> str:
    """`; did you mean "…"?` when something known is near, else nothing."""
    near = difflib.get_close_matches(asked, list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:80])


def _sentence(details: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "mend":
        return str(context["sentence"])
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), path, model)
    if kind == "literal_error":
        return f"must be one of {context['expected']}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    return _SENTENCES.get(kind, details["msg"])


def _unknown_key(key: str, path: Path, model: type[BaseModel]) -> str:
    if key in _SECRETS:
        return "a secret does not belong in this file; name a variable or a file that holds it"
    table = _model_at(model, path[:-1])
    known = (
        sorted(field.alias or name for name, field in table.model_fields.items()) if table else []
    )
    return f"is not a known key{did_you_mean(key, known) or _listed(known)}"


def _listed(known: list[str]) -> str:
    return f"; known here: {', '.join(known)}" if known else ""


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The table model that *path* leads to; a step into a table of tables takes any name."""
    here: object = model
    for step in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = next(
                (f.annotation for n, f in here.model_fields.items() if step in {n, f.alias}), None
            )
        elif get_origin(here) is dict:
            here = get_args(here)[1]
        here = _without_none(here)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _without_none(annotation: object) -> object:
    if isinstance(annotation, types.UnionType):
        return next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation


def at(raw: object, *path: str) -> object:
    """What stands at *path* in nested tables, or None where something on the way is no table."""
    for step in path:
        if not isinstance(raw, Mapping):
            return None
        raw = raw.get(step)
    return raw
