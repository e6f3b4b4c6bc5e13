"""The demo's page: one address on loopback that shows the channel and lets people act.

It follows the local Slack and Dify by server-sent events; what the reader presses goes through
Slack's driver to the real service, signed like everything that Slack sends.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from bot.playground.page import drawing
from bot.playground.page.acting import Acting
from bot.playground.page.fragments import Fragments
from bot.playground.page.story import CAST, Playing, Theatre

__all__ = ["RunningPage", "serve_page"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PACE_MS = 900  # between two things that the page does for the reader: to be seen
LOOK_S = 0.4  # Dify's side has no events of its own: how often it is looked at
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}


@dataclass(frozen=True)
class RunningPage:
    """The page that is served at `url`."""

    url: str
    stop: Callable[[], Awaitable[None]]


async def serve_page(
    theatre: Theatre,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    pace_ms: int = PACE_MS,
) -> RunningPage:
    """Serve the demo's page about what is on in *theatre*; port 0 takes any free one.

    Raises:
        ValueError: *host* is not a loopback address.
        OSError: The port is taken.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the playground listens on loopback only, not on {host}")
    page = _Page(theatre, pace_ms)
    runner = web.AppRunner(page.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    bound = runner.addresses[0][1]

    async def stop() -> None:
        page.stopping = True
        theatre.scene.slack.state.touch()
        await runner.cleanup()

    return RunningPage(f"http://{host}:{bound}/", stop)


class _Page:
    def __init__(self, theatre: Theatre, pace_ms: int) -> None:
        self.stopping = False
        self._playing = Playing(theatre)
        self._fragments = Fragments(self._playing, pace_ms=pace_ms)
        self._acting = Acting(self._playing)

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_guard], client_max_size=256 * 1024)
        app.router.add_get("/", self._whole)
        app.router.add_get("/fragments", self._parts)
        app.router.add_get("/events", self._follow)
        for path, act in self._acting.doors().items():
            app.router.add_post(path, _door(act))
        app.router.add_post("/options", self._options)
        app.router.add_get("/static/{name:page\\.(?:css|js)}", _static)
        return app

    def _reader(self, request: web.Request) -> str:
        asked = request.query.get("as", "")
        known = [person.id for person in CAST]
        return asked if asked in known else known[0]

    async def _whole(self, request: web.Request) -> web.Response:
        page = self._fragments.page(self._reader(request))
        return web.Response(text=page, content_type="text/html")

    async def _parts(self, request: web.Request) -> web.Response:
        return web.json_response(self._fragments.draw(self._reader(request)))

    async def _options(self, request: web.Request) -> web.Response:
        return web.json_response({"options": await self._acting.options(await _said(request))})

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        """Send the fragments now, and the changed ones whenever something changes."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with suppress(ConnectionResetError):  # the reader has gone, or looks as somebody else
            await response.prepare(request)
            await self._send_changes(request, response)
        return response

    async def _send_changes(self, request: web.Request, response: web.StreamResponse) -> None:
        reader, sent = self._reader(request), dict[str, str]()
        while not (self.stopping or request.transport is None):
            now = self._fragments.draw(reader)
            changed = {name: html for name, html in now.items() if sent.get(name) != html}
            if changed:
                await response.write(f"data: {json.dumps(changed)}\n\n".encode())
                sent = now
            await self._next_change()

    async def _next_change(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._playing.scene.slack.state.change()
        except TimeoutError:
            return


def _door(act: Callable[[dict[str, object]], Awaitable[str]]) -> Handler:
    """Let *act* have the JSON body; what it returns is said to the reader, "" being all well."""

    async def handle(request: web.Request) -> web.Response:
        text = await act(await _said(request))
        return web.json_response({"ok": not text, "text": text})

    return handle


async def _said(request: web.Request) -> dict[str, object]:
    """The JSON object that the page sent."""
    try:
        said = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest from None
    if not isinstance(said, dict):
        raise web.HTTPBadRequest
    return said


async def _static(request: web.Request) -> web.FileResponse:
    return web.FileResponse(drawing.folder() / request.match_info["name"])


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Serve this machine's reader only: no other site's script, no other name for this address."""
    origin = request.headers.get("Origin", "")
    if request.host.rpartition(":")[0] not in _LOCAL_NAMES:
        raise web.HTTPForbidden(text="The playground answers to 127.0.0.1 only.")
    if request.method == "POST" and (
        origin not in {"", f"http://{request.host}"} or request.content_type != "application/json"
    ):
        raise web.HTTPForbidden(text="The playground acts for its own page only.")
    response = await handler(request)
    if not response.prepared:  # a stream has sent its headers already
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
    return response
