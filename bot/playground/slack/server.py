"""The local Slack: Web API, uploads, response_urls and Socket Mode, on loopback only."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from bot.playground.slack import (
    arguments,
    files,
    hooks,
    posting,
    reading,
    sockets,
    validating,
    views,
)
from bot.playground.slack.arguments import Arguments
from bot.playground.slack.driver import Driver
from bot.playground.slack.faults import Fault, Kind
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Call, Json, SlackError

Method = Callable[[SlackState, Arguments], Json]

METHODS: dict[str, tuple[Method, str]] = {  # what it does, the scope that it needs
    "auth.test": (reading.auth_test, ""),
    "blocks.validate": (validating.validate, ""),
    "chat.postMessage": (posting.post_message, "chat:write"),
    "chat.postEphemeral": (posting.post_ephemeral, "chat:write"),
    "chat.update": (posting.update, "chat:write"),
    "chat.delete": (posting.delete, "chat:write"),
    "chat.getPermalink": (posting.permalink, ""),
    "conversations.info": (reading.channel_info, "channels:read"),
    "conversations.members": (reading.channel_members, "channels:read"),
    "conversations.history": (reading.history, "channels:history"),
    "conversations.replies": (reading.replies, "channels:history"),
    "users.info": (reading.user_info, "users:read"),
    "usergroups.list": (reading.groups_list, "usergroups:read"),
    "usergroups.users.list": (reading.group_users, "usergroups:read"),
    "files.getUploadURLExternal": (files.upload_url, "files:write"),
    "files.completeUploadExternal": (files.complete, "files:write"),
    "files.info": (files.info, "files:read"),
    "views.open": (views.open_view, ""),
    "views.push": (views.push, ""),
    "views.update": (views.update, ""),
    "views.publish": (views.publish, ""),
}
CONNECT = "apps.connections.open"  # the one method that wants the app's own token


@dataclass(frozen=True)
class RunningSlack:
    """A local Slack that listens: `url` is the API base to give to the app, ending in `/api/`."""

    url: str
    state: SlackState
    driver: Driver
    stop: Callable[[], Awaitable[None]]


async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    signing_secret: str,
    bot_token: str,
    app_token: str = "",
    events_url: str | None = None,
    state: SlackState | None = None,
) -> RunningSlack:
    """Start a local Slack; *events_url* (the app's `/slack/events`) may be set later on the driver.

    With an *app_token* the app has Socket Mode, and nothing is sent to *events_url*.

    Raises:
        ValueError: *host* is not a loopback address: whoever reaches this server is somebody.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the local Slack listens on loopback only, not on {host}")
    workspace = state or SlackState()
    workspace.sockets.enabled = bool(app_token)
    application = _application(workspace, _Tokens(bot_token, app_token))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    listening = runner.addresses[0][1]
    workspace.url = f"http://{host}:{listening}/"
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3))

    async def stop() -> None:
        workspace.faults.clear()
        await workspace.sockets.stop()
        await session.close()
        await runner.cleanup()

    driver = Driver(workspace, session, signing_secret=signing_secret, events_url=events_url)
    return RunningSlack(f"{workspace.url}api/", workspace, driver, stop)


@dataclass(frozen=True)
class _Tokens:
    bot: str
    app: str

    def check(self, method: str, bearer: str) -> None:
        """Raise Slack's refusal unless *bearer* is the token that *method* wants."""
        if not bearer:
            raise SlackError("not_authed")
        wanted, other = (self.app, self.bot) if method == CONNECT else (self.bot, self.app)
        if other and hmac.compare_digest(bearer.encode(), other.encode()):
            raise SlackError("not_allowed_token_type")
        if not wanted or not hmac.compare_digest(bearer.encode(), wanted.encode()):
            raise SlackError("invalid_auth")


def _application(state: SlackState, tokens: _Tokens) -> web.Application:
    async def api(request: web.Request) -> web.Response:
        return await _under_faults(state, request, request.match_info["method"], call)

    async def call(request: web.Request) -> web.Response:
        return await _call(state, request, tokens)

    async def upload(request: web.Request) -> web.Response:
        return await _under_faults(state, request, "upload", receive)

    async def receive(request: web.Request) -> web.Response:
        return await _receive(state, request)

    async def hook(request: web.Request) -> web.Response:
        return await _under_faults(state, request, "response_url", respond)

    async def respond(request: web.Request) -> web.Response:
        return await _respond(state, request)

    async def link(request: web.Request) -> web.StreamResponse:
        if state.faults.down and request.transport is not None:
            request.transport.abort()
        return await state.sockets.serve(request)

    app = web.Application(client_max_size=20 * 2**20)
    app.router.add_route("GET", "/api/{method}", api)
    app.router.add_route("POST", "/api/{method}", api)
    app.router.add_post("/upload/v1/{token}", upload)
    app.router.add_post("/actions/{team}/{token}", hook)
    app.router.add_get(sockets.PATH, link)
    return app


