"""Deliveries are stored in groups: one commit for all that came while the one before was made.

A commit waits for the disk, or for a database at the other end of a network. With one for each
delivery a storm would wait for them one after the other; in groups it waits for the same few.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bot.errors import Congested
from store.records import Delivery, Unavailable

MOST_WAITING: Final = 4096  # deliveries: seconds of a storm; who comes later is asked to come again
WITHIN_S: Final = 20.0  # sooner than Alertmanager loses patience: that waits a group interval
LINGER_S: Final = 0.001
MOST_BYTES: Final = 64 * 1024 * 1024
_GROUP: Final = 256  # deliveries in one commit
_GROUP_ALERTS: Final = 1000
_GROUP_BYTES: Final = 4 * 1024 * 1024  # SQLite's driver keeps what it stored last
_log = logging.getLogger(__name__)

StoreAll = Callable[..., Awaitable[None]]  # of any number of deliveries


@dataclass(slots=True, eq=False)
class _Waiting:
    """A delivery, and who is to be told that it is stored."""

    delivery: Delivery
    stored: asyncio.Future[None]
    due_at: float  # in seconds of the loop's clock


class Grouped:
    """Stores what is handed to it; each call returns when its own delivery is durable.

    Whoever goes away meanwhile takes along nobody else's: a delivery that waits is dropped then,
    one that is being stored is stored. Nobody waits longer than *within_s* seconds; one clock
    looks after all of them, since a timeout for each would cost more than its storing does.
    """

    def __init__(self, store_all: StoreAll, *, within_s: float = WITHIN_S) -> None:
        self._store_all = store_all
        self._within_s = within_s
        self._waiting: deque[_Waiting] = deque()
        self._storing: Sequence[_Waiting] = ()
        self._bytes = self._alerts = 0
        self._task: asyncio.Task[None] | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._expected = 1  # how many came together lately
        self._enough: asyncio.Event = asyncio.Event()

    async def __call__(self, delivery: Delivery) -> None:
        """Store *delivery*, beside others that come at the same time.

        Raises:
            Congested: Too much waits already.
            Unavailable: It could not be stored, or not in time. Either way the sender has to
                send it again.
        """
        if self._full(delivery):
            raise Congested(f"{len(self._waiting)} deliveries of {self._bytes} bytes wait")
        loop = asyncio.get_running_loop()
        one = _Waiting(delivery, loop.create_future(), loop.time() + self._within_s)
        self._waiting.append(one)
        self._bytes += len(delivery.body)
        self._alerts += len(delivery.firings)
        if self._is_enough():
            self._enough.set()
        if self._task is None:  # of nobody's context: what is bound there is about one delivery
            self._task = loop.create_task(self._store(), context=contextvars.Context())
        if self._clock is None:
            self._clock = loop.call_at(one.due_at, self._give_up)
        await one.stored

    def _give_up(self) -> None:
        """Tell those whose time is over; look again when the next one's is."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        waits = [one for one in (*self._storing, *self._waiting) if not one.stored.done()]
        late = [one for one in waits if one.due_at <= now]
        for one in late:
            _fail(one, Unavailable(f"not stored within {self._within_s:g} s"))
        on_time = waits[len(late) :]  # they came one after the other
        self._clock = loop.call_at(on_time[0].due_at, self._give_up) if on_time else None

    def _full(self, delivery: Delivery) -> bool:
        """Whether there is no room; a single one always has some."""
        many = len(self._waiting) >= MOST_WAITING
        return bool(self._waiting) and (many or self._bytes + len(delivery.body) > MOST_BYTES)

    async def _store(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                self._storing = self._next()
                if not self._storing:  # nobody waited any more
                    continue
                await self._commit(self._storing)
                # who is answered now may come again, beside those who came meanwhile
                self._expected = min(len(self._storing) + len(self._waiting), _GROUP)
        finally:
            self._task, self._storing = None, ()
            while self._waiting:  # only when we were cancelled
                _fail(self._taken(), Unavailable("cut off before it was stored"))

    async def _gather(self) -> None:
        """Wait for as many as came together before, though not for long.

        They are answered together, so those who send one after the other come together again;
        without this each half of them would find the other half's commit under way.
        """
        await asyncio.sleep(0)  # who comes in the same turn comes along
        if self._is_enough():
            return
        self._enough.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._enough.wait()

    def _is_enough(self) -> bool:
        full = self._alerts >= _GROUP_ALERTS or self._bytes >= _GROUP_BYTES
        return full or len(self._waiting) >= self._expected

    def _next(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        alerts = size = 0
        while self._waiting and len(group) < _GROUP:
            alerts += len(self._waiting[0].delivery.firings)
            size += len(self._waiting[0].delivery.body)
            if group and (alerts > _GROUP_ALERTS or size > _GROUP_BYTES):
                break
            one = self._taken()
            if not one.stored.done():  # nobody waits for it any more
                group.append(one)
        return group

    def _taken(self) -> _Waiting:
        one = self._waiting.popleft()
        self._bytes -= len(one.delivery.body)
        self._alerts -= len(one.delivery.firings)
        return one

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            await self._store_all(*(one.delivery for one in group))
        except Unavailable as error:
            for one in group:
                _fail(one, Unavailable(str(error)))
        except asyncio.CancelledError:
            for one in group:
                _fail(one, Unavailable("cut off while it was stored"))
            raise
        except Exception as error:  # noqa: BLE001 - whose fault it is shows when each is alone
            await self._alone(group, error)
        else:
            for one in group:
                if not one.stored.done():
                    one.stored.set_result(None)

    async def _alone(self, group: Sequence[_Waiting], error: Exception) -> None:
        """Let the one that cannot be stored fail alone."""
        if len(group) == 1:
            _fail(group[0], error)
            return
        _log.warning(
            "a group was not stored: one by one",
            extra={"deliveries": len(group), "error": type(error).__name__},
        )
        try:
            for one in group:
                await self._commit([one])
        finally:
            for one in group:  # only when we were cancelled
                _fail(one, Unavailable("cut off before it was stored"))


def _fail(one: _Waiting, error: Exception) -> None:
    if not one.stored.done():
        one.stored.set_exception(error)
