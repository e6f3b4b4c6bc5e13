"""The difference of two configurations as JSON text, at about the price of reading them. Pure."""

from __future__ import annotations

import orjson

from bot.domain.diff.changes import ChangeList, compare_contents
from bot.domain.diff.left_out import NOTHING
from bot.domain.diff.sift import sift
from store.document import Unreadable, no_collection
from store.records import Json

# What a document is made of; anything else in there (ids, times, hashes) is the target's own.
_SECTIONS = (
    *("graph", "features", "environment_variables", "conversation_variables"),
    *("rag_pipeline_variables", "model_config", "dependencies", "app"),
)
_VARIABLES = ("environment_variables", "conversation_variables", "rag_pipeline_variables")
_WORKFLOW, _CHAT = "workflow", "chat"


def compare_json(before: bytes, after: bytes, *, layout: bool = False) -> ChangeList:
    """Return what differs in meaning between two configurations in JSON.

    Each is an object with a `graph` or a `model_config`, as Dify's console API answers it; its
    `mode` counts if both name one. Values of secret variables are dropped unread.

    Raises:
        Unreadable: One of them is no such object; the error names side and place, never a value.
    """
    with no_collection():
        return _compared(before, after, layout=layout)


def _compared(before: bytes, after: bytes, *, layout: bool) -> ChangeList:
    sifted = sift(before, after)
    if sifted is None:
        sifted = _read(before, "the older one"), _read(after, "the newer one"), NOTHING
    old, new, left_out = sifted
    modes = [_mode(side) for side in (old, new)]
    if not ("mode" in old and "mode" in new):
        modes = [modes[0], modes[0]]
    sides = [(mode, _content(side)) for mode, side in zip(modes, (old, new), strict=True)]
    try:
        return compare_contents(*sides, layout=layout, left_out=left_out)
    except RecursionError:
        raise Unreadable("nested too deep to be compared") from None


def _read(text: bytes, side: str) -> dict[str, Json]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"{side} is not JSON ({where}): {error.msg}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{side} is not an object")
    if not isinstance(found.get("graph"), dict) and not isinstance(found.get("model_config"), dict):
        raise Unreadable(f"{side} has neither a `graph` nor a `model_config`")
    return found


def _mode(side: dict[str, Json]) -> str:
    mode = side.get("mode")
    return mode if isinstance(mode, str) else _WORKFLOW if "graph" in side else _CHAT


def _content(side: dict[str, Json]) -> dict[str, Json]:
    content = {name: side[name] for name in _SECTIONS if name in side}
    for name in _VARIABLES:
        if isinstance(content.get(name), list):
            content[name] = [_without_value(variable) for variable in content[name]]
    return content


def _without_value(variable: Json) -> Json:
    if isinstance(variable, dict) and variable.get("value_type") == "secret":
        return {key: item for key, item in variable.items() if key != "value"}
    return variable
