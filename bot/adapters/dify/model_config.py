"""Apps without a workflow: what is configured in them, read as the one version that is live. Pure.

Each save in Dify's console inserts a row and is live at once; no route lists the rows or tells
their ids. The list of apps tells of a row its times, its model and its prompt. A save replaces
all of it but `annotation_reply`, which belongs to the app.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from bot.adapters.dify.documents import document
from bot.adapters.dify.shapes import field, mapping, moment, text
from bot.domain.masked import PLACEHOLDER
from bot.ports.target import TargetVersion
from store.document import Document, canonical
from store.records import Json, VersionKind

MODES = frozenset({"chat", "agent-chat", "completion"})
_TIMES = ("created_at", "updated_at")
_STAMPS = frozenset({"created_by", "updated_by", *_TIMES})
_OF_THE_APP = frozenset({"annotation_reply"})
_LISTED = ("model", "pre_prompt", *_TIMES)
# Dify's mask of a tool's parameter: the first and last two characters of a value longer than six
# (core/tools/utils/configuration.py); it shows some of the value, so it is not kept either.
_MASK = re.compile(r"\*+|..\*{3,}..", re.DOTALL)
# Where Dify cannot load a tool it does not know which parameters are secret, and shows them as
# they are kept: base64 of what begins with "HYBRID:" (libs/rsa.py).
_KEPT = "SFlCUklEO"


def live_id(config: Json, place: str) -> str:
    """Name the row of *config* by what the list of apps and the app itself both tell of it.

    Rows of the same second that differ elsewhere have the same name; "" when there is none.
    """
    if config is None:
        return ""
    told = mapping(config, f"{place}.model_config")
    digest = hashlib.sha256(canonical({name: told.get(name) for name in _LISTED}))
    return f"config-{digest.hexdigest()[:32]}"


def version(answer: Json, *, mode: str) -> TargetVersion | None:
    """Read an answer of `GET /apps/{id}` of an app of one of `MODES`; None without a config.

    Who saved it is told by an id alone, so there is no author.
    """
    found = field(answer, "model_config", "app")
    if found is None:
        return None
    place = "app.model_config"
    config = mapping(found, place)
    return TargetVersion(
        external_id=live_id(config, "app"),
        external_hash="",
        name="",
        comment="",
        author="",
        published_at=moment(config, "created_at", place),
        document=document(mode, {"model_config": _kept(config)}, place),
        kind=VersionKind.MODEL_CONFIG,
    )


def to_write(document: Document) -> dict[str, Json]:
    """The body of a save that leaves *document* live."""
    config = mapping(document.content.get("model_config"), "document.model_config")
    return {key: value for key, value in config.items() if key not in _OF_THE_APP}


def written(answer: Json) -> None:
    """Read the answer to a save, which names no row."""
    text(answer, "result", "model-config")


def _kept(config: Mapping[str, Json]) -> dict[str, Json]:
    kept = {key: value for key, value in config.items() if key not in _STAMPS}
    agent = kept.get("agent_mode")
    if isinstance(agent, dict) and isinstance(agent.get("tools"), list):
        kept["agent_mode"] = {**agent, "tools": [_tool(tool) for tool in agent["tools"]]}
    return kept


def _tool(tool: Json) -> Json:
    if not isinstance(tool, dict) or "tool_parameters" not in tool:
        return tool
    return {**tool, "tool_parameters": _unmasked(tool["tool_parameters"])}


def _unmasked(value: Json) -> Json:
    """*value* with the placeholder for whatever is no plain value, whatever of it is shown."""
    if isinstance(value, dict):
        return {key: _unmasked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmasked(item) for item in value]
    if isinstance(value, str) and (_MASK.fullmatch(value) or value.startswith(_KEPT)):
        return PLACEHOLDER
    return value
