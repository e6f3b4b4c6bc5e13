"""Store what a webhook brought, before anything else is done with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bot import spans
from bot.ports.store import Store
from store.records import Delivery, Unavailable

log = logging.getLogger(__name__)
LINE_EVERY_S = 1.0
_NAMED = 8  # deliveries of a line


class Intake:
    """The webhook's part: when it returns, the deliveries are durable, or none of them is."""

    def __init__(self, store: Store, *, nudge: Callable[[], None]) -> None:
        self._store = store
        self._nudge = nudge
        self._lines = _Lines()

    async def __call__(self, *deliveries: Delivery) -> None:
        """Write *deliveries* down, all of them or none, to be filed; a repeat changes nothing.

        Raises:
            Unavailable: They could not be stored: the senders have to send them again.
        """
        with _received(deliveries):
            await self._store.keep(deliveries)
        self._nudge()
        self._lines.add(deliveries)


@contextmanager
def _received(deliveries: Sequence[Delivery]) -> Iterator[None]:
    """Record that each of them is stored, all at once."""
    if not spans.recorded():
        yield
        return
    begun = [
        spans.begin(
            "receive",
            of=spans.delivery(one.digest),
            first=True,
            kind="alerts",
            alerts=len(one.firings),
        )
        for one in deliveries
    ]
    recorded = [span for span in begun if span is not None]
    try:
        yield
    except Unavailable as error:
        for span in recorded:
            span.fail(type(error).__name__)
        raise
    finally:
        for span in recorded:
            span.end()


class _Lines:
    """Says in the log what was stored: at once, then once a second for all of that second.

    In a storm a line for each group would take longer than storing it does. A process that ends
    within that second leaves it unsaid; the deliveries are stored.
    """

    def __init__(self) -> None:
        self._deliveries = self._alerts = self._unnamed = 0
        self._digests: list[str] = []
        self._sources: set[str] = set()
        self._just_told = False

    def add(self, deliveries: Sequence[Delivery]) -> None:
        self._deliveries += len(deliveries)
        self._alerts += sum(len(one.firings) for one in deliveries)
        self._unnamed += len([f for one in deliveries for f in one.firings if f.where is None])
        self._sources.update(one.source for one in deliveries)
        room = _NAMED - len(self._digests)
        self._digests += [one.digest[:16] for one in deliveries[:room]]
        if not self._just_told:
            self._tell()

    def _tell(self) -> None:
        facts = {
            "deliveries": self._deliveries,
            "alerts": self._alerts,
            "of_no_watched_app": self._unnamed,
            "digests": self._digests,
            "sources": sorted(self._sources),
        }
        log.info("deliveries stored", extra=facts)
        self._deliveries = self._alerts = self._unnamed = 0
        self._digests, self._sources = [], set()
        self._just_told = True
        asyncio.get_running_loop().call_later(LINE_EVERY_S, self._tell_rest)

    def _tell_rest(self) -> None:
        self._just_told = False
        if self._deliveries:
            self._tell()
