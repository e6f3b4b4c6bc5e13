"""What differs in each part of a document: nodes, edges, variables, features and the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.diff.kinds import ChangeKind, kind_in_model_config, kind_in_node
from bot.domain.diff.secrets import is_private, secret_idents
from bot.domain.diff.walk import ChangeOp, Difference, differences, same
from bot.domain.redact import PRIVATE, Redactor
from store.document import Document, encode
from store.records import Json

_MISSING = object()
_END = 60


@dataclass(frozen=True)
class Found:
    """A change before it is shown: `before` and `after` are concealed."""

    kind: ChangeKind
    op: ChangeOp
    subject: str
    path: tuple[str, ...]
    before: Json
    after: Json


def found_between(before: Document, after: Document, redactor: Redactor) -> Iterator[Found]:
    """Yield the changes between two documents, part by part, in a fixed order."""
    if before.mode != after.mode:
        path = ("mode",)
        modes = redactor.conceal_text(before.mode), redactor.conceal_text(after.mode)
        yield Found(ChangeKind.OTHER, ChangeOp.CHANGED, "mode", path, *modes)
    for name in sorted({*before.meant, *after.meant}):
        old, new = before.meant.get(name, _MISSING), after.meant.get(name, _MISSING)
        if old is not _MISSING and new is not _MISSING and same(old, new):
            continue
        section = _SECTIONS.get(name, _plain(ChangeKind.OTHER))
        yield from section(name, old, new, redactor)


Key = tuple[str, int]
Section = Callable[[str, Json, Json, Redactor], Iterator[Found]]
KindOf = Callable[[Sequence[str]], ChangeKind]


def _section(kind_of: KindOf) -> Section:
    """Return the rule for a section that is compared place by place."""

    def find(name: str, old: Json, new: Json, redactor: Redactor) -> Iterator[Found]:
        for place in _differences(old, new, name, redactor):
            subject = place.path[0] if place.path else name
            yield _found(place, kind_of(place.path), subject, (name,))

    return find


def _plain(kind: ChangeKind) -> Section:
    return _section(lambda _path: kind)


def _of_app(path: Sequence[str]) -> ChangeKind:
    return ChangeKind.TITLE if path[:1] in (("name",), ("description",)) else ChangeKind.OTHER


def _differences(old: Json, new: Json, field: str, redactor: Redactor) -> Iterator[Difference]:
    if old is _MISSING:
        yield Difference((), ChangeOp.ADDED, None, redactor.conceal(new, field))
    elif new is _MISSING:
        yield Difference((), ChangeOp.REMOVED, redactor.conceal(old, field), None)
    else:
        yield from differences(redactor.conceal(old, field), redactor.conceal(new, field))


def _found(place: Difference, kind: ChangeKind, subject: str, path: Iterable[str]) -> Found:
    whole = (*path, *place.path)
    return Found(kind, place.op, subject, whole, place.before, place.after)


# -- Graph ------------------------------------------------------------------------------------


def _graph(name: str, old: Json, new: Json, redactor: Redactor) -> Iterator[Found]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield from _plain(ChangeKind.NODE)(name, old, new, redactor)
        return
    for key in sorted({*old, *new}):
        was, now = old.get(key, _MISSING), new.get(key, _MISSING)
        lists = isinstance(was, list) and isinstance(now, list)
        if lists and key == "nodes":
            yield from _nodes(was, now, redactor)
        elif lists and key == "edges":
            yield from _edges(was, now, {**_titles(old), **_titles(new)}, redactor)
        else:
            yield from _plain(ChangeKind.OTHER)(key, was, now, redactor)


def _nodes(old: list[Json], new: list[Json], redactor: Redactor) -> Iterator[Found]:
    before, after = _by("id", old), _by("id", new)
    for key in sorted({*before, *after}):
        was, now = before.get(key, _MISSING), after.get(key, _MISSING)
        subject = _title(was if now is _MISSING else now)
        path = ("nodes", _spelled(key))
        if isinstance(was, dict) and isinstance(now, dict):
            if not same(was, now):
                yield from _node(was, now, subject, path, redactor)
            continue
        for place in _differences(was, now, "nodes", redactor):
            yield _found(place, ChangeKind.NODE, subject, path)


def _node(
    was: dict[str, Json],
    now: dict[str, Json],
    subject: str,
    path: tuple[str, ...],
    redactor: Redactor,
) -> Iterator[Found]:
    node_type = _type(now)
    for place in _differences(was, now, "node", redactor):
        inside = place.path[:1] == ("data",)
        kind = kind_in_node(node_type, place.path[1:]) if inside else ChangeKind.NODE
        short = Difference(place.path[1:], place.op, place.before, place.after)
        yield _found(short if inside else place, kind, subject, path)


def _edges(
    old: list[Json], new: list[Json], titles: Mapping[str, str], redactor: Redactor
) -> Iterator[Found]:
    before, after = (Counter(encode(edge) for edge in edges) for edges in (old, new))
    edges = {encode(edge): edge for edge in (*old, *new)}
    for key in sorted(edges):
        if before[key] == after[key]:
            continue
        subject, path = _edge_names(edges[key], titles, redactor)
        value = redactor.conceal(edges[key])
        for _ in range(before[key] - after[key]):
            yield Found(ChangeKind.EDGE, ChangeOp.REMOVED, subject, path, value, None)
        for _ in range(after[key] - before[key]):
            yield Found(ChangeKind.EDGE, ChangeOp.ADDED, subject, path, None, value)


def _edge_names(
    edge: Json, titles: Mapping[str, str], redactor: Redactor
) -> tuple[str, tuple[str, ...]]:
    if not isinstance(edge, dict):
        return "connection", ("edges", "?")
    source, handle, target = (str(edge[key]) for key in ("source", "sourceHandle", "target"))
    branch = "" if handle == "source" else f" ({redactor.shown(handle)[:_END]})"
    start, end = (redactor.shown(titles.get(node, node))[:_END] for node in (source, target))
    return f"{start}{branch} → {end}", ("edges", f"{source}:{handle}:{target}")


def _titles(graph: Mapping[str, Json]) -> dict[str, str]:
    nodes = graph.get("nodes")
    return {
        node["id"]: _title(node)
        for node in (nodes if isinstance(nodes, list) else ())
        if isinstance(node, dict) and isinstance(node.get("id"), str)
    }


def _title(node: Json) -> str:
    data = node.get("data") if isinstance(node, dict) else None
    named = (data.get("title"), data.get("type")) if isinstance(data, dict) else ()
    own = node.get("id") if isinstance(node, dict) else None
    return next((str(name) for name in (*named, own) if isinstance(name, str) and name), "node")


def _type(node: Mapping[str, Json]) -> str:
    data = node.get("data")
    return str(data.get("type", "")) if isinstance(data, dict) else ""


# -- Variables and dependencies ---------------------------------------------------------------


def _variables(name: str, old: Json, new: Json, redactor: Redactor) -> Iterator[Found]:
    if not isinstance(old, list) or not isinstance(new, list):
        old, new = _empty_if_missing(old), _empty_if_missing(new)
    if not isinstance(old, list) or not isinstance(new, list):
        yield from _plain(ChangeKind.VARIABLE)(name, old, new, redactor)
        return
    secrets = secret_idents(old, new)
    for was, now in _pairs(old, new):
        thing = was if now is _MISSING else now
        field = PRIVATE if is_private(was, secrets) or is_private(now, secrets) else name
        subject = str(thing.get("name", "variable")) if isinstance(thing, dict) else "variable"
        for place in _differences(was, now, field, redactor):
            yield _found(place, ChangeKind.VARIABLE, subject, (name, subject))


def _empty_if_missing(value: Json) -> Json:
    return [] if value is _MISSING else value


def _pairs(old: list[Json], new: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield what belongs together: by id first, of the rest by name."""
    before, after = _by("id", old), _by("id", new)
    for key in [key for key in before if key in after]:
        yield before.pop(key), after.pop(key)
    left, right = _by("name", before.values()), _by("name", after.values())
    for key in sorted({*left, *right}):
        yield left.get(key, _MISSING), right.get(key, _MISSING)


