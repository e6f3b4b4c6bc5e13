"""Dify's DSL: the YAML text of one app, from an export or a file. Pure.

An export with secrets holds their plain values: they are read here and nowhere kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from bot.adapters.dify.documents import document
from bot.adapters.dify.dsl_text import MAX_BYTES, load
from bot.adapters.dify.shapes import filled, items, mapping, text, unreadable
from store.document import Document
from store.records import Json

_PLACE = "dsl"
_WRAPPER = "data"
_BESIDE = ("dependencies", "app")


def from_dsl(source: str) -> Document:
    """Read the app that *source* describes: YAML, or the `{"data": "<yaml>"}` of an export.

    The content of a workflow is that of the console API (graph, features, variables) and of a
    chat app `model_config`; `dependencies` and `app` are kept beside it. Exports of old releases
    without kind and version are read too; the two are not kept. Dates stay text, keys become
    text, as they would in JSON.

    Raises:
        AnswerUnreadable: No YAML, no app, an alias or a tag, more than 5 MiB, 64 levels or
            100,000 nodes. The error names the place, never the text.
    """
    return app_in(top_of(source))


def app_in(top: Mapping[str, Json]) -> Document:
    """Return the app that *top*, as of `top_of`, describes. Raises `AnswerUnreadable`."""
    app = mapping(top.get("app"), f"{_PLACE}.app")
    mode = filled(app, "mode", f"{_PLACE}.app")
    content: dict[str, Json]
    if isinstance(top.get("workflow"), dict):
        content = dict(top["workflow"])
        mapping(content.get("graph"), f"{_PLACE}.workflow.graph")
    elif isinstance(top.get("model_config"), dict):
        content = {"model_config": top["model_config"]}
    else:
        raise unreadable(_PLACE, "neither workflow nor model_config")
    content |= {name: top[name] for name in _BESIDE if name in top}
    return document(mode, content, _PLACE)


def secret_values(source: str) -> Mapping[str, str]:
    """Return the plain value of every secret of an export, by id.

    The caller keeps the result in a local variable, and nowhere else.
    """
    workflow = mapping(top_of(source).get("workflow"), f"{_PLACE}.workflow")
    values: dict[str, str] = {}
    for variable in items(workflow, "environment_variables", f"{_PLACE}.workflow"):
        place = f"{_PLACE}.workflow.environment_variables"
        if text(variable, "value_type", place) == "secret":
            value = mapping(variable, place).get("value")
            values[filled(variable, "id", place)] = value if isinstance(value, str) else str(value)
    return values


def top_of(source: str) -> Mapping[str, Json]:
    """Return the outermost mapping, taken out of its wrapper. Raises `AnswerUnreadable`."""
    top = mapping(_load(source), _PLACE)
    if set(top) == {_WRAPPER} and isinstance(top[_WRAPPER], str):
        top = mapping(_load(top[_WRAPPER]), _PLACE)
    return top


def _load(source: str) -> Json:
    wrapped = _wrapped(source)
    return load(source) if wrapped is None else wrapped


def _wrapped(source: str) -> Json | None:
    """The JSON object around an export; its long text would be slow to read as YAML."""
    if not source.lstrip().startswith("{") or len(source) > 2 * MAX_BYTES:
        return None
    try:
        found = json.loads(source)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and set(found) == {_WRAPPER} else None
