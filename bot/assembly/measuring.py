"""What of this process is measured, and where that is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version

from aiohttp import TraceConfig, web

from bot.adapters.metrics.meter import Meter
from bot.adapters.metrics.routes import PATH, page_of, public
from bot.adapters.traces import calls
from bot.assembly.process import Role
from bot.config.settings import Settings
from bot.services.figures import Figures
from bot.web import Readiness
from store.session import SqlStore


class Measuring:
    """One process's counters, and the page of them with what the database knows."""

    def __init__(
        self, store: SqlStore, role: Role, ready: Callable[[], Awaitable[Readiness]]
    ) -> None:
        self.meter = Meter(version=version("keyturn"), role=role.value)
        self._ready = ready
        self._page = page_of(self.meter.registry, self._trouble, Figures(store))

    def traces(self, system: str, *, at: str = "") -> list[TraceConfig]:
        """What counts and records the requests of a client session to *system*.

        *at* is where its methods are, if not every path below its address may be told.
        """
        return [self.meter.trace(system), calls.trace(system, at=at)]

    def public(self, settings: Settings) -> list[web.RouteDef]:
        """The route at the door that everybody reaches, behind the token of *settings*."""
        return public(
            self._page, tokens=[token.get_secret_value() for token in settings.metrics_tokens]
        )

    def inside(self) -> list[web.RouteDef]:
        """The route at a door that only operators reach."""
        return [web.get(PATH, self._page)]

    async def _trouble(self) -> list[tuple[str, str]]:
        found = await self._ready()
        return [
            *(("down", name) for name in found.down),
            *(("degraded", name) for name in found.degraded),
        ]
