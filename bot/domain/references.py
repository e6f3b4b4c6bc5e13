"""What a configuration refers to that is not in it: models, tools, knowledge bases. Pure.

Without them it would be live and answer nobody. Shapes: `graph.nodes[].data` of Dify's node types
(api/core/workflow/nodes/*/entities.py) and `model_config` (api/core/app/app_config), as far as
real workflows have them; what is not of these shapes refers to nothing that can be asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.diff.naming import node_title
from store.document import Document, is_note
from store.records import Json

OF_THE_APP = "the app"  # where an app without a workflow refers to something
LLM, RERANK = "llm", "rerank"


class Kind(StrEnum):
    """What kind of thing is referred to."""

    MODEL = "model"
    TOOL = "tool"
    KNOWLEDGE_BASE = "knowledge base"


@dataclass(frozen=True, order=True)
class Needed:
    """One thing that has to exist where a configuration is live.

    `sort` is a model's type (`llm`, `rerank`) or the kind of a tool's provider (`builtin`, `api`,
    `workflow`, `mcp`); `provider` is whose model or tool it is. A knowledge base has an id as its
    `name`, and neither of the two.
    """

    kind: Kind
    name: str
    provider: str = ""
    sort: str = ""


@dataclass(frozen=True)
class Reference:
    """Something needed, with the titles of the nodes that refer to it, each once.

    `label` is what people call it where its name is an id, else "".
    """

    needed: Needed
    nodes: tuple[str, ...]
    label: str = ""


_Found = tuple[Needed, str]  # with its label


def references(document: Document) -> tuple[Reference, ...]:
    """Return what *document* refers to, in the order of its nodes; each thing once."""
    places: dict[Needed, dict[str, None]] = {}
    labels: dict[Needed, str] = {}
    for (needed, label), place in _all(document.content):
        places.setdefault(needed, {})[place] = None
        labels[needed] = labels.get(needed) or label
    return tuple(Reference(needed, tuple(at), labels[needed]) for needed, at in places.items())


def same_provider(said: str, there: str) -> bool:
    """Whether a configuration that names *said* means the provider *there*.

    Since 1.0.0 a provider is named `organisation/plugin/provider`; a configuration of before says
    `provider` alone, which Dify takes for that of its own organisation (models/provider_ids.py).
    """
    if said == there:
        return True
    short, long = sorted((said, there), key=lambda name: name.count("/"))
    parts = long.split("/")
    return "/" not in short and len(parts) == 3 and parts[::2] == ["langgenius", short]


def _all(content: Mapping[str, Json]) -> Iterator[tuple[_Found, str]]:
    for node in _list(_dict(content.get("graph")).get("nodes")):
        if not isinstance(node, dict) or is_note(node):
            continue
        title = node_title(node)
        for found in _in_node(_dict(node.get("data"))):
            yield found, title
    for found in _in_config(_dict(content.get("model_config"))):
        yield found, OF_THE_APP


# -- Nodes ------------------------------------------------------------------------------------


def _in_node(data: Mapping[str, Json]) -> Iterator[_Found]:
    match data.get("type"):
        case "llm" | "question-classifier" | "parameter-extractor":
            yield from _model(data.get("model"))
        case "tool":
            yield from _tool(data)
        case "knowledge-retrieval":
            yield from _knowledge(data)
        case "agent":
            yield from _agent(_dict(data.get("agent_parameters")))


def _knowledge(data: Mapping[str, Json]) -> Iterator[_Found]:
    for identity in _list(data.get("dataset_ids")):
        yield from _dataset(identity)
    if data.get("retrieval_mode") == "single":
        yield from _model(_dict(data.get("single_retrieval_config")).get("model"))
    else:
        yield from _reranking(_dict(data.get("multiple_retrieval_config")))


def _reranking(config: Mapping[str, Json]) -> Iterator[_Found]:
    """The model that ranks what was found, if one does."""
    weighted = config.get("reranking_mode") == "weighted_score"
    if config.get("reranking_enable") is not False and not weighted:
        model = _dict(config.get("reranking_model"))
        provider = model.get("provider", model.get("reranking_provider_name"))
        name = model.get("model", model.get("reranking_model_name"))
        yield from _model({"provider": provider, "name": name}, RERANK)


def _agent(parameters: Mapping[str, Json]) -> Iterator[_Found]:
    """An agent's strategy names its parameters as it likes; their values tell what they are."""
    for parameter in parameters.values():
        value = _dict(parameter).get("value")
        if isinstance(value, dict) and "provider" in value:
            name = value.get("model", value.get("name"))
            sort = value.get("model_type")
            model = {"provider": value["provider"], "name": name}
            yield from _model(model, sort if isinstance(sort, str) and sort else LLM)
        for tool in _list(value):
            yield from _tool(_dict(tool))


# -- Apps without a workflow ------------------------------------------------------------------


def _in_config(config: Mapping[str, Json]) -> Iterator[_Found]:
    yield from _model(config.get("model"))
    for tool in _list(_dict(config.get("agent_mode")).get("tools")):
        yield from _tool(_dict(tool))
        yield from _linked(_dict(tool).get("dataset"))  # before 0.4
    datasets = _dict(config.get("dataset_configs"))
    linked = _list(_dict(datasets.get("datasets")).get("datasets"))
    for one in linked:
        yield from _linked(_dict(one).get("dataset"))
    if linked and datasets.get("retrieval_model") == "multiple":
        yield from _reranking(datasets)


def _linked(dataset: Json) -> Iterator[_Found]:
    held = _dict(dataset)
    if held.get("enabled") is not False:
        yield from _dataset(held.get("id"))


# -- What they are made of --------------------------------------------------------------------


def _model(model: Json, sort: str = LLM) -> Iterator[_Found]:
    held = _dict(model)
    provider, name = held.get("provider"), held.get("name")
    if isinstance(provider, str) and isinstance(name, str) and provider and name:
        yield Needed(Kind.MODEL, name, provider, sort), ""


def _tool(tool: Mapping[str, Json]) -> Iterator[_Found]:
    """A node of the type `tool`, or a tool of an agent, which may be switched off there."""
    name = tool.get("tool_name")
    provider = tool.get("provider_id") or tool.get("provider_name")
    sort = tool.get("provider_type") or tool.get("type") or "builtin"
    named = all(isinstance(said, str) and said for said in (name, provider, sort))
    if named and tool.get("enabled") is not False:
        called = tool.get("provider_name")
        label = called if isinstance(called, str) and called != provider else ""
        yield Needed(Kind.TOOL, str(name), str(provider), str(sort)), label


def _dataset(identity: Json) -> Iterator[_Found]:
    if isinstance(identity, str) and identity:
        yield Needed(Kind.KNOWLEDGE_BASE, identity), ""


def _dict(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
