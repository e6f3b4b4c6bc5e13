"""Calls to one Alertmanager, by its API v2: what fires, alerts of our own, and silences.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from datetime import datetime

import aiohttp

from bot import pulse
from bot.adapters.alertmanager import api, wire
from bot.domain.announced import Announced
from bot.domain.matchers import Matcher
from bot.domain.naming import LabelMap
from bot.domain.silencing import Held
from bot.errors import (
    AnswerUnreadable,
    BadInput,
    TokenRefused,
    TooLarge,
    UpstreamDown,
    UpstreamRefused,
)
from bot.unreachable import why
from store.records import AppEnv, Delivery, Firing, Truncated

SYSTEM = api.SYSTEM
MAX_ANSWER = wire.MAX_BYTES
_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
_LATER = frozenset({408, 425, 429})
_GONE = 404


class Alertmanager:
    """One server; nothing is asked of it before it is needed."""

    def __init__(
        self,
        url: str,
        *,
        labels: LabelMap,
        known: Container[AppEnv],
        token: str = "",
        traces: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        """Speak with the server at *url*.

        Args:
            url: Its address, without `/api/v2`.
            labels: Which labels name app and environment.
            known: The apps that are watched.
            token: The bearer token that opens it; "" where none is needed.
            traces: What measures each request.
        """
        self._url = url.rstrip("/")
        self._labels = labels
        self._known = known
        self._headers = {"Accept": "application/json", "User-Agent": "keyturn"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._traces = list(traces)
        self._http: aiohttp.ClientSession | None = None

    async def announce(self, alert: Announced) -> None:
        await self._ask("POST", "alerts", said=[api.alert(alert)])

    async def silences(self) -> list[Held]:
        return api.held(await self._ask("GET", "silences"))

    async def silence(
        self, matchers: Sequence[Matcher], *, since: datetime, until: datetime, comment: str
    ) -> str:
        said = api.silence(matchers, since=since, until=until, comment=comment)
        return api.silence_id(await self._ask("POST", "silences", said=said))

    async def unsilence(self, silence_id: str) -> None:
        """Answer alike for one that is over: it says 500 to an id that it does not know."""
        held = await self.silences()
        if any(one.id == silence_id for one in held):
            await self._ask("DELETE", f"silence/{silence_id}")

    async def firing(self, matchers: Sequence[Matcher]) -> list[Firing]:
        asked = [("filter", matcher.spelled()) for matcher in matchers]
        body = await self._ask("GET", "alerts", asked=asked)
        return api.firing(body, labels=self._labels, known=self._known)

    async def whole(self, group: Truncated) -> Delivery:
        body = await self._ask("GET", "alerts", asked=wire.question(group))
        try:
            return await asyncio.to_thread(
                wire.listed, body, group, labels=self._labels, known=self._known
            )
        except (BadInput, TooLarge) as error:
            raise AnswerUnreadable(SYSTEM, str(error)) from error

    async def up_since(self) -> datetime:
        return api.up_since(await self._ask("GET", "status"))

    async def close(self) -> None:
        """Close the connections that were opened here."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        said: object = None,
        asked: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        try:
            async with self._session().request(
                method,
                f"{self._url}/api/v2/{path}",
                json=said,
                params=list(asked),
                allow_redirects=False,
            ) as response:
                status, body = response.status, await response.content.read(MAX_ANSWER + 1)
                while len(body) <= MAX_ANSWER and (more := await response.content.read(2**16)):
                    body += more
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamDown(SYSTEM, why(error)) from error
        finally:
            pulse.alive()
        return _understood(status, body)

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                timeout=_TIMEOUT,
                trace_configs=self._traces,
            )
        return self._http


def _understood(status: int, body: bytes) -> bytes:
    if len(body) > MAX_ANSWER:
        raise AnswerUnreadable(SYSTEM, f"an answer of more than {MAX_ANSWER} bytes")
    if status == 200:
        return body
    told = f"HTTP {status}: {api.refusal(body)}"
    if status in {401, 403}:
        raise TokenRefused(SYSTEM, told)
    if status >= 500 or status in _LATER or status == _GONE:
        raise UpstreamDown(SYSTEM, told)  # a proxy says 404 while what is behind it is away
    raise UpstreamRefused(SYSTEM, told, str(status))
