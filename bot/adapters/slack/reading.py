"""What Slack sends, part by part: each is of the kind that it should be, or a named refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bot.errors import BadInput

_ID = re.compile(r"[A-Z0-9]{1,64}")
_DEEPEST = 40  # Slack's own payloads with rich text stay below twenty


def an_object(text: str) -> dict[str, Any]:
    """The object that *text* says as JSON. Raises `BadInput`."""
    return shallow(load(text))


def load(text: str) -> object:
    """What *text* says as JSON. Raises `BadInput` when it is none."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadInput("not JSON") from error


def shallow(found: object) -> dict[str, Any]:
    """*found*, if it is an object that can be walked. Raises `BadInput`."""
    if not isinstance(found, dict):
        raise BadInput("not a JSON object")
    if not _is_shallow(found):
        raise BadInput(f"nested deeper than {_DEEPEST}")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _is_shallow(found: dict[str, Any]) -> bool:
    level: list[Any] = [found]
    for _ in range(_DEEPEST):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False


def decoded(body: bytes) -> str:
    """*body* as text. Raises `BadInput`."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadInput("not UTF-8") from error


def part(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object *name* in *holder*. Raises `BadInput`."""
    found = holder.get(name)
    if not isinstance(found, dict):
        raise BadInput(f"{name} is missing or not an object")
    return found


def an_id(holder: Mapping[str, Any], name: str, form: re.Pattern[str] = _ID) -> str:
    """A Slack id: https://docs.slack.dev/reference/objects; another *form* than of most."""
    found = text_of(holder, name)
    if not form.fullmatch(found):
        raise BadInput(f"{name} is not a Slack id")
    return found


def text_of(holder: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    """The text *name* in *holder*, without what no database takes. Raises `BadInput`."""
    found = holder.get(name, default)
    if not isinstance(found, str):
        raise BadInput(f"{name} is missing or not text")
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{name} has half a character") from error
    return found.replace("\0", "")
