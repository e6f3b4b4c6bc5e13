"""A sink that takes events by HTTP, one request each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import aiohttp

from bot.adapters.eventhook import wire
from bot.domain import cloudevent
from bot.errors import UpstreamDown
from bot.unreachable import why
from store.records import Announcement

_MOST = 64 * 1024  # of an answer that nobody reads


class Webhook:
    """Posts CloudEvents in the structured mode; redirects are not followed."""

    at_once = 1

    def __init__(
        self,
        name: str,
        *,
        url: str,
        key: bytes,
        base: str,
        timeout: timedelta,
        clock: Callable[[], datetime],
        traces: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        """Take what posting needs; nothing is opened yet.

        Args:
            name: Of the sink, for people.
            url: Where to.
            key: To sign with; empty for no signature.
            base: Our own public address, for the source of events.
            timeout: How long one request may take.
            clock: The time, for the signature.
            traces: What measures the requests.
        """
        self._name = name
        self._url = url
        self._key = key
        self._base = base
        seconds = timeout.total_seconds()
        self._timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, 5.0))
        self._clock = clock
        self._traces = list(traces)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, events: Sequence[Announcement]) -> None:
        for announcement in events:
            event = cloudevent.event(announcement, self._base)
            body = wire.body_of(event)
            told = wire.headers(body, event_id=announcement.id, key=self._key, at=self._clock())
            status, retry_after = await self._ask("POST", data=body, headers=told)
            wire.judge(self._name, status, retry_after, now=self._clock())

    async def greet(self) -> None:
        """Ask by HEAD; whatever is answered, somebody is there."""
        status, _ = await self._ask("HEAD", data=None, headers={})
        if status >= 500 and status not in (501, 505):  # not every server knows HEAD
            raise UpstreamDown(self._name, f"HTTP {status}")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(
        self, method: str, *, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trace_configs=self._traces)
        try:
            async with self._session.request(
                method, self._url, data=data, headers=headers, allow_redirects=False
            ) as response:
                await response.content.read(_MOST)
                return response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamDown(self._name, why(error)) from error
