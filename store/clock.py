"""The time that all replicas agree on: the database's."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_SQLITE = text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
_POSTGRESQL = text("SELECT clock_timestamp()")  # now() stands still within a transaction


class DatabaseClock:
    """Database time, aware and in UTC, to the millisecond at least; awaited like a function.

    A transaction asks the database once and goes on from there by how long ago that was here:
    most of what is stored takes the time several times, and each would be a trip of its own.
    """

    def __init__(self, session: AsyncSession, instead: Callable[[], datetime] | None) -> None:
        self._session = session
        self._instead = instead
        self._asked: tuple[datetime, float] | None = None  # what it said, and when that was here

    async def __call__(self) -> datetime:
        """Return the time now."""
        if self._instead is not None:
            return self._instead()
        if self._asked is None:
            self._asked = await self._ask(), time.monotonic()  # so it is never ahead of it
        said, asked = self._asked
        now = said + timedelta(seconds=time.monotonic() - asked)
        if self._on_sqlite:  # as fine as it is told, or the next transaction might seem earlier
            return now.replace(microsecond=now.microsecond // 1000 * 1000)
        return now

    async def _ask(self) -> datetime:
        if self._on_sqlite:
            found = await self._session.scalar(_SQLITE)
            return datetime.strptime(str(found), "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
        now: datetime = (await self._session.execute(_POSTGRESQL)).scalar_one()
        return now.astimezone(UTC)

    @property
    def _on_sqlite(self) -> bool:
        return self._session.get_bind().dialect.name == "sqlite"


def of_sqlite() -> datetime:
    """The time as SQLite would say it, which asks this machine: without a trip to its thread."""
    now = datetime.now(UTC)  # noqa: TID251 - it is the database's clock
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
