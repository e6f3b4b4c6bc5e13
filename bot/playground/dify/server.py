"""The local Dify on a socket: routes, errors to answers, faults, and a log of calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from bot.playground.dify import (
    account_routes,
    app_routes,
    inventory_routes,
    run_routes,
    workflow_routes,
)
from bot.playground.dify.doors import STATE, state_of
from bot.playground.dify.faults import Call, Fault
from bot.playground.dify.refusals import DifyError, internal, unauthorized
from bot.playground.dify.state import DifyState

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY = 32 * 2**20
_APP = "/apps/{app_id}"
_FLOWS = f"{_APP}/workflows"
_BEFORE = frozenset({Fault.ERROR, Fault.UNAVAILABLE, Fault.EXPIRED, Fault.HTML, Fault.REDIRECT})

ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("setup_status", "GET", "/setup", account_routes.setup_status),
    ("setup", "POST", "/setup", account_routes.setup),
    ("login", "POST", "/login", account_routes.login),
    ("refresh", "POST", "/refresh-token", account_routes.refresh),
    ("logout", "POST", "/logout", account_routes.logout),
    ("logout_by_get", "GET", "/logout", account_routes.logout),
    ("profile", "GET", "/account/profile", account_routes.profile),
    ("workspaces", "GET", "/workspaces", account_routes.workspaces),
    ("members", "GET", "/workspaces/current/members", account_routes.members),
    ("version", "GET", "/version", account_routes.version),
    (
        "models",
        "GET",
        "/workspaces/current/models/model-types/{model_type}",
        inventory_routes.models_of_type,
    ),
    (
        "provider_models",
        "GET",
        "/workspaces/current/model-providers/{provider:.+}/models",
        inventory_routes.models_of_provider,
    ),
    (
        "tools",
        "GET",
        "/workspaces/current/tools/{type:builtin|api|workflow|mcp}",
        inventory_routes.tools,
    ),
    (
        "workflow_tool",
        "GET",
        "/workspaces/current/tool-provider/workflow/get",
        inventory_routes.workflow_tool,
    ),
    ("datasets", "GET", "/datasets", inventory_routes.datasets),
    ("app_list", "GET", "/apps", app_routes.list_apps),
    ("app_create", "POST", "/apps", app_routes.create_app),
    ("import_start", "POST", "/apps/imports", app_routes.start_import),
    ("import_confirm", "POST", "/apps/imports/{import_id}/confirm", app_routes.confirm_import),
    (
        "import_check",
        "GET",
        "/apps/imports/{app_id}/check-dependencies",
        app_routes.check_dependencies,
    ),
    ("app_detail", "GET", _APP, app_routes.detail),
    ("app_rename", "PUT", _APP, app_routes.rename),
    ("config_save", "POST", f"{_APP}/model-config", app_routes.save_config),
    ("runs", "GET", f"{_APP}/workflow-app-logs", run_routes.list_runs),
    ("export", "GET", f"{_APP}/export", app_routes.export),
    ("draft_get", "GET", f"{_FLOWS}/draft", workflow_routes.get_draft),
    ("draft_sync", "POST", f"{_FLOWS}/draft", workflow_routes.sync_draft),
    ("published_get", "GET", f"{_FLOWS}/publish", workflow_routes.get_published),
    ("publish", "POST", f"{_FLOWS}/publish", workflow_routes.publish),
    ("versions", "GET", _FLOWS, workflow_routes.list_versions),
    ("version_patch", "PATCH", f"{_FLOWS}/{{workflow_id}}", workflow_routes.patch_version),
    ("version_delete", "DELETE", f"{_FLOWS}/{{workflow_id}}", workflow_routes.delete_version),
    ("restore", "POST", f"{_FLOWS}/{{workflow_id}}/restore", workflow_routes.restore),
)


def build(state: DifyState) -> web.Application:
    """The console API of *state* under `/console/api`."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_answer, _meet_faults])
    app[STATE] = state
    for name, method, path, handler in ROUTES:
        app.router.add_route(method, f"/console/api{path}", handler, name=name)
    return app


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into Dify's bodies, name the version in every answer, and note the call."""
    state = state_of(request)
    try:
        response = await handler(request)
    except DifyError as error:
        response = web.json_response(error.body, status=error.status)
    except web.HTTPMethodNotAllowed:
        refused = DifyError(
            405, "method_not_allowed", "The method is not allowed for the requested URL."
        )
        response = web.json_response(refused.body, status=405)
    except web.HTTPNotFound:
        page = "<!doctype html><title>404 Not Found</title><h1>Not Found</h1>"
        response = web.Response(text=page, status=404, content_type="text/html")
    response.headers["X-Version"] = state.version
    trace = request.headers.get("traceparent", "")
    state.faults.log.append(Call(_name(request), state.clock(), response.status, trace))
    return response


def _name(request: web.Request) -> str:
    return request.match_info.route.name or "unknown"


@web.middleware
async def _meet_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run the hooks of the route, then let its next fault happen."""
    faults, name = state_of(request).faults, _name(request)
    await faults.run_hooks(name)
    fault = faults.take(name)
    if fault is None:
        return await handler(request)
    if fault is Fault.DROP:
        return _drop(request)
    if fault is Fault.HANG:
        await faults.hang(name)
        return await handler(request)
    if fault in _BEFORE:
        return _ill(fault)
    response = await handler(request)
    if fault is Fault.HANG_AFTER:
        await faults.hang(name)
        return response
    return _drop(request) if fault is Fault.DROP_AFTER else _spoilt(fault, response)


def _ill(fault: Fault) -> web.Response:
    if fault is Fault.EXPIRED:
        raise unauthorized("Token has expired.")
    if fault is Fault.ERROR:
        raise internal()
    if fault is Fault.REDIRECT:
        return web.Response(status=302, headers={"Location": "http://elsewhere.invalid/login"})
    status = 503 if fault is Fault.UNAVAILABLE else 200
    return web.Response(text="<html><body>…</body></html>", status=status, content_type="text/html")


def _spoilt(fault: Fault, response: web.StreamResponse) -> web.Response:
    if fault is Fault.ERROR_AFTER:
        raise internal()
    if fault is Fault.HTML_AFTER:
        return _ill(Fault.HTML)
    body = response.body if isinstance(response, web.Response) else b""
    whole = body if isinstance(body, bytes) else b""
    return web.Response(body=whole[: len(whole) // 2], content_type="application/json")


def _drop(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


@dataclass
class RunningDify:
    """A local Dify that listens; `url` is without `/console/api`."""

    url: str
    state: DifyState
    _runner: web.AppRunner

    async def stop(self) -> None:
        """Close the socket and every connection; hanging calls are let go."""
        self.state.faults.release()
        await self._runner.cleanup()


async def start(
    host: str = "127.0.0.1", port: int = 0, *, state: DifyState | None = None
) -> RunningDify:
    """Serve *state*, by default an empty server that waits for its setup; port 0: any free one."""
    state = state or DifyState()
    runner = web.AppRunner(build(state), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    bound = runner.addresses[0][1]
    return RunningDify(f"http://{host}:{bound}", state, runner)
