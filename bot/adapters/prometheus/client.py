"""Questions to one Prometheus, a few at a time, each with its time and size.

Neither bodies nor headers get into a log or an error, but for Prometheus's own words of refusal.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TypeVar

import aiohttp

from bot import pulse
from bot.adapters.prometheus import wire
from bot.adapters.prometheus.questions import TIMEOUT
from bot.adapters.prometheus.wire import SYSTEM, Rule, Track, Window
from bot.errors import AnswerUnreadable, TokenRefused, UpstreamDown, UpstreamRefused
from bot.unreachable import why

MAX_ANSWER = 8 * 2**20
OFF_LOOP_BYTES = 128 * 1024  # parsing more would hold up acknowledgements and leases
AT_ONCE = 6  # it runs twenty queries at once for everybody (--query.max-concurrency)
_CONNECT_S = 5.0
NOT_TAKEN = frozenset({401, 403})
_LATER = frozenset({408, 425, 429})

T = TypeVar("T")


def bearer(token: str) -> str:
    """The header `Authorization` for a token."""
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    """The header `Authorization` for a user (RFC 7617, in UTF-8)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def headers(authorization: str) -> dict[str, str]:
    """What is sent with each question."""
    known = {"Accept": "application/json", "User-Agent": "keyturn"}
    return {**known, "Authorization": authorization} if authorization else known


class Prometheus:
    """One server, asked by `POST` with a form, since a query may be longer than an address."""

    def __init__(
        self,
        url: str,
        *,
        authorization: str = "",
        timeout: timedelta = TIMEOUT,
        at_once: int = AT_ONCE,
        traces: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        """Ask at *url*; nothing is asked yet.

        Args:
            url: Its address, without `/api/v1`.
            authorization: The value of that header; "" sends none.
            timeout: For one question and its answer, once its turn has come.
            at_once: How many questions are under way at the same time.
            traces: What measures each request.
        """
        self._url = url.rstrip("/")
        self._headers = headers(authorization)
        self._timeout = timeout
        self._turn = asyncio.Semaphore(at_once)
        self._at_once = at_once
        self._traces = traces
        self._http: aiohttp.ClientSession | None = None

    async def range(self, query: str, window: Window) -> list[Track]:
        """The series of *query* over *window*.

        Raises:
            UpstreamDown: No answer in time, or one that it cannot answer now.
            TokenRefused: Our token, or user and password, are not taken.
            UpstreamRefused: It does not take the query; `upstream_code` is its `errorType`.
            AnswerUnreadable: What came back is of another form, or too large.
        """
        form = {
            "query": query,
            "start": _seconds(window.began.timestamp()),
            "end": _seconds(window.ends.timestamp()),
            "step": _seconds(window.step.total_seconds()),
            "timeout": _seconds(self._timeout.total_seconds()) + "s",
        }
        return await self._ask("POST", "query_range", form, partial(wire.matrix, window=window))

    async def rules(self, name: str) -> list[Rule]:
        """The alerting rules called *name*, and from a server that does not filter all others too.

        The filter is https://github.com/prometheus/prometheus/pull/12270; 2.42 ignores it.

        Raises:
            As `range`.
        """
        only = {"type": "alert", "rule_name[]": name}
        return await self._ask("GET", "rules", only, wire.rules)

    async def close(self) -> None:
        """Close the connections that were opened here."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _ask(
        self, method: str, path: str, said: Mapping[str, str], read: Callable[[bytes], T]
    ) -> T:
        async with self._turn:
            status, body = await self._exchange(method, path, said)
        if len(body) > OFF_LOOP_BYTES:
            return await asyncio.to_thread(_read, status, body, read)
        return _read(status, body, read)

    async def _exchange(self, method: str, path: str, said: Mapping[str, str]) -> tuple[int, bytes]:
        url = f"{self._url}/api/v1/{path}"
        asks = method == "GET"
        try:
            async with self._session().request(
                method,
                url,
                params=said if asks else None,
                data=None if asks else said,
                allow_redirects=False,
            ) as response:
                return response.status, await _body(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamDown(SYSTEM, why(error)) from error
        finally:
            pulse.alive()

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            total = self._timeout.total_seconds()
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._at_once),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=total, sock_connect=min(total, _CONNECT_S)),
                trace_configs=list(self._traces),
            )
        return self._http


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(2**16):
        size += len(chunk)
        if size > MAX_ANSWER:
            raise AnswerUnreadable(SYSTEM, f"an answer of more than {MAX_ANSWER} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _read(status: int, body: bytes, read: Callable[[bytes], T]) -> T:
    """The answer, understood by *read*; it may be an error with a status of success."""
    if status == 200 and not wire.failed(body):
        return read(body)
    kind, said = wire.refusal(body)
    told = f"HTTP {status}" + (f" {kind}: {said}" if kind or said else "")
    if status in NOT_TAKEN:
        raise TokenRefused(SYSTEM, told)
    if 300 <= status < 400:
        raise UpstreamRefused(SYSTEM, f"HTTP {status}: redirects are not followed", "redirected")
    if status >= 500 or status in _LATER:
        raise UpstreamDown(SYSTEM, told)
    raise UpstreamRefused(SYSTEM, told, kind)
