"""Setup, login and the account's own pages."""

from __future__ import annotations

from aiohttp import web

from bot.playground.dify import refusals
from bot.playground.dify.auth import ACCESS_LIFE, REFRESH_LIFE, Tokens
from bot.playground.dify.doors import COOKIES, caller, cookie, json_object, state_of
from bot.playground.dify.workflows import Account, seconds


async def setup_status(request: web.Request) -> web.Response:
    """Whether the first account exists."""
    state = state_of(request)
    at = {"setup_at": None} if state.accounts or state.release.newest_fields else {}
    return web.json_response({"step": "finished" if state.accounts else "not_started", **at})


async def setup(request: web.Request) -> web.Response:
    """Make the first account, the owner; works once."""
    state = state_of(request)
    if state.accounts:
        raise refusals.DifyError(403, "already_setup", "Dify has been successfully installed.")
    body = await json_object(request)
    state.add_account(body["email"], body["password"], name=body["name"], role="owner")
    return web.json_response({"result": "success"}, status=201)


async def login(request: web.Request) -> web.Response:
    """Hand out three cookies, or two tokens, for the right password."""
    body = await json_object(request)
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or not isinstance(password, str):
        raise refusals.invalid_param("email and password are required")
    return _handed_out(request, state_of(request).auth.login(email, password))


async def refresh(request: web.Request) -> web.Response:
    """Hand out new tokens for a refresh token; no CSRF token is asked for."""
    if state_of(request).release.bearer:
        token = str((await json_object(request)).get("refresh_token") or "")
        if not token:
            return _parameter_missing("refresh_token")
    else:
        token = cookie(request, "refresh_token")
    if not token:
        return _refresh_failed("No refresh token provided")
    tokens = state_of(request).auth.refresh(token)
    if tokens is None:
        return _refresh_failed("Invalid refresh token")
    return _handed_out(request, tokens)


def _parameter_missing(name: str) -> web.Response:
    message = "Missing required parameter in the JSON body"
    body = {"code": "invalid_param", "message": message, "params": name}
    return web.json_response(body, status=400)


def _refresh_failed(message: str) -> web.Response:
    return web.json_response({"result": "fail", "message": message}, status=401)


def _handed_out(request: web.Request, tokens: Tokens) -> web.Response:
    if state_of(request).release.bearer:
        data = {"access_token": tokens.access, "refresh_token": tokens.refresh}
        return web.json_response({"result": "success", "data": data})
    response = web.json_response({"result": "success"})
    secure = state_of(request).host_cookies
    prefix = "__Host-" if secure else ""
    values = (tokens.access, tokens.refresh, tokens.csrf)
    for name, value in zip(COOKIES, values, strict=True):
        life = REFRESH_LIFE if name == "refresh_token" else ACCESS_LIFE
        response.set_cookie(
            prefix + name,
            value,
            max_age=int(life.total_seconds()),
            httponly=name != "csrf_token",
            samesite="Lax",
            secure=secure,
        )
    return response


async def logout(request: web.Request) -> web.Response:
    """End the refresh token and take the cookies away; an access token stays valid."""
    state = state_of(request)
    method = "GET" if state.release.bearer else "POST"
    if request.method != method:
        raise web.HTTPMethodNotAllowed(request.method, [method])
    caller(request)
    state.auth.logout(cookie(request, "refresh_token"))
    response = web.json_response({"result": "success"})
    prefix = "__Host-" if state.host_cookies else ""
    for name in () if state.release.bearer else COOKIES:
        response.set_cookie(
            prefix + name,
            "",
            expires="Thu, 01 Jan 1970 00:00:00 GMT",
            httponly=name != "csrf_token",
            samesite="Lax",
        )
    return response


async def profile(request: web.Request) -> web.Response:
    """The account that asks."""
    account = caller(request)
    created = account.created_at or state_of(request).clock()
    return web.json_response(
        {
            "avatar": None,
            "id": account.id,
            "name": account.name,
            "email": account.email,
            "is_password_set": True,
            "interface_language": "en-US",
            "interface_theme": "light",
            "timezone": "America/New_York",
            "last_login_at": seconds(account.last_login_at or created),
            "last_login_ip": "127.0.0.1",
            "created_at": seconds(created),
            "avatar_url": None,
        }
    )


async def workspaces(request: web.Request) -> web.Response:
    """The one workspace."""
    caller(request)
    state = state_of(request)
    owner = state.owner or state.accounts[0]
    workspace = {
        "id": state.workspace_id,
        "name": f"{owner.name}'s Workspace",
        "plan": "sandbox",
        "status": "normal",
        "created_at": seconds(owner.created_at or state.clock()),
        "current": True,
    }
    return web.json_response({"workspaces": [workspace]})


async def members(request: web.Request) -> web.Response:
    """Everybody in the workspace with the role; of the upstream source, not recorded."""
    caller(request)
    return web.json_response({"accounts": [_member(a) for a in state_of(request).accounts]})


def _member(account: Account) -> dict[str, object]:
    return {**account.shown(), "avatar": None, "role": account.role, "status": "active"}


async def version(request: web.Request) -> web.Response:
    """The server's version; needs no login."""
    return web.json_response(
        {
            "version": state_of(request).version,
            "release_date": "",
            "release_notes": "",
            "can_auto_update": False,
            "features": {"can_replace_logo": False, "model_load_balancing_enabled": False},
        }
    )
