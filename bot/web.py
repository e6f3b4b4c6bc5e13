"""HTTP doors: errors to statuses, headers, /healthz and /readyz; mounts what others bring."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.typedefs import Handler, Middleware

from bot.errors import BadInput, BotError, Congested, TooLarge, Unauthorised
from store.records import StoreError, Unavailable

MAX_BODY_BYTES = 16 * 1024 * 1024  # a storm of alerts; other doors take less
BACKLOG = 1024  # Alertmanager's bursts lose connections on a short one
DRAIN_S = 15.0
READY_WITHIN_S = 5.0  # a database that hangs is as good as lost
_log = logging.getLogger(__name__)

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Readiness:
    """What of the service works not; names only, since /readyz is open to everybody.

    `down` (database, schema, a dead worker) takes the service out of the router; `degraded`
    (Slack, Dify, Alertmanager, Prometheus) does not, or alerts would be lost with it.
    """

    down: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()


Ready = Callable[[], Awaitable[Readiness]]


def build(
    *,
    routes: Iterable[web.AbstractRouteDef],
    ready: Ready,
    around: Iterable[Middleware] = (),
) -> web.Application:
    """Build the application that answers *routes*, /healthz and /readyz.

    Headers that a route sets itself are left alone; the others get the strict ones. What is
    *around* it sees every request, and its answer with the final status.
    """
    application = web.Application(
        middlewares=[*around, answer_errors], client_max_size=MAX_BODY_BYTES
    )
    application.on_response_prepare.append(_add_headers)
    application.add_routes([web.get("/healthz", _healthz), web.get("/readyz", _readyz_of(ready))])
    application.add_routes(routes)
    return application


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Map our errors to a status: 4xx tells the caller not to resend, 503 to try again.

    What nobody foresaw becomes a 500, logged by its class and the lines it came through: its
    text may hold parts of the request.
    """
    try:
        return await handler(request)
    except (BotError, StoreError) as error:
        return _refusal(error, request.path)
    except web.HTTPException:
        raise
    except web.RequestPayloadError:  # cut off, or not encoded as its header says
        return web.Response(status=400, text="Not understood: the body cannot be read.\n")
    except Exception as error:  # noqa: BLE001 - the edge of HTTP: nothing may pass
        _log.error(
            "request failed",
            extra={
                "error": type(error).__name__,
                "path": request.path,
                "came_through": _lines(error),
            },
        )
        return web.Response(status=500, text="Something went wrong on our side.\n")


def _refusal(error: BotError | StoreError, path: str) -> web.Response:
    """The answer to an error of ours; all 401 are alike, whatever was wrong."""
    if isinstance(error, Unauthorised):
        headers = {"WWW-Authenticate": "Bearer"}
        return web.Response(status=401, text="Unauthorised.\n", headers=headers)
    if isinstance(error, TooLarge):
        return web.Response(status=413, text=f"Too large: {error}.\n")
    if isinstance(error, Unavailable) or (isinstance(error, BotError) and error.retryable):
        why = "too much waits already" if isinstance(error, Congested) else "not stored"
        _log.warning("answered 503", extra={"error": type(error).__name__, "why": why})
        return web.Response(status=503, text=f"{why.capitalize()}; please send it again.\n")
    if isinstance(error, BadInput):  # its text names places, and nothing that stands there
        _log.warning("answered 400", extra={"path": path, "why": str(error)})
        return web.Response(status=400, text=f"Not understood: {error}.\n")
    if isinstance(error, BotError):
        return web.Response(status=400, text="Refused.\n")
    _log.error(
        "the store refused", extra={"error": type(error).__name__, "came_through": _lines(error)}
    )
    return web.Response(status=503, text="Not stored; please send it again.\n")


def _lines(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "keyturn"  # instead of the versions that aiohttp tells everybody
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


async def _healthz(_: web.Request) -> web.Response:
    """The process runs and its loop turns; depends on nothing else."""
    return web.json_response({"status": "ok"})


def _readyz_of(ready: Ready) -> Handler:
    async def readyz(_: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                found = await ready()
        except (Unavailable, TimeoutError):
            found = Readiness(down=("database",))
        word = "down" if found.down else "degraded" if found.degraded else "ready"
        body = {"status": word, "down": list(found.down), "degraded": list(found.degraded)}
        return web.json_response(body, status=503 if found.down else 200)

    return readyz


# Asked all the time, or told once for many by whoever stored them.
_QUIET = {("/healthz", 200), ("/readyz", 200), ("/webhooks/alertmanager", 202)}


class _AccessLog(AbstractAccessLogger):
    """One line per request: method, path, status, time. Queries carry signatures: never logged."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        quiet = (request.path, response.status) in _QUIET
        level = logging.DEBUG if quiet else logging.INFO
        if self.logger.isEnabledFor(level):
            facts = {
                "method": request.method,
                "path": request.path,
                "status": response.status,
                "ms": round(time * 1000, 1),
            }
            self.logger.log(level, "request", extra=facts)


@dataclass(frozen=True)
class Running:
    """An open door; `port` is the real one, also when 0 was asked for."""

    host: str
    port: int
    _runner: web.AppRunner

    async def close(self) -> None:
        """Take no more connections, let the requests at hand finish (at most `DRAIN_S`)."""
        started = time.monotonic()
        await self._runner.cleanup()
        _log.info("door closed", extra={"seconds": round(time.monotonic() - started, 2)})


async def serve(application: web.Application, host: str, port: int) -> Running:
    """Open the door of *application*.

    Raises:
        OSError: The address is taken or is not ours.
    """
    runner = web.AppRunner(
        application,
        access_log_class=_AccessLog,
        access_log=logging.getLogger("bot.access"),
        shutdown_timeout=DRAIN_S,
        keepalive_timeout=75.0,
        lingering_time=1.0,  # for the rest of a body that was refused unread
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=BACKLOG)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    bound_port: int = runner.addresses[0][1]
    return Running(host=host, port=bound_port, _runner=runner)
