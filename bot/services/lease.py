"""The right to execute one rollback: held by one process, for a short time, on database time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Self

from bot.errors import LeaseLost
from bot.ports.store import Store
from store.records import Unavailable

LEASE = timedelta(seconds=30)


class Lease:
    """Renews itself three times in its length while inside; `check` asks the database afresh.

    At its default length the lease outlives every single call to the target (15 s), so a
    process that has just checked it cannot be overtaken before its call ends, unless it is
    stopped in between: that is why what was published is read back afterwards.
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

    async def __aenter__(self) -> Self:
        self._renewing = asyncio.create_task(self._renew(), name=f"lease-{self._rollback_id}")
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

    async def check(self) -> None:
        """Return if this process still holds the lease; else raise `LeaseLost`."""
        async with self._store.read() as tx:
            held = await tx.rollbacks.holds(self._rollback_id, owner=self._owner, epoch=self._epoch)
        if not held:
            raise LeaseLost(f"rollback {self._rollback_id} is no longer ours to execute")

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._length.total_seconds() / 3)
            try:
                async with self._store.write() as tx:
                    held = await tx.rollbacks.renew(
                        self._rollback_id, owner=self._owner, epoch=self._epoch, lease=self._length
                    )
            except Unavailable:
                continue  # `check` decides; a lost database must not end the renewal
            if not held:
                return
