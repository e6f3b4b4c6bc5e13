"""Asks an Alertmanager for the alerts that fire now.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml describes the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from functools import partial

import aiohttp
from yarl import URL

from bot.adapters.alertmanager import wire
from bot.domain.naming import LabelMap
from bot.errors import AnswerUnreadable, BadInput, TooLarge, UpstreamDown, UpstreamRefused
from bot.unreachable import why
from store.records import AppEnv, Delivery, Truncated

SYSTEM = "Alertmanager"
_PATH = "/api/v2/alerts"
_TIMEOUT_S = 20.0


class Alertmanager:
    """One server; its answers are read as the webhook's alerts are."""

    def __init__(
        self,
        url: str,
        *,
        labels: LabelMap,
        known: Container[AppEnv],
        traces: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        """Ask at *url*; nothing is asked yet.

        Args:
            url: Its address, without `/api/v2`.
            labels: Which labels name app and environment.
            known: The configured apps.
            traces: What measures each request.
        """
        self._url = URL(f"{url.rstrip('/')}{_PATH}")
        self._traces = list(traces)
        self._http: aiohttp.ClientSession | None = None
        self._parse = partial(wire.listed, labels=labels, known=known)

    async def whole(self, group: Truncated) -> Delivery:
        """See `ports.alerting.Alerting.whole`."""
        body = await self._ask(wire.question(group))
        try:
            return await asyncio.to_thread(self._parse, body, group)
        except (BadInput, TooLarge) as error:
            raise AnswerUnreadable(SYSTEM, str(error)) from error

    async def close(self) -> None:
        """Close the connections that were opened here."""
        if self._http is not None:
            await self._http.close()

    async def _ask(self, query: list[tuple[str, str]]) -> bytes:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
            self._http = aiohttp.ClientSession(timeout=timeout, trace_configs=self._traces)
        asked = self._http.get(self._url.with_query(query), allow_redirects=False)
        try:
            async with asked as response:
                status = response.status
                body = await _at_most(response.content, wire.MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamDown(SYSTEM, why(error)) from error
        if status >= 500:
            raise UpstreamDown(SYSTEM, f"HTTP {status}")
        if status != 200:
            raise UpstreamRefused(SYSTEM, f"HTTP {status}", "refused")
        return body


async def _at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    """What comes, or one byte more than *limit* of it: that is refused when it is read."""
    parts, size = [], 0
    async for part in content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)
