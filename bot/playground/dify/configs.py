"""What Dify does with the configuration of an app without a workflow when it is saved.

Only the keys that a mode has are kept, what is empty gets its default, and a model that no
installed provider offers is refused (core/app/apps/*/app_config_manager.py).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from bot.playground.dify import refusals

MODES = frozenset({"chat", "agent-chat", "completion"})
Models = Mapping[str, Collection[str]]  # the names of a provider's models

_ALL = frozenset(
    {
        *("model", "user_input_form", "external_data_tools", "file_upload", "prompt_type"),
        *("pre_prompt", "chat_prompt_config", "completion_prompt_config", "agent_mode"),
        *("dataset_configs", "dataset_query_variable", "text_to_speech"),
        "sensitive_word_avoidance",
    }
)
_OF_A_CHAT = _ALL | {
    *("opening_statement", "suggested_questions", "suggested_questions_after_answer"),
    *("speech_to_text", "retriever_resource"),
}
_KEYS = {"chat": _OF_A_CHAT, "agent-chat": _OF_A_CHAT, "completion": _ALL | {"more_like_this"}}
_OF_THE_APP = "annotation_reply"
_OF_A_TOOL = ("provider_type", "provider_id", "tool_name", "tool_parameters")


def demand(body: Mapping[str, Any], models: Models) -> None:
    """Refuse what the server refuses; its sentence names the field."""
    model = body.get("model")
    if not isinstance(model, dict):
        raise refusals.invalid_param("model is required")
    provider = model.get("provider")
    if not isinstance(provider, str) or provider not in models:
        known = str(list(models))
        raise refusals.invalid_param(f"model.provider is required and must be in {known}")
    if model.get("name") not in models[provider]:
        raise refusals.invalid_param("model.name must be in the specified model list")
    if "completion_params" not in model:
        raise refusals.invalid_param("model.completion_params is required")
    for tool in (body.get("agent_mode") or {}).get("tools") or ():
        for field in _OF_A_TOOL:
            if field not in tool:
                raise refusals.invalid_param(f"{field} is required in agent_mode.tools")


def saved(
    mode: str, body: Mapping[str, Any], template: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """The row that saving *body* makes: it replaces all of *now* but what belongs to the app.

    What a mode does not have is read as in *template*, which a new app starts with.
    """
    row = {key: body.get(key) if key in _KEYS[mode] else None for key in template}
    filled = {key: template[key] if row[key] in (None, "", [], {}) else row[key] for key in row}
    made: dict[str, Any] = copy.deepcopy(filled)
    made["pre_prompt"] = made["pre_prompt"] or ""
    if mode != "completion":
        made["opening_statement"] = made["opening_statement"] or ""
    made["model"].setdefault("completion_params", {}).setdefault("stop", [])
    made["agent_mode"]["strategy"] = made["agent_mode"].get("strategy") or "router"
    made["dataset_configs"].setdefault("datasets", {"strategy": "router", "datasets": []})
    made[_OF_THE_APP] = copy.deepcopy(now[_OF_THE_APP])
    return made
