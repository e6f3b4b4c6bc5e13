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
        self, url: str, *, keys: Sequence[bytes], session: aiohttp.ClientSession, clock: Clock
    ) -> None:
        self.url = url
        self._keys = keys
        self._session = session
        self._clock = clock

    async def publish(self, anchor: AuditAnchor) -> None:
        """Post *anchor*.

        Raises:
            UpstreamDown: It was not taken; whatever the answer, it has to be posted again.
        """
        content = body(anchor)
        told = headers(anchor, content, at=self._clock(), keys=self._keys)
        try:
            async with self._session.post(
                self.url, data=content, headers=told, allow_redirects=False, timeout=_TIMEOUT
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UpstreamDown(SYSTEM, why(error)) from error
        if not 200 <= status < 300:
            raise UpstreamDown(SYSTEM, f"answered {status}")
