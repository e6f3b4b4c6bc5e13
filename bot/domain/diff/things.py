"""What stands for what in two configurations, and where it differs; nothing is concealed yet.

Nodes are matched by id, connections by their ends and handles, variables by id or name, plugins
by what they are; other sections are compared place by place. Only what differs is looked at
closely: that two nodes are alike is seen without knowing what of them matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.diff import connections
from bot.domain.diff.kinds import ChangeKind, kind_in_model_config, kind_in_node
from bot.domain.diff.missing import MISSING, Missing
from bot.domain.diff.naming import node_title
from bot.domain.diff.reduced import alike, by_id
from bot.domain.diff.secrets import is_private, secret_idents
from bot.domain.diff.walk import ChangeOp, Difference, differences, same
from bot.domain.redact import PRIVATE
from store.document import encode, is_note, meant_node, meant_section, undrawn
from store.records import Json

ITEM = "*"
KindOf = Callable[[Sequence[str]], ChangeKind]
Key = tuple[str, int]


@dataclass(frozen=True)
class Thing:
    """One thing that differs: `was` became `now`, in meaning; secrets are in it still.

    `place` says where it belongs: the keys down to it, and `ITEM` at their end if it is one item
    of the list there. `path` is how people name it, `subject` what they call it.
    """

    place: tuple[str, ...]
    path: tuple[str, ...]
    subject: str
    was: Json | Missing
    now: Json | Missing
    field: str  # the name under which it stands, as concealing needs it
    kind_of: KindOf

    def differences(self) -> Iterator[Difference]:
        """Yield where it differs: at `()` what was added or removed as a whole."""
        if isinstance(self.was, Missing):
            yield Difference((), ChangeOp.ADDED, None, self.now)
        elif isinstance(self.now, Missing):
            yield Difference((), ChangeOp.REMOVED, self.was, None)
        else:
            yield from differences(self.was, self.now)


def things_between(
    old: Mapping[str, Json], new: Mapping[str, Json]
) -> Iterator[Thing | connections.Connection]:
    """Yield what differs in meaning between two contents, section by section, in a fixed order.

    Nothing exactly if they mean the same.
    """
    for name in sorted({*old, *new}):
        was, now = old.get(name, MISSING), new.get(name, MISSING)
        if name == "graph":
            yield from _graph(was, now)
        elif not alike(was, now):
            section = _SECTIONS.get(name, _whole(ChangeKind.OTHER))
            yield from section(name, was, now)


def nodes_of(*contents: Mapping[str, Json]) -> dict[str, Json]:
    """Return the nodes of *contents* by id; of those with the same id the last."""
    graphs = (content.get("graph") for content in contents)
    lists = (graph.get("nodes") for graph in graphs if isinstance(graph, dict))
    return {
        key: node
        for nodes in lists
        if isinstance(nodes, list)
        for key, node in by_id(nodes).items()
    }


Section = Callable[[str, object, object], Iterator["Thing | connections.Connection"]]


def _whole(kind: ChangeKind) -> Section:
    return _section(lambda _path: kind)


def _section(kind_of: KindOf) -> Section:
    """Return the rule for a section that is compared place by place."""

    def find(name: str, was: object, now: object) -> Iterator[Thing]:
        old, new = (_meant(name, side) for side in (was, now))
        yield from _thing((name,), (name,), name, old, new, name, kind_of)

    return find


def _meant(name: str, side: object) -> Json | Missing:
    return MISSING if isinstance(side, Missing) else meant_section(name, side)


def _thing(
    place: tuple[str, ...],
    path: tuple[str, ...],
    subject: str,
    was: Json | Missing,
    now: Json | Missing,
    field: str,
    kind_of: KindOf,
) -> Iterator[Thing]:
    missing = isinstance(was, Missing) or isinstance(now, Missing)
    if not (was is now if missing else same(was, now)):
        yield Thing(place, path, subject, was, now, field, kind_of)


# -- Graph ------------------------------------------------------------------------------------


def _graph(was: object, now: object) -> Iterator[Thing | connections.Connection]:
    if not isinstance(was, dict) or not isinstance(now, dict):
        yield from _whole(ChangeKind.NODE)("graph", was, now)
        return
    for key in sorted({*was, *now} - {"viewport"}):
        old, new = was.get(key, MISSING), now.get(key, MISSING)
        lists = isinstance(old, list) and isinstance(new, list)
        if lists and key == "nodes":
            yield from _nodes(old, new)
        elif lists and key == "edges":
            yield from connections.between(old, new)
        elif not alike(old, new):
            sides = _meant_in_graph(key, old), _meant_in_graph(key, new)
            kind_of = _only(ChangeKind.OTHER)
            yield from _thing(("graph", key), (key,), key, *sides, key, kind_of)


def _meant_in_graph(key: str, side: object) -> Json | Missing:
    return MISSING if isinstance(side, Missing) else meant_section("graph", {key: side})[key]


def _only(kind: ChangeKind) -> KindOf:
    return lambda _path: kind


def _nodes(old: list[Json], new: list[Json]) -> Iterator[Thing]:
    for key, was, now in _node_pairs(old, new):
        named = was if isinstance(now, Missing) else now
        types = {_type(side) for side in (was, now) if not isinstance(side, Missing)}
        kind_of = _of_node(types.pop() if len(types) == 1 else "")  # alike in both directions
        path = ("nodes", _spelled(key))
        place = ("graph", "nodes", ITEM)
        yield from _thing(place, path, node_title(named), was, now, "node", kind_of)


def _node_pairs(
    old: list[Json], new: list[Json]
) -> Iterator[tuple[Key, Json | Missing, Json | Missing]]:
    """Yield the nodes that may differ, in meaning, by id; notes are none.

    What shares its id with another node is numbered by the order of its canonical form, so that
    the order of the list does not matter.
    """
    before, after = _grouped("id", old), _grouped("id", new)
    for name in sorted({*before, *after}):
        was, now = before.get(name, []), after.get(name, [])
        if len(was) == len(now) == 1 and alike(undrawn(was[0]), undrawn(now[0])):
            continue
        olds, news = (_meant_nodes(nodes) for nodes in (was, now))
        for n in range(max(len(olds), len(news))):
            yield (
                (name, n + 1),
                olds[n] if n < len(olds) else MISSING,
                news[n] if n < len(news) else MISSING,
            )


def _grouped(name: str, items: Iterable[Json]) -> dict[str, list[Json]]:
    groups: dict[str, list[Json]] = {}
    for item in items:
        groups.setdefault(_text_of(name, item), []).append(item)
    return groups


def _meant_nodes(nodes: Iterable[Json]) -> list[Json]:
    meant = [meant_node(node) for node in nodes if not is_note(node)]
    return sorted(meant, key=encode) if len(meant) > 1 else meant


def _of_node(node_type: str) -> KindOf:
    def kind_of(path: Sequence[str]) -> ChangeKind:
        return kind_in_node(node_type, path[1:]) if path[:1] == ("data",) else ChangeKind.NODE

    return kind_of


def _type(node: Json | Missing) -> str:
    data = node.get("data") if isinstance(node, dict) else None
    return str(data.get("type", "")) if isinstance(data, dict) else ""


# -- Variables and dependencies ---------------------------------------------------------------


def _variables(name: str, was: object, now: object) -> Iterator[Thing]:
    old, new = ([] if isinstance(s, Missing) else meant_section(name, s) for s in (was, now))
    if not isinstance(old, list) or not isinstance(new, list):
        sides = _meant(name, was), _meant(name, now)
        yield from _thing((name,), (name,), name, *sides, name, _only(ChangeKind.VARIABLE))
        return
    yield from _presence(name, was, now)
    secrets = secret_idents(old, new)
    for one, other in _pairs(old, new):
        thing = one if isinstance(other, Missing) else other
        private = is_private(one, secrets) or is_private(other, secrets)
        subject = str(thing.get("name", "variable")) if isinstance(thing, dict) else "variable"
        kind_of = _only(ChangeKind.VARIABLE)
        field = PRIVATE if private else name
        place, path = (name, ITEM), (name, subject)
        yield from _thing(place, path, subject, one, other, field, kind_of)


def _presence(name: str, was: object, now: object) -> Iterator[Thing]:
    """That there is an empty list on one side and none on the other."""
    if isinstance(was, Missing) is isinstance(now, Missing):
        return
    if (now if isinstance(was, Missing) else was) == []:  # else its variables say it
        sides = _meant(name, was), _meant(name, now)
        kind_of = _only(ChangeKind.VARIABLE)
        yield from _thing((name,), (name,), name, *sides, name, kind_of)


def _pairs(old: list[Json], new: list[Json]) -> Iterator[tuple[Json | Missing, Json | Missing]]:
    """Yield what belongs together: by id first, of the rest by name."""
    before, after = _by("id", old), _by("id", new)
    for key in [key for key in before if key in after]:
        yield before.pop(key), after.pop(key)
    left, right = _by("name", before.values()), _by("name", after.values())
    for key in sorted({*left, *right}):
        yield left.get(key, MISSING), right.get(key, MISSING)


def _dependencies(name: str, was: object, now: object) -> Iterator[Thing]:
    old, new = _meant(name, was), _meant(name, now)
    kind_of = _only(ChangeKind.OTHER)
    if not isinstance(old, list) or not isinstance(new, list):
        yield from _thing((name,), (name,), name, old, new, name, kind_of)
        return
    before, after = (_numbered((_plugin(item), item) for item in side) for side in (old, new))
    for key in sorted({*before, *after}):
        one, other = before.get(key, MISSING), after.get(key, MISSING)
        spelled = _spelled(key)
        place, path = (name, ITEM), (name, spelled)
        yield from _thing(place, path, f"plugin {spelled}", one, other, name, kind_of)


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


def _of_app(path: Sequence[str]) -> ChangeKind:
    return ChangeKind.TITLE if path[:1] in (("name",), ("description",)) else ChangeKind.OTHER


_SECTIONS: dict[str, Section] = {
    "environment_variables": _variables,
    "conversation_variables": _variables,
    "rag_pipeline_variables": _whole(ChangeKind.VARIABLE),
    "features": _whole(ChangeKind.FEATURE),
    "model_config": _section(kind_in_model_config),
    "app": _section(_of_app),
    "dependencies": _dependencies,
}
