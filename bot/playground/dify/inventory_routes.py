"""Models, tools and knowledge bases, as the console lists them.

Of the upstream source (api/services/model_provider_service.py, api/core/tools/entities,
api/controllers/console/datasets), not recorded: the observed servers had no plugin daemon.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from aiohttp import web

from bot.playground.dify import refusals
from bot.playground.dify.doors import caller, state_of
from bot.playground.dify.installed import DEPRECATED, text

MODEL_TYPES = ("llm", "text-embedding", "rerank", "speech2text", "moderation", "tts")


async def models_of_type(request: web.Request) -> web.Response:
    """Providers with their models of a type, without what is deprecated or cannot be used."""
    caller(request)
    wanted = request.match_info["model_type"]
    if wanted not in MODEL_TYPES:
        raise refusals.invalid_param(f"invalid origin model type {wanted}")
    listed = []
    for provider in sorted(state_of(request).models):
        models = [m for m in _models(request, provider) if m["model_type"] == wanted]
        usable = [m for m in models if m["status"] == "active" and not m["deprecated"]]
        if usable:
            listed.append(
                {
                    "tenant_id": state_of(request).workspace_id,
                    "provider": provider,
                    "label": text(provider),
                    "icon_small": None,
                    "status": "active",
                    "models": usable,
                }
            )
    return web.json_response({"data": listed})


async def models_of_provider(request: web.Request) -> web.Response:
    """All models of one provider, whatever their status; of an unknown one none."""
    caller(request)
    provider = request.match_info["provider"]
    return web.json_response({"data": list(_models(request, provider))})


def _models(request: web.Request, provider: str) -> Iterator[dict[str, Any]]:
    state = state_of(request)
    for name in sorted(state.models.get(provider, ())):
        status = state.model_states.get((provider, name), "active")
        yield {
            "model": name,
            "label": text(name),
            "model_type": state.model_types.get((provider, name), "llm"),
            "features": [],
            "fetch_from": "predefined-model",
            "model_properties": {"mode": "chat"},
            "deprecated": status == DEPRECATED,
            "status": "active" if status == DEPRECATED else status,
            "load_balancing_enabled": False,
        }


async def tools(request: web.Request) -> web.Response:
    """All tools of a type, by their providers."""
    caller(request)
    wanted = request.match_info["type"]
    return web.json_response([p.shown() for p in state_of(request).tools if p.type == wanted])


async def workflow_tool(request: web.Request) -> web.Response:
    """The tool that an app was made; of one that is none a ValueError, which is a 400."""
    caller(request)
    app_id = request.query.get("workflow_app_id", "")
    for provider in state_of(request).tools:
        if provider.type == "workflow" and provider.app_id == app_id:
            return web.json_response(provider.as_workflow())
    raise refusals.invalid_param("Tool not found")


async def datasets(request: web.Request) -> web.Response:
    """The knowledge bases with these ids; PostgreSQL takes nothing else for one."""
    caller(request)
    state = state_of(request)
    asked = request.query.getall("ids", [])
    if not all(map(_is_id, asked)):
        raise refusals.internal()
    wanted = {str(UUID(one)) for one in asked} or set(state.datasets)
    found = [_dataset(one, name) for one, name in state.datasets.items() if one in wanted]
    return web.json_response(
        {"data": found, "has_more": False, "limit": 20, "total": len(found), "page": 1}
    )


def _dataset(identity: str, name: str) -> dict[str, Any]:
    return {
        "id": identity,
        "name": name,
        "description": "",
        "provider": "vendor",
        "permission": "all_team_members",
        "data_source_type": "upload_file",
        "indexing_technique": "high_quality",
        "embedding_available": True,
        "partial_member_list": [],
    }


def _is_id(said: str) -> bool:
    try:
        UUID(said)
    except ValueError:
        return False
    return True
