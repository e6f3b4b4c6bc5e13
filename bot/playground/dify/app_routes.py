"""Apps: list, create, look at, rename, export, import."""

from __future__ import annotations

from aiohttp import web

from bot.playground.dify import configs, dsl, imports, refusals
from bot.playground.dify.apps import App
from bot.playground.dify.doors import (
    app_of,
    caller,
    editor,
    json_object,
    state_of,
    whole_number,
)
from bot.playground.dify.state import WORKFLOW_MODES
from bot.playground.dify.workflows import Account, Workflow

_MODES = WORKFLOW_MODES | configs.MODES
_FIELDS = ("description", "icon_type", "icon", "icon_background")


async def list_apps(request: web.Request) -> web.Response:
    """Newest first, at most 100 a page."""
    account = caller(request)
    page = whole_number(request, "page", 1, most=99999)
    limit = whole_number(request, "limit", 20, most=100)
    found = [a for a in reversed(state_of(request).apps) if _asked_for(a, request, account)]
    start = (page - 1) * limit
    return web.json_response(
        {
            "page": page,
            "limit": limit,
            "total": len(found),
            "has_more": start + limit < len(found),
            "data": [app.listed() for app in found[start : start + limit]],
        }
    )


def _asked_for(app: App, request: web.Request, account: Account) -> bool:
    mode = request.query.get("mode", "all")
    if mode not in {"all", app.mode}:
        return False
    if request.query.get("name", "").lower() not in app.name.lower():
        return False
    mine = request.query.get("is_created_by_me", "false") == "true"
    return app.created_by is account if mine else True


async def create_app(request: web.Request) -> web.Response:
    """Make an app without a draft."""
    account, body = editor(request), await json_object(request)
    if not body.get("name") or body.get("mode") not in _MODES:
        raise refusals.invalid_param("name and mode are required")
    fields = {name: body[name] for name in _FIELDS if body.get(name) is not None}
    app = state_of(request).create_app(body["name"], mode=body["mode"], by=account.id, **fields)
    return web.json_response(app.created(), status=201)


async def detail(request: web.Request) -> web.Response:
    """One app with its live version's id."""
    caller(request)
    return web.json_response(app_of(request).detail(_base_url(request)))


async def rename(request: web.Request) -> web.Response:
    """Change the fields of an app; what is left out is emptied."""
    account, app, body = editor(request), app_of(request), await json_object(request)
    app.name = body.get("name") or app.name
    for name in _FIELDS:
        setattr(app, name, body.get(name) or "")
    app.max_active_requests = int(body.get("max_active_requests") or 0)
    app.updated_by, app.updated_at = account, state_of(request).clock()
    return web.json_response(app.detail(_base_url(request)))


async def save_config(request: web.Request) -> web.Response:
    """Replace the configuration of an app without a workflow; no condition, live at once."""
    account = editor(request)
    app, body = app_of(request, modes=configs.MODES), await json_object(request)
    configs.demand(body, state_of(request).models)
    app.save_config(body, by=account, at=state_of(request).clock())
    return web.json_response({"result": "success"})


def _base_url(request: web.Request) -> str:
    return str(request.url.origin())


async def export(request: web.Request) -> web.Response:
    """The draft, or a published version; the draft's or an unknown id is a server error."""
    editor(request)
    app = app_of(request)
    include_secret = request.query.get("include_secret", "false") == "true"
    text = dsl.export(app, _to_export(request, app), include_secret=include_secret)
    return web.json_response({"data": text})


def _to_export(request: web.Request, app: App) -> Workflow | None:
    if app.mode not in WORKFLOW_MODES:
        return None
    release = state_of(request).release
    wanted = request.query.get("workflow_id", "") if release.exports_versions else ""
    found = app.workflow(wanted) if wanted else app.draft
    if found is None:
        raise refusals.DifyError(*release.unknown_export)
    if wanted and found.is_draft:
        raise refusals.internal()
    return found


async def start_import(request: web.Request) -> web.Response:
    """Import a DSL over an app or as a new one."""
    account = editor(request)
    status, answer = imports.start(state_of(request), await json_object(request), account)
    return web.json_response(answer, status=status)


async def confirm_import(request: web.Request) -> web.Response:
    """Carry out an import that waited."""
    account, import_id = editor(request), request.match_info["import_id"]
    status, answer = imports.confirm(state_of(request), import_id, account)
    return web.json_response(answer, status=status)


async def check_dependencies(request: web.Request) -> web.Response:
    """Which plugins an import lacks: none here."""
    editor(request)
    app_of(request)
    return web.json_response({"leaked_dependencies": []})
