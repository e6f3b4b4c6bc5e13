"""Which kind of change a place in a document makes: a table over Dify's node types and fields."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class ChangeKind(StrEnum):
    """What a change touches, in the order of risk: the first is the first to be looked at."""

    MODEL = "model"
    PROMPT = "prompt"  # what a model is told, and texts that people are answered with
    CODE = "code"
    TOOL = "tool"
    HTTP = "http"
    KNOWLEDGE = "knowledge"
    CONDITION = "condition"
    VARIABLE = "variable"
    FEATURE = "feature"
    NODE = "node"
    EDGE = "edge"
    TITLE = "title"
    OTHER = "other"
    LAYOUT = "layout"  # how it is drawn; compared only when asked for


RANK = {kind: rank for rank, kind in enumerate(ChangeKind)}

_K = ChangeKind

# Fields of a node's data that mean the same in every node.
_FIELDS: dict[str, ChangeKind] = {
    **dict.fromkeys(("title", "desc"), _K.TITLE),
    **dict.fromkeys(("model", "vision", "memory", "structured_output"), _K.MODEL),
    **dict.fromkeys(("structured_output_enabled", "reasoning_format"), _K.MODEL),
    **dict.fromkeys(("prompt_template", "prompt_config", "instruction", "query"), _K.PROMPT),
    **dict.fromkeys(("answer", "opening_statement"), _K.PROMPT),
    **dict.fromkeys(("code", "code_language", "template"), _K.CODE),
    **dict.fromkeys(("cases", "conditions", "logical_operator", "classes"), _K.CONDITION),
    **dict.fromkeys(("break_conditions", "loop_count", "filter_by"), _K.CONDITION),
    **dict.fromkeys(("variables", "outputs", "context", "variable_selector"), _K.VARIABLE),
    **dict.fromkeys(("query_variable_selector", "output_selector", "items"), _K.VARIABLE),
    **dict.fromkeys(("iterator_selector", "loop_variables", "parameters"), _K.VARIABLE),
    **dict.fromkeys(("output_type", "advanced_settings"), _K.VARIABLE),
    **dict.fromkeys(("dataset_ids", "retrieval_mode"), _K.KNOWLEDGE),
    **dict.fromkeys(("multiple_retrieval_config", "single_retrieval_config"), _K.KNOWLEDGE),
}
# Node types whose own fields are all of one kind, but for these exceptions.
_TYPES: dict[str, ChangeKind] = {
    "code": _K.CODE,
    "template-transform": _K.CODE,
    "tool": _K.TOOL,
    "agent": _K.TOOL,
    "http-request": _K.HTTP,
    "knowledge-retrieval": _K.KNOWLEDGE,
    "knowledge-index": _K.KNOWLEDGE,
    "datasource": _K.KNOWLEDGE,
    "if-else": _K.CONDITION,
    "question-classifier": _K.CONDITION,
    "list-operator": _K.CONDITION,
}
_OWN = frozenset({"title", "desc", "type", "variables"})
_ASKING = frozenset({"question-classifier", "agent"})  # these have a model and prompts too
_COMMON = frozenset(
    {"retry_config", "error_strategy", "default_value", "isInIteration", "isInLoop",
     "iteration_id", "loop_id", "parentId", "type"}
)  # fmt: skip

_MODEL_CONFIG: dict[str, ChangeKind] = {
    **dict.fromkeys(("model", "model_id", "provider"), _K.MODEL),
    **dict.fromkeys(("pre_prompt", "prompt_type", "chat_prompt_config"), _K.PROMPT),
    **dict.fromkeys(("completion_prompt_config",), _K.PROMPT),
    **dict.fromkeys(("agent_mode", "external_data_tools"), _K.TOOL),
    **dict.fromkeys(("dataset_configs", "dataset_query_variable"), _K.KNOWLEDGE),
    **dict.fromkeys(("user_input_form",), _K.VARIABLE),
}


def kind_in_node(node_type: str, path: Sequence[str]) -> ChangeKind:
    """Return the kind of a change at *path* inside the data of a node of *node_type*."""
    field = path[0] if path else ""
    if field in _COMMON or not field:
        return ChangeKind.NODE
    if node_type == "agent" and field == "agent_parameters":
        return _agent(path[1:])
    if node_type in _TYPES and field not in _OWN and not _asks(node_type, field):
        return _TYPES[node_type]
    return _FIELDS.get(field, ChangeKind.NODE)


def kind_in_model_config(path: Sequence[str]) -> ChangeKind:
    """Return the kind of a change at *path* inside the configuration of a chat application."""
    return _MODEL_CONFIG.get(path[0] if path else "", ChangeKind.FEATURE)


def _asks(node_type: str, field: str) -> bool:
    return node_type in _ASKING and _FIELDS.get(field) in {ChangeKind.MODEL, ChangeKind.PROMPT}


def _agent(path: Sequence[str]) -> ChangeKind:
    if path and path[0] == "model":
        return ChangeKind.MODEL
    if path and path[0] in {"instruction", "query"}:
        return ChangeKind.PROMPT
    return ChangeKind.TOOL
