"""The right to execute one rollback: held by one process, for a short time, on database time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self

from bot.errors import Ambiguous, LeaseLost
from bot.ports.store import Store
from store.records import Unavailable

LEASE = timedelta(seconds=30)


class Lease:
    """Renews itself three times in its length while inside.

    A write to the target is made `for_one_call`: it begins with the whole length ahead of it and
    is cut off where the lease ends, so that nobody who takes over has us writing beside them.
    A process that was stopped after that looks at the clock once more before it writes. One that
    is stopped right then escapes, and so does what is on its way: that is why what was published
    is read back afterwards, and why a publish that comes late is said (`bot.services.late`).
    """

    def __init__(
        self, store: Store, rollback_id: int, *, owner: str, epoch: int, length: timedelta = LEASE
    ) -> None:
        self._store = store
        self._rollback_id = rollback_id
        self._owner = owner
        self._epoch = epoch
        self._length = length
        self._renewing: asyncio.Task[None] | None = None
        self._call: asyncio.Timeout | None = None
        self._until = 0.0

    async def __aenter__(self) -> Self:
        self._renewing = asyncio.create_task(self._keep(), name=f"lease-{self._rollback_id}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._renewing is not None  # noqa: S101  # entered before it is left
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)

    @asynccontextmanager
    async def for_one_call(self) -> AsyncIterator[Callable[[], None]]:
        """Make one write to the target inside, and nothing else.

        What it gives is called right before the write: it raises `LeaseLost` if this process was
        stopped since.

        Raises:
            LeaseLost: It is no longer ours; the inside was not entered.
            Ambiguous: The lease ended first; the write was cut off and may have been applied.
            Unavailable: The database cannot say.
        """
        until = await self._renew()
        if until is None:
            raise LeaseLost(f"rollback {self._rollback_id} is no longer ours to execute")
        try:
            async with asyncio.timeout_at(until) as self._call:
                yield self._must_hold
        except TimeoutError as error:
            if self._call is None or not self._call.expired():
                raise
            raise Ambiguous("target", "a write outlasted the lease and was cut off") from error
        finally:
            self._call = None

    def _must_hold(self) -> None:
        if asyncio.get_running_loop().time() >= self._until:
            raise LeaseLost(f"rollback {self._rollback_id} was held up until its lease was over")

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._length.total_seconds() / 3)
            try:
                until = await self._renew()
            except Unavailable:
                continue  # a lost database must not end the renewal; the next write finds out
            if until is None:
                return
            if self._call is not None and not self._call.expired():
                self._call.reschedule(until)

    async def _renew(self) -> float | None:
        """Renew; return when it ends on the loop's clock at the earliest, or None: not ours."""
        asked = asyncio.get_running_loop().time()
        async with self._store.write() as tx:
            held = await tx.rollbacks.renew(
                self._rollback_id, owner=self._owner, epoch=self._epoch, lease=self._length
            )
        if not held:
            return None
        self._until = asked + self._length.total_seconds()
        return self._until
