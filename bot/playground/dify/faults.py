"""Ways to be ill, one call at a time, and hooks between a client's calls.

Routes are named as in `server.routes`: login, refresh, app_list, app_detail, draft_get,
draft_sync, publish, published_get, versions, export and so on.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Hook = Callable[[], Awaitable[object] | object]


class Fault(StrEnum):
    """What happens to one call. "After" means that its effect has been applied already."""

    ERROR = "error"
    ERROR_AFTER = "error_after"
    UNAVAILABLE = "unavailable"  # 503 before applying
    DROP = "drop"  # the connection breaks
    DROP_AFTER = "drop_after"
    HANG = "hang"  # no answer until `release`
    HANG_AFTER = "hang_after"
    EXPIRED = "expired"  # 401: the access token is too old
    HTML = "html"  # a proxy's page instead of the answer, before applying
    HTML_AFTER = "html_after"
    TRUNCATED = "truncated"  # applied; half of the JSON comes back
    REDIRECT = "redirect"  # to another host


@dataclass(frozen=True)
class Call:
    """One request as it was answered; of its headers only whose work it is said to be is kept."""

    route: str
    at: datetime
    status: int
    trace: str = ""


@dataclass
class Faults:
    """The queue of faults by route, the hooks, and the log of calls."""

    log: list[Call] = field(default_factory=list)
    _queued: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _before: dict[str, deque[Hook]] = field(default_factory=lambda: defaultdict(deque))
    _every: dict[str, list[Hook]] = field(default_factory=lambda: defaultdict(list))
    _arrived: dict[str, asyncio.Event] = field(default_factory=dict)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, route: str, *faults: Fault) -> None:
        """The next calls of *route* meet these faults, one each."""
        self._queued[route].extend(faults)

    def before(self, route: str, hook: Hook, *, always: bool = False) -> None:
        """Run *hook* before the next call of *route* is judged; before every one if *always*."""
        if always:
            self._every[route].append(hook)
        else:
            self._before[route].append(hook)

    def clear(self) -> None:
        """Be well again; the log stays."""
        self._queued.clear()
        self._before.clear()
        self._every.clear()
        self.release()

    def release(self) -> None:
        """Let every hanging call go on."""
        self._released.set()
        self._released = asyncio.Event()

    def count(self, route: str) -> int:
        """How many calls of *route* were answered."""
        return sum(call.route == route for call in self.log)

    async def hanging(self, route: str) -> None:
        """Return as soon as a call of *route* hangs."""
        await self._arrived.setdefault(route, asyncio.Event()).wait()

    # -- for the server -----------------------------------------------------------------------

    async def run_hooks(self, route: str) -> None:
        hooks = [*self._every[route]]
        if self._before[route]:
            hooks.append(self._before[route].popleft())
        for hook in hooks:
            result = hook()
            if inspect.isawaitable(result):
                await result

    def take(self, route: str) -> Fault | None:
        queue = self._queued[route]
        return queue.popleft() if queue else None

    async def hang(self, route: str) -> None:
        released = self._released
        self._arrived.setdefault(route, asyncio.Event()).set()
        await released.wait()