async def _under_faults(
    state: SlackState,
    request: web.Request,
    method: str,
    handle: Callable[[web.Request], Awaitable[web.Response]],
) -> web.Response:
    """Answer with *handle*, unless a fault was ordered for *method*."""
    fault = state.faults.take(method)
    if fault is None:
        return await handle(request)
    if fault.after:
        await handle(request)
    answer = await _befall(state, request, fault)
    if not fault.after:
        _note(state, method, {}, answer.status, fault.kind.value)
    return answer


async def _befall(state: SlackState, request: web.Request, fault: Fault) -> web.Response:
    if fault.kind is Kind.THROTTLE:
        return _throttled(fault.retry_after_s)
    if fault.kind is Kind.REFUSE:
        return web.json_response({"ok": False, "error": fault.code})
    if fault.kind is Kind.HANG:
        state.faults.hanging += 1
        state.touch()
        await state.faults.hang()
        state.faults.hanging -= 1
    if fault.kind is Kind.DROP and request.transport is not None:
        request.transport.abort()
    return web.Response(status=500, text="upstream error")


async def _call(state: SlackState, request: web.Request, tokens: _Tokens) -> web.Response:
    method = request.match_info["method"]
    given: Json = {}
    try:
        given, bearer = await arguments.read(request)
        if wait := state.rates.wait_s(method, str(given.get("channel", "")), now=state.now()):
            _note(state, method, given, 429, "ratelimited")
            return _throttled(wait)
        tokens.check(method, bearer)
        answer = {"ok": True, **_run(state, method, Arguments(given))}
    except SlackError as error:
        answer = {"ok": False, "error": error.code, **error.more}
    _note(state, method, given, 200, answer.get("error", "ok"))
    scopes = ",".join(sorted(state.scopes))
    return web.json_response(answer, headers={"X-OAuth-Scopes": scopes})


def _run(state: SlackState, method: str, args: Arguments) -> Json:
    if method == CONNECT:
        link = state.url.replace("http://", "ws://", 1) + sockets.PATH.lstrip("/")
        return {"url": f"{link}?ticket={state.sockets.ticket()}&app_id={state.app}"}
    if method not in METHODS:
        raise SlackError("unknown_method", req_method=method)
    run, scope = METHODS[method]
    if scope and scope not in state.scopes:
        provided = ",".join(sorted(state.scopes))
        raise SlackError("missing_scope", needed=scope, provided=provided)
    return run(state, args)


async def _receive(state: SlackState, request: web.Request) -> web.Response:
    content = await _upload_bytes(request)
    try:
        file = files.receive(state, request.match_info["token"], content)
    except SlackError as error:
        return web.Response(status=400, text=error.code)
    if file is None:
        return web.Response(status=404, text="not found")
    _note(state, "upload", {"file": file.id}, 200, "ok")
    return web.Response(text=f"OK - {file.length}")


async def _upload_bytes(request: web.Request) -> bytes:
    """The file: the body itself, or the one part of a multipart form."""
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    for value in (await request.post()).values():
        if isinstance(value, web.FileField):
            return value.file.read()
        return value.encode() if isinstance(value, str) else bytes(value)
    return b""


async def _respond(state: SlackState, request: web.Request) -> web.Response:
    status, outcome, said = 200, "ok", None
    try:
        said = json.loads(await request.read())
        hooks.respond(state, request.match_info["token"], said)
    except SlackError as error:
        status, outcome = (404 if error.code.endswith("_url") else 400), error.code
    except (ValueError, RecursionError):
        status, outcome = 400, "invalid_payload"
    _note(state, "response_url", {"said": said}, status, outcome)
    return web.Response(status=status, text=outcome)


def _throttled(seconds: int) -> web.Response:
    headers = {"Retry-After": str(seconds)}
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)


def _note(state: SlackState, method: str, given: Json, status: int, outcome: str) -> None:
    state.calls.append(Call(method, given, status, outcome, state.now()))
    state.touch()
