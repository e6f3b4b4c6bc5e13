"""Importing a DSL: over an app or as a new one. Never publishes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from bot.playground.dify import dsl
from bot.playground.dify.apps import App
from bot.playground.dify.dsl import ImportFailed
from bot.playground.dify.refusals import DifyError
from bot.playground.dify.state import WORKFLOW_MODES, DifyState
from bot.playground.dify.workflows import Account

_HTTP_STATUS = {"completed": 200, "completed-with-warnings": 200, "pending": 202, "failed": 400}
Answer = tuple[int, dict[str, Any]]


def start(state: DifyState, request: dict[str, Any], by: Account) -> Answer:
    """Import at once, or keep it for a confirmation when the DSL's version asks for one."""
    import_id = str(uuid4())
    try:
        data = dsl.read(str(request.get("yaml_content") or ""))
        app = _target(state, request)
        status = dsl.import_status(data["version"], state.release.dsl)
        if status == "pending":
            state.pending_imports[import_id] = {"request": request, "data": data}
            return _answer(state, import_id, status, app, data["version"])
        app = _carry_out(state, request, data, app, by)
    except ImportFailed as error:
        return _failed(state, import_id, str(error))
    return _answer(state, import_id, status, app, data["version"])


def confirm(state: DifyState, import_id: str, by: Account) -> Answer:
    """Carry out a pending import; it can be used once."""
    pending = state.pending_imports.pop(import_id, None)
    if pending is None:
        return _failed(state, import_id, "Import information expired or does not exist")
    request, data = pending["request"], pending["data"]
    try:
        app = _carry_out(state, request, data, _target(state, request), by)
    except ImportFailed as error:
        return _failed(state, import_id, str(error))
    return _answer(state, import_id, "completed", app, data["version"])


def _target(state: DifyState, request: dict[str, Any]) -> App | None:
    app_id = request.get("app_id")
    if not app_id:
        return None
    try:
        app = state.app(app_id)
    except DifyError as error:
        raise ImportFailed("App not found") from error
    if app.mode not in WORKFLOW_MODES:
        raise ImportFailed("Only workflow or advanced chat apps can be overwritten")
    return app


def _carry_out(
    state: DifyState, request: dict[str, Any], data: dict[str, Any], app: App | None, by: Account
) -> App:
    described = data["app"]
    if app is None:
        app = state.create_app(
            request.get("name") or described.get("name", ""),
            mode=described.get("mode", "workflow"),
            by=by.id,
        )
    app.name = request.get("name") or described.get("name", app.name)
    app.description = request.get("description") or described.get("description", "")
    app.icon = request.get("icon") or described.get("icon", app.icon)
    app.icon_background = described.get("icon_background", app.icon_background)
    app.icon_type = described.get("icon_type", app.icon_type)
    app.updated_by, app.updated_at = by, state.clock()
    if app.mode in WORKFLOW_MODES:
        workflow = data.get("workflow") or {}
        state.sync(app, workflow, expected=app.draft.hash if app.draft else None, by=by)
    return app


def _answer(
    state: DifyState,
    import_id: str,
    status: str,
    app: App | None = None,
    version: str = "",
    error: str = "",
) -> Answer:
    return _HTTP_STATUS[status], {
        "id": import_id,
        "status": status,
        "app_id": app.id if app else None,
        "app_mode": app.mode if app and status != "pending" else None,
        "current_dsl_version": state.release.dsl,
        "imported_dsl_version": version,
        "error": error,
    }


def _failed(state: DifyState, import_id: str, error: str) -> Answer:
    return _answer(state, import_id, "failed", error=error)
