"""The YAML form of an app: what an export writes and an import reads."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import yaml

from bot.playground.dify.apps import App
from bot.playground.dify.workflows import Workflow

_STAMPS = ("created_by", "created_at", "updated_by", "updated_at")


class ImportFailed(Exception):
    """The text cannot be imported; the message is Dify's."""


def export(app: App, workflow: Workflow | None, *, include_secret: bool) -> str:
    """Write *app* with *workflow* as YAML; secrets are plain or empty."""
    icon_type = {"icon_type": app.icon_type} if app.release.newest_fields else {}
    content: dict[str, Any] = {
        "version": app.release.dsl,
        "kind": "app",
        "app": {
            "name": app.name,
            "mode": app.mode,
            "icon": app.icon,
            **icon_type,
            "icon_background": app.icon_background,
            "description": app.description,
            "use_icon_as_answer_icon": app.use_icon_as_answer_icon,
        },
        "dependencies": [],
    }
    if workflow is not None:
        content["workflow"] = _workflow(workflow, include_secret=include_secret)
        if app.release.rag_variables:
            content["workflow"]["rag_pipeline_variables"] = []
    else:
        config = app.model_config or {}
        content["model_config"] = {k: v for k, v in config.items() if k not in _STAMPS}
    return _text(json.dumps(content))


@lru_cache(maxsize=128)
def _text(content: str) -> str:
    """The YAML of *content* (JSON); writing is slow, and the same is asked for again and again."""
    return yaml.dump(json.loads(content), Dumper=_Dumper, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """The pure Python dumper: the C one would escape emoji, a real server does not."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _workflow(workflow: Workflow, *, include_secret: bool) -> dict[str, Any]:
    return {
        "graph": workflow.graph,
        "features": workflow.features,
        "environment_variables": [
            v.exported("env", include_secret=include_secret) for v in workflow.environment_variables
        ],
        "conversation_variables": [
            v.exported("conversation", include_secret=True) for v in workflow.conversation_variables
        ],
    }


def read(text: str) -> dict[str, Any]:
    """Read an import's YAML. Raises ImportFailed with the server's sentence."""
    try:
        data = yaml.load(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ImportFailed(f"Invalid YAML format: {error}") from error
    if not isinstance(data, dict):
        raise ImportFailed("Invalid YAML format: content must be a mapping")
    if not data.get("app"):
        raise ImportFailed("Missing app data in YAML content")
    data["version"] = data.get("version") or "0.1.0"
    if not isinstance(data["version"], str):
        raise ImportFailed(f"Invalid version type, expected str, got {type(data['version'])}")
    return data


def import_status(version: str, current_version: str) -> str:
    """What becomes of a DSL version: newer or an older major waits for a person's word."""
    imported, current = _numbers(version), _numbers(current_version)
    if imported > current or imported[0] < current[0]:
        return "pending"
    return "completed-with-warnings" if imported[:2] < current[:2] else "completed"


def _numbers(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        return (0,)
