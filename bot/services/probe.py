"""Which outside systems answer: for people who look at /readyz, never a condition of service."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from bot.errors import BotError

log = logging.getLogger(__name__)


class Probe:
    """Asks each outside system now and then, and remembers who did not answer."""

    def __init__(
        self,
        greetings: Mapping[str, Callable[[], Awaitable[object]]],
        *,
        trouble: Mapping[str, str] | None = None,
    ) -> None:
        """Ask by *greetings*; *trouble* is what an earlier probe found, as far as it is asked."""
        self._greetings = greetings
        self._trouble = {n: why for n, why in (trouble or {}).items() if n in greetings}

    @property
    def trouble(self) -> dict[str, str]:
        """The systems that did not answer when last asked, with the code of why."""
        return dict(self._trouble)

    async def __call__(self) -> None:
        """Ask all of them at once; one that is silent holds up nobody."""
        await asyncio.gather(*(self._ask(name) for name in self._greetings))

    async def _ask(self, name: str) -> None:
        try:
            await self._greetings[name]()
        except BotError as error:
            if self._trouble.get(name) != error.code:
                log.warning("outside system degraded", extra={"system": name, "why": error.code})
            self._trouble[name] = error.code
        else:
            if self._trouble.pop(name, None):
                log.info("outside system is back", extra={"system": name})
