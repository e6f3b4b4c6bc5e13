"""Which fields of a structure may hold credentials, seen by one quick look at its keys. Pure."""

from __future__ import annotations

from functools import lru_cache

from bot.domain.redact_patterns import is_open_header, names_a_credential
from store.records import Json

NAMING = ("key", "name", "variable", "header")  # in {"key": "api_key", "value": …}
_NAMING = frozenset(NAMING)
NAMED = frozenset({"value", "default"})  # what that name then says of
LINES = frozenset({"headers", "params"})  # `Name: value`, one a line

# Fields of Dify's nodes that hold no credential, whatever is in them: those of models are kept
# with the provider, not in the workflow (https://docs.dify.ai). A node of another type, or with
# any other field, is looked through.
_COMMON = frozenset(
    {
        *("type", "title", "desc", "selected", "variables", "outputs", "retry_config"),
        *("error_strategy", "isInIteration", "isInLoop", "iteration_id", "loop_id"),
    }
)
_MODEL = frozenset(
    {
        *("model", "prompt_template", "prompt_config", "context", "vision", "memory"),
        *("structured_output", "structured_output_enabled", "reasoning_format"),
        *("query_variable_selector", "instruction"),
    }
)
OPEN_FIELDS: dict[str, frozenset[str]] = {
    "llm": _COMMON | _MODEL,
    "question-classifier": _COMMON | _MODEL | {"classes", "topics"},
    "parameter-extractor": _COMMON | _MODEL | {"query", "parameters", "reasoning_mode"},
    "if-else": _COMMON | {"cases", "conditions", "logical_operator"},
    "answer": _COMMON | {"answer"},
    "code": _COMMON | {"code", "code_language"},
    "template-transform": _COMMON | {"template"},
}

_NONE: frozenset[str] = frozenset()
DRAWN = frozenset(
    {"id", "type", "data", "position", "positionAbsolute", "width", "height", "sourcePosition",
     "targetPosition", "selected", "zIndex", "parentId", "extent", "dragging", "measured"}
)  # fmt: skip
_MOST = 20_000  # keys that are remembered; documents of one team use a few hundred
_LONG = 400  # characters; longer lines are not remembered
_plain_keys: set[str] = set()  # those that were seen and name no credential


def node_may_hold_credentials(node: Json) -> bool:
    """Do for a node of Dify what `may_hold_credentials` does, at less cost."""
    data = node.get("data") if node.__class__ is dict else None
    if data.__class__ is not dict:
        return may_hold_credentials(node)
    kind = data.get("type")
    known = OPEN_FIELDS.get(kind, _NONE) if isinstance(kind, str) else _NONE
    if not DRAWN.issuperset(node):
        return may_hold_credentials(node)
    return not known.issuperset(data) and may_hold_credentials(data)


def may_hold_credentials(value: Json) -> bool:
    """Return False only if no field in *value* is named like a credential or holds header lines.

    What stands in free text is not looked at: there, patterns find it where it is shown.
    """
    waiting = [value]
    add, all_plain = waiting.append, _plain_keys.issuperset
    for here in waiting:  # it grows while we go
        if here.__class__ is dict:
            if not all_plain(here) and _tells(here):
                return True
            if ("value" in here or "default" in here) and _is_named(here):
                return True
            for item in here.values():
                kind = item.__class__
                if kind is dict or kind is list:
                    add(item)
        elif here.__class__ is list:
            for item in here:
                kind = item.__class__
                if kind is dict or kind is list:
                    add(item)
    return False


def _tells(here: dict[str, Json]) -> bool:
    for key in here.keys() - _plain_keys:
        value = here[key]
        if key in LINES:
            if value and _has_private_lines(value, key):
                return True
        elif names_a_credential(key):
            if value and not _says_none(value):
                return True
        elif len(_plain_keys) < _MOST:
            _plain_keys.add(key)
    return False


def _has_private_lines(value: Json, field: str) -> bool:
    """Whether header lines are more than those whose values may be shown."""
    if not isinstance(value, str):
        return True
    if len(value) > _LONG:
        return _any_private(value, field)
    return _any_private_remembered(value, field)


def _any_private(lines: str, field: str) -> bool:
    names = [line.partition(":")[0].strip() for line in lines.splitlines() if line.strip()]
    if field == "headers":
        return not all(map(is_open_header, names))
    return any(map(names_a_credential, names))


_any_private_remembered = lru_cache(maxsize=1024)(_any_private)  # most have the same few


def _says_none(value: Json) -> bool:
    """Whether the value says that there is no credential, as Dify writes `authorization`."""
    return bool(value == {"type": "no-auth", "config": None} or value == {"type": "no-auth"})


def _is_named(here: dict[str, Json]) -> bool:
    return not _NAMING.isdisjoint(here) and any(
        isinstance(here.get(name), str) and names_a_credential(here[name]) for name in NAMING
    )
