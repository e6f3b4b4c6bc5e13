"""Dify's DSL: the YAML text of one app, from an export or a file. Pure.

An export with secrets holds their plain values: they are read here and nowhere kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import yaml

from bot.adapters.dify.documents import document
from bot.adapters.dify.shapes import filled, items, mapping, text, unreadable
from bot.errors import AnswerUnreadable
from store.document import Document
from store.records import Json

MAX_BYTES = 5 * 2**20
MAX_NODES = 100_000
MAX_DEPTH = 64
_PLACE = "dsl"
_WRAPPER = "data"
_BESIDE = ("dependencies", "app")


class _Loader(yaml.CSafeLoader):
    """The safe C loader; what looks like a date or a `=` stays the text that it is."""


_NO_TEXT = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] not in _NO_TEXT]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


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
    top = _top(source)
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
    workflow = mapping(_top(source).get("workflow"), f"{_PLACE}.workflow")
    values: dict[str, str] = {}
    for variable in items(workflow, "environment_variables", f"{_PLACE}.workflow"):
        place = f"{_PLACE}.workflow.environment_variables"
        if text(variable, "value_type", place) == "secret":
            value = mapping(variable, place).get("value")
            values[filled(variable, "id", place)] = value if isinstance(value, str) else str(value)
    return values


def _top(source: str) -> Mapping[str, Json]:
    """The outermost mapping, taken out of its wrapper."""
    top = mapping(_load(source), _PLACE)
    if set(top) == {_WRAPPER} and isinstance(top[_WRAPPER], str):
        top = mapping(_load(top[_WRAPPER]), _PLACE)
    return top


def _load(source: str) -> Json:
    if len(source) > MAX_BYTES or len(source.encode(errors="replace")) > MAX_BYTES:
        raise unreadable(_PLACE, f"larger than {MAX_BYTES} bytes")
    wrapped = _wrapped(source)
    if wrapped is not None:
        return wrapped
    try:
        _check_events(source)
        loaded = yaml.load(source, Loader=_Loader)  # noqa: S506 it is a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, AnswerUnreadable):
            raise
        raise unreadable(_PLACE, f"no YAML: {type(error).__name__}") from None
    return _as_json(loaded)


def _wrapped(source: str) -> Json | None:
    """The JSON object around an export; its long text would be slow to read as YAML."""
    if not source.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(source)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and set(found) == {_WRAPPER} else None


def _check_events(source: str) -> None:
    """Look at the text before anything is built from it: its parts, depth and number."""
    depth = nodes = 0
    for event in yaml.parse(source, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise unreadable(_PLACE, "an alias")
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        nodes += 1
        if nodes > MAX_NODES:
            raise unreadable(_PLACE, f"more than {MAX_NODES} nodes")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if depth > MAX_DEPTH:
            raise unreadable(_PLACE, f"nested deeper than {MAX_DEPTH} levels")
        if getattr(event, "tag", None) is not None:
            raise unreadable(_PLACE, "a tag")


def _as_json(value: Json) -> Json:
    if isinstance(value, dict):
        return {_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value


def _key(key: object) -> str:
    """A key as JSON would write it: `on` is true, null is null, numbers are digits."""
    return key if isinstance(key, str) else json.dumps(key)
