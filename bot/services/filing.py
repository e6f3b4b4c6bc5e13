"""File what webhooks brought, many deliveries at a time, while more of them come."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from bot.ports.store import Store
from store.records import NaiveTime, StoreError, Unreadable, Unstorable

# What a delivery itself is the reason of; anything else is the database's, and is tried again.
CONTENT: Final = (Unreadable, Unstorable, NaiveTime)
log = logging.getLogger(__name__)
COMING: Final = timedelta(seconds=0.25)  # a door that was silent for as long waits for nobody
TIMES: Final = 29  # as long as a step took the door has all of the time
LONGEST_S: Final = 2.0
STORM: Final = 100  # deliveries in one step
LATE: Final = timedelta(seconds=30)  # what waits for longer has as much of the time as the door


class Filing:
    """The worker's part: what is acknowledged becomes alerts that can be seen.

    In a storm the door comes first, since a sender that waits sends again; what means a watched
    app is filed before the rest, whatever came before it.
    """

    def __init__(
        self,
        store: Store,
        *,
        nudge: Callable[[], None],
        rest: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        """Take what filing needs.

        Args:
            store: Where deliveries wait and alerts are kept.
            nudge: Called when alerts of watched apps can be seen.
            rest: Waits so many seconds.
            monotonic: Seconds.
        """
        self._store = store
        self._nudge = nudge
        self._rest = rest
        self._monotonic = monotonic

    async def step(self) -> bool:
        """File what is next; False when nothing waits or somebody else files it."""
        began = self._monotonic()
        async with self._store.read() as tx:
            found = await tx.arrivals.waiting()
            now = await tx.now()
        if not found.ids:
            return False
        try:
            if not await self._file(found.ids):
                return False
        finally:
            if found.watched:  # some may be filed though others are not
                self._nudge()
        if found.newest is not None and now - found.newest < COMING:
            late = found.oldest is not None and now - found.oldest > LATE
            await self._rest(_rest_s(len(found.ids), self._monotonic() - began, late=late))
        return True

    async def _file(self, ids: Sequence[int]) -> bool:
        try:
            return await self._store.file(ids)
        except CONTENT as error:  # whose it is shows when each is alone
            if len(ids) > 1:
                return any([await self._file([one]) for one in ids])
            await self._set_aside(ids[0], error)
            return True

    async def _set_aside(self, arrival_id: int, error: StoreError) -> None:
        """Let it hold nobody up; its bytes are kept, and `keyturn webhook aside` tells of it."""
        why = f"{type(error).__name__}: {error}"
        async with self._store.write() as tx:
            aside = await tx.arrivals.set_aside(arrival_id, why)
        if aside:
            log.error("delivery set aside", extra={"arrival": arrival_id, "why": why[:300]})


def _rest_s(filed: int, took_s: float, *, late: bool) -> float:
    """How long the door has all of the time, after a step of *took_s* seconds.

    A few deliveries are no storm: who comes after them does not wait for long.
    """
    times = 1 if late else TIMES * min(1.0, filed / STORM)
    return min(times * took_s, LONGEST_S)
