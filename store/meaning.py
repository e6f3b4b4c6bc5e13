"""What of a document matters when it runs: the content without layout and other noise. Pure.

What Dify's engine reads and what only its editor does was established on real servers and in
upstream's own difference (services/workflow/graph_diff.py). What we do not know is kept: noise
is only what is listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from store.canonical import encode
from store.records import Json

_NODE_LAYOUT = frozenset(
    {
        *("position", "positionAbsolute", "width", "height", "measured", "style", "extent"),
        *("selected", "dragging", "resizing", "zIndex", "sourcePosition", "targetPosition"),
        *("draggable", "selectable", "connectable", "deletable", "focusable"),
    }
)
_DRAWN = ("position", "width", "height", "style", "extent", "zIndex")
_CLICKED = frozenset({"selected", "dragging", "resizing"})
_BOXES = frozenset({"iteration", "loop"})  # nodes that are drawn as a box with a size of its own
_NOTE = "custom-note"

# Where the editor gives list items ids that nothing refers to: path inside a node's data, name.
# `case_id`, the ids of classes and of actions are not here: edges leave from them.
_INNER_IDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("prompt_template",), "id"),
    (("cases",), "id"),
    (("cases", "conditions"), "id"),
    (("cases", "conditions", "sub_variable_condition", "conditions"), "id"),
    (("conditions",), "id"),
    (("break_conditions",), "id"),
    (("loop_variables",), "id"),
    (("variables",), "id"),
    (("body", "data"), "id"),
    (("advanced_settings", "groups"), "groupId"),
    (("metadata_filtering_conditions", "conditions"), "id"),
)
_EXACT_FLOAT = 2.0**53  # beyond it a float does not tell neighbouring integers apart


def meaningful(content: Mapping[str, Json]) -> dict[str, Json]:
    """Return what of *content* (plain JSON) matters; equal results mean the same behaviour.

    Nodes, edges and variables stand sorted. An edge is its two ends with their handles, a
    secret variable its id and name. Integral floats are integers.
    """
    return {key: meant_section(key, value) for key, value in content.items()}


def meant_section(name: str, value: Json) -> Json:
    """Return what of one section of a content matters; `meaningful` is all of them."""
    rule = _RULES.get(name)
    kept = _numbers(value)
    return kept if rule is None else rule(kept)


def meant_node(node: Json) -> Json:
    """Return what of a node matters; None for a note, which is there for people alone."""
    return None if is_note(node) else _node(_numbers(node))


def undrawn(node: Json) -> Json:
    """Return *node* without how it is drawn: less is left out than `meant_node` does, and quickly.

    What is equal in this is equal in meaning.
    """
    return _without(node, _NODE_LAYOUT) if isinstance(node, dict) else node


def meant_edge(edge: Json) -> Json:
    """Return what of a connection matters: its two ends with their handles."""
    return _edge(_numbers(edge))


def layout(node: Json) -> dict[str, Json]:
    """Return how a node is drawn: its position, size and the like, without what is clicked at.

    Of a note that is all there is of it; empty for what is no node.
    """
    if not isinstance(node, dict):
        return {}
    if is_note(node):
        return {key: value for key, value in node.items() if key not in _CLICKED}
    data = node.get("data")
    size = data if isinstance(data, dict) and data.get("type") in _BOXES else {}
    drawn = {key: size[key] for key in ("width", "height") if key in size}
    return {**drawn, **{key: node[key] for key in _DRAWN if key in node}}


def _graph(graph: Json) -> Json:
    if not isinstance(graph, dict):
        return graph
    kept = {key: value for key, value in graph.items() if key != "viewport"}
    if isinstance(kept.get("nodes"), list):
        kept["nodes"] = _sorted(_node(node) for node in kept["nodes"] if not is_note(node))
    if isinstance(kept.get("edges"), list):
        kept["edges"] = _sorted(_edge(edge) for edge in kept["edges"])
    return kept


def is_note(node: Json) -> bool:
    """Return True for a node that is there for people alone."""
    return isinstance(node, dict) and node.get("type") == _NOTE


def _node(node: Json) -> Json:
    if not isinstance(node, dict):
        return node
    kept = _without(node, _NODE_LAYOUT)
    if isinstance(kept.get("data"), dict):
        kept["data"] = _node_data(kept["data"])
    return kept


def _node_data(data: dict[str, Json]) -> dict[str, Json]:
    size = {"width", "height"} if data.get("type") in _BOXES else set()
    kept = _without(data, size | {"selected"})
    for path, name in _INNER_IDS:
        if path[0] in kept:
            kept[path[0]] = _strip(kept[path[0]], path[1:], name)
    return kept


def _strip(value: Json, path: Sequence[str], name: str) -> Json:
    """Return *value* with *name* left out of every object of the list at *path*."""
    if isinstance(value, list):
        return [_strip(item, path, name) for item in value]
    if not isinstance(value, dict):
        return value
    if not path:
        return {key: item for key, item in value.items() if key != name}
    if path[0] not in value:
        return value
    return {**value, path[0]: _strip(value[path[0]], path[1:], name)}


def _edge(edge: Json) -> Json:
    if not isinstance(edge, dict):
        return edge
    return {
        "source": edge.get("source"),
        "sourceHandle": _or(edge.get("sourceHandle"), "source"),
        "target": edge.get("target"),
        "targetHandle": _or(edge.get("targetHandle"), "target"),
    }


def _or(value: Json, default: str) -> Json:
    return default if value is None else value


def _variables(variables: Json) -> Json:
    if not isinstance(variables, list):
        return variables
    return _sorted(_variable(variable) for variable in variables)


def _variable(variable: Json) -> Json:
    if not isinstance(variable, dict):
        return variable
    if variable.get("value_type") == "secret":
        return {key: variable[key] for key in ("id", "name", "value_type") if key in variable}
    return {key: value for key, value in variable.items() if key != "selector"}


def _app(app: Json) -> Json:
    if not isinstance(app, dict):
        return app
    return {key: value for key, value in app.items() if not key.startswith("icon")}


def _dependencies(dependencies: Json) -> Json:
    return _sorted(dependencies) if isinstance(dependencies, list) else dependencies


_RULES: dict[str, Callable[[Json], Json]] = {
    "graph": _graph,
    "environment_variables": _variables,
    "conversation_variables": _variables,
    "dependencies": _dependencies,
    "app": _app,
}


def _without(mapping: dict[str, Json], names: frozenset[str] | set[str]) -> dict[str, Json]:
    return {
        key: value
        for key, value in mapping.items()
        if key not in names and not key.startswith("_")  # the editor's own marks
    }


def _sorted(items: Iterable[Json]) -> list[Json]:
    return sorted(items, key=encode)


def _numbers(value: Json) -> Json:
    if isinstance(value, float):
        exact = value.is_integer() and abs(value) < _EXACT_FLOAT
        return int(value) if exact else value
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return value
