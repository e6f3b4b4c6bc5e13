"""The time that all replicas agree on: the database's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_SQLITE = text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
_POSTGRESQL = text("SELECT clock_timestamp()")  # now() stands still within a transaction


class DatabaseClock:
    """Database time, aware and in UTC, to the millisecond at least; awaited like a function."""

    def __init__(self, session: AsyncSession, instead: Callable[[], datetime] | None) -> None:
        self._session = session
        self._instead = instead

    async def __call__(self) -> datetime:
        """Return the time now."""
        if self._instead is not None:
            return self._instead()
        if self._session.get_bind().dialect.name == "sqlite":
            found = await self._session.scalar(_SQLITE)
            return datetime.strptime(str(found), "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
        now: datetime = (await self._session.execute(_POSTGRESQL)).scalar_one()
        return now.astimezone(UTC)
