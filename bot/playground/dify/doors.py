"""From an HTTP request to who is asking and what for; shared by all handlers."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from bot.playground.dify import refusals
from bot.playground.dify.apps import App
from bot.playground.dify.state import WORKFLOW_MODES, DifyState
from bot.playground.dify.workflows import Account

STATE = web.AppKey("state", DifyState)
COOKIES = ("access_token", "refresh_token", "csrf_token")


def state_of(request: web.Request) -> DifyState:
    """The state that the server was started with."""
    return request.app[STATE]


def cookie(request: web.Request, name: str) -> str:
    """The value of a cookie, under the name that this server gives it."""
    prefix = "__Host-" if state_of(request).host_cookies else ""
    return request.cookies.get(prefix + name, "")


def caller(request: web.Request) -> Account:
    """Who is asking: by cookie or bearer and CSRF token, or by the admin key as the owner."""
    state = state_of(request)
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = bearer if state.release.bearer else cookie(request, "access_token") or bearer
    workspace = request.headers.get("X-WORKSPACE-ID", "")
    if state.admin_key and token == state.admin_key and workspace == state.workspace_id:
        if state.owner is None:
            raise refusals.unauthorized("Invalid token.")
        if not state.release.admin_key_works:
            _check_csrf(request, state.owner)
        return state.owner
    account = state.auth.who(token)
    if not state.release.bearer:
        _check_csrf(request, account)
    return account


def _check_csrf(request: web.Request, account: Account) -> None:
    header = request.headers.get("X-CSRF-Token", "")
    state_of(request).auth.check_csrf(
        account, request.path, header=header, cookie=cookie(request, "csrf_token")
    )


def editor(request: web.Request) -> Account:
    """Who is asking, if they may edit."""
    account = caller(request)
    if not account.may_edit:
        raise refusals.forbidden()
    return account


def app_of(request: web.Request, *, modes: frozenset[str] = frozenset()) -> App:
    """The app in the path; refused when it is of none of *modes* (empty: any mode)."""
    state, key = state_of(request), request.match_info["app_id"]
    app = next((a for a in state.apps if a.id == key), None)
    if app is None:
        raise refusals.app_not_found(_appended("App not found.", request))
    if modes and app.mode not in modes:
        text = f"App mode is not in the supported list: {set(modes)}."
        raise refusals.app_not_found(_appended(text, request))
    return app


def workflow_app(request: web.Request) -> App:
    """The app in the path, refused for modes without workflows."""
    return app_of(request, modes=WORKFLOW_MODES)


def _appended(text: str, request: web.Request) -> str:
    """The framework adds the path and guesses of its own to the message of a 404."""
    return f"{text} You have requested this URI [{request.path}]"


def absent(error: refusals.DifyError, request: web.Request) -> refusals.DifyError:
    """*error* with the framework's addition to its message."""
    return refusals.DifyError(error.status, error.code, _appended(error.message, request))


async def json_object(request: web.Request) -> dict[str, Any]:
    """The JSON object of the body; {} for an empty one."""
    text = await request.text()
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise refusals.bad_request("The browser (or proxy) sent a request") from error
    if not isinstance(value, dict):
        raise refusals.invalid_param("Input should be a valid dictionary")
    return value


def whole_number(request: web.Request, name: str, default: int, *, most: int) -> int:
    """A query parameter from 1 to *most*."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise refusals.invalid_param(f"{name}: Input should be from 1 to {most}")
    return int(text)
