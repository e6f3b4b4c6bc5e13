"""Where suggestions are paused, and until when: the newest event of each app@env says it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AppEnv, AuditDraft, Json, SuggestionsPaused
from store.sayings import Sayings

_PAUSED, _RESUMED = "paused", "resumed"


class Suggestions:
    """Kept as the events of an aggregate that has no other row."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._now = now
        self._said = Sayings(session, now, audit)

    async def paused(self, where: AppEnv) -> SuggestionsPaused | None:
        """The pause of *where* that is not over by database time; None for none."""
        newest = await self._said.newest(_aggregate(where))
        if newest is None or newest.kind != _PAUSED:
            return None
        said = newest.data
        until = datetime.fromisoformat(said["until"])
        if until <= await self._now():
            return None
        return SuggestionsPaused(where, until, said["slack_id"], said["reason"], newest.at)

    async def pause(
        self, where: AppEnv, until: datetime, *, slack_id: str, reason: str, entry: AuditDraft
    ) -> None:
        """Pause until *until*, in place of any pause before, with *entry*. Raises `Stale`."""
        said: dict[str, Json] = {"until": until.isoformat(), "slack_id": slack_id, "reason": reason}
        await self._said.add(_aggregate(where), _PAUSED, said, entry)

    async def resume(self, where: AppEnv, *, entry: AuditDraft) -> None:
        """End the pause of *where*, with *entry*. Raises `Stale`."""
        await self._said.add(_aggregate(where), _RESUMED, {}, entry)


def _aggregate(where: AppEnv) -> str:
    return f"suggestions/{where}"
