"""The requests that we send to other systems, as parts of the work that sends them."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Final

from aiohttp import ClientSession, TraceConfig
from yarl import URL

from bot import spans

# Their paths are of an API that everybody may read about. Another system's address may let in
# whoever knows it (hooks, and Slack's for files and answers): of those no path is told.
_TOLD: Final = ("prometheus", "alertmanager")
_DIFY: Final = "dify."
_METHOD: Final = re.compile(r"[A-Za-z]+(\.[A-Za-z]+)+")  # of Slack's: `chat.postMessage`


def trace(system: str, *, at: str = "") -> TraceConfig:
    """What records each request of a client session to *system* that is a part of something.

    A Dify is told whose work it is, by `traceparent`: it may be traced itself. *at* is where
    Slack's methods are.
    """
    told = system.startswith(_DIFY)
    methods = URL(at)

    async def begin(_: ClientSession, call: SimpleNamespace, asked: object) -> None:
        url: URL = asked.url  # type: ignore[attr-defined]
        method: str = asked.method  # type: ignore[attr-defined]
        call.span = spans.begin_call(f"{system} {method}")
        if call.span is None:
            return
        call.span.add(**{"http.request.method": method, "url.path": _path(system, url, methods)})
        if told:
            asked.headers.update(call.span.headers())  # type: ignore[attr-defined]

    async def answered(_: ClientSession, call: SimpleNamespace, said: object) -> None:
        if call.span is None:
            return
        status: int = said.response.status  # type: ignore[attr-defined]
        call.span.add(**{"http.response.status_code": status})
        if status >= 400:
            call.span.fail(str(status))
        call.span.end()

    async def failed(_: ClientSession, call: SimpleNamespace, said: object) -> None:
        if call.span is not None:
            call.span.fail(type(said.exception).__name__)  # type: ignore[attr-defined]
            call.span.end()

    config = TraceConfig()
    config.on_request_start.append(begin)
    config.on_request_end.append(answered)
    config.on_request_exception.append(failed)
    return config


def _path(system: str, url: URL, methods: URL) -> str:
    """What of an address may be told: never its query, of Slack's only a method."""
    if system in _TOLD or system.startswith(_DIFY):
        return url.path
    if system == "slack" and methods.absolute and url.origin() == methods.origin():
        root = f"{methods.path.rstrip('/')}/"
        if url.path.startswith(root) and _METHOD.fullmatch(url.path.removeprefix(root)):
            return url.path
    return "(not told)"
