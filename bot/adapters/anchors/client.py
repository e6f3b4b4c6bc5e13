"""Posts anchors to one address and believes nothing but its 2xx."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from bot.adapters.anchors.wire import body, headers
from bot.errors import UpstreamDown
from bot.ports.world import Clock
from bot.unreachable import why
from store.records import AuditAnchor

SYSTEM = "anchor_url"
_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)


class AnchorHook:
    """The address that keeps our anchors. Another one is not gone to, whatever it answers."""

    def __init__(
        self,
        url: str,
        *,
        keys: Sequence[bytes],
        clock: Clock,
        traces: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        """Post to *url*; nothing is opened before there is an anchor.

        Args:
            url: The address.
            keys: What each anchor is signed with, by each.
            clock: The time for the signatures.
            traces: What measures each request.
        """
        self.url = url
        self._keys = keys
        self._clock = clock
        self._traces = list(traces)
        self._http: aiohttp.ClientSession | None = None

    async def publish(self, anchor: AuditAnchor) -> None:
        """Post *anchor*.

        Raises:
            UpstreamDown: It was not taken; whatever the answer, it has to be posted again.
        """
        content = body(anchor)
        told = headers(anchor, content, at=self._clock(), keys=self._keys)
        try:
            async with self._session().post(
                self.url, data=content, headers=told, allow_redirects=False, timeout=_TIMEOUT
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UpstreamDown(SYSTEM, why(error)) from error
        if not 200 <= status < 300:
            raise UpstreamDown(SYSTEM, f"answered {status}")

    async def close(self) -> None:
        """Close the connections that were opened here."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), trace_configs=self._traces
            )
        return self._http