def _dependencies(name: str, old: Json, new: Json, redactor: Redactor) -> Iterator[Found]:
    if not isinstance(old, list) or not isinstance(new, list):
        yield from _plain(ChangeKind.OTHER)(name, old, new, redactor)
        return
    before, after = _by_plugin(old), _by_plugin(new)
    for key in sorted({*before, *after}):
        was, now = before.get(key, _MISSING), after.get(key, _MISSING)
        for place in _differences(was, now, name, redactor):
            yield _found(place, ChangeKind.OTHER, f"plugin {_spelled(key)}", (name, _spelled(key)))


def _by_plugin(dependencies: list[Json]) -> dict[Key, Json]:
    return _numbered((_plugin(item), item) for item in dependencies)


def _plugin(dependency: Json) -> str:
    value = dependency.get("value") if isinstance(dependency, dict) else None
    for key in ("marketplace_plugin_unique_identifier", "plugin_unique_identifier", "repo"):
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return str(value[key]).partition(":")[0]
    return "?"


def _by(name: str, items: Iterable[Json]) -> dict[Key, Json]:
    return _numbered((_text_of(name, item), item) for item in items)


def _text_of(name: str, item: Json) -> str:
    found = item.get(name) if isinstance(item, dict) else None
    return found if isinstance(found, str) else ""


def _numbered(items: Iterable[tuple[str, Json]]) -> dict[Key, Json]:
    """Key the items by name and by how many of that name came before, in their sorted order."""
    seen: Counter[str] = Counter()
    keyed: dict[Key, Json] = {}
    for name, item in items:
        seen[name] += 1
        keyed[name, seen[name]] = item
    return keyed


def _spelled(key: Key) -> str:
    name, n = key
    return name if n == 1 else f"{name}#{n}"


_SECTIONS: dict[str, Section] = {
    "graph": _graph,
    "environment_variables": _variables,
    "conversation_variables": _variables,
    "rag_pipeline_variables": _plain(ChangeKind.VARIABLE),
    "features": _plain(ChangeKind.FEATURE),
    "model_config": _section(kind_in_model_config),
    "app": _section(_of_app),
    "dependencies": _dependencies,
}
