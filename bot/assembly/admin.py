"""A second door, which only operators reach."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aiohttp import web

from bot.web import Running
from bot.web import serve as open_door

log = logging.getLogger(__name__)


@dataclass
class Admin:
    """A second door, for operators; `port` is the real one once it is open."""

    application: web.Application
    port: int
    _running: Running | None = None

    async def open(self, host: str) -> None:
        """Open it at *host*.

        Raises:
            OSError: The address is taken or is not ours.
        """
        self._running = await open_door(self.application, host, self.port)
        self.port = self._running.port
        log.info("admin door open", extra={"host": host, "port": self.port})

    async def close(self) -> None:
        """Take no more connections."""
        if self._running is not None:
            await self._running.close()
