"""Cases, their rollbacks, and what those keep sealed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from store.records import (
    AppEnv,
    AuditDraft,
    Case,
    NewRollback,
    Rollback,
    State,
)


class Cases(Protocol):
    """One open case for each app@env."""

    async def open_for(self, where: AppEnv, *, channel: str, entry: AuditDraft) -> Case:
        """The open case of *where*, locked; opened (with *entry*) when there is none."""
        ...

    async def get(self, case_id: int, *, lock: bool = False) -> Case: ...
    async def save(self, after: Case, *, was: int) -> Case:
        """Store *after* over revision *was* as revision was + 1; else raise `Stale`."""
        ...

    async def due(self, apps: Collection[AppEnv], *, limit: int = 20) -> list[Case]:
        """Open cases of *apps* whose `assess_at` has come, by database time; oldest first."""
        ...

    async def open_cases(self) -> list[Case]: ...
    async def opened(self, *, since: datetime, after: int = 0, limit: int = 500) -> list[Case]:
        """Cases that were opened from *since* on, by id above *after*; at most *limit*."""
        ...


class Rollbacks(Protocol):
    """Rollbacks and their votes; the revision decides who wrote."""

    async def open(self, new: NewRollback, *, open_for: timedelta, entry: AuditDraft) -> Rollback:
        """Store a rollback as DRAFT, expiring *open_for* from now.

        Raises:
            OpenRollbackExists: One of its legs' app@env has an open rollback.
        """
        ...

    async def get(self, rollback_id: int, *, lock: bool = False) -> Rollback:
        """The rollback; with *lock* nobody else changes it until the transaction ends."""
        ...

    async def save(self, after: Rollback, *, was: int, entry: AuditDraft | None) -> Rollback:
        """Store *after* over revision *was*, with its lifecycle event and audit entry.

        A change of state needs an *entry*, and must be in the table of legal moves that the
        store was opened with.

        Raises:
            Stale: The row is no longer at revision *was*.
            IllegalMove: No such step; or a change of state without an audit entry.
        """
        ...

    async def in_states(self, states: Sequence[State], *, limit: int = 100) -> list[Rollback]:
        """Rollbacks in these states, oldest first."""
        ...

    async def newest(self, *, limit: int = 20, where: AppEnv | None = None) -> list[Rollback]:
        """The newest rollbacks, newest first; of *where*, or of all apps."""
        ...

    async def lived(self, rollback_id: int) -> list[tuple[datetime, Rollback]]:
        """The rollback as it was after each of its lifecycle events, and when; oldest first."""
        ...

    async def open_of(self, where: AppEnv) -> Rollback | None: ...
    async def completed(self, where: AppEnv, *, since: datetime) -> list[Rollback]:
        """What of *where* was COMPLETED from *since* on, oldest first."""
        ...

    async def opened(
        self, *, since: datetime, where: AppEnv | None = None, after: int = 0, limit: int = 500
    ) -> list[Rollback]:
        """What was opened from *since* on, by id above *after*; of *where*, or of all apps."""
        ...

    async def to_review(self, *, limit: int = 100) -> list[Rollback]:
        """What ran by break-glass and is not reviewed yet, oldest first."""
        ...

    async def watched(self, *, limit: int = 100) -> list[Rollback]:
        """What was COMPLETED, and of which it is still to be seen if it helped, oldest first."""
        ...

    async def renew(self, rollback_id: int, *, owner: str, epoch: int, lease: timedelta) -> bool:
        """Extend the lease if *owner* still holds *epoch*; no revision, no audit entry."""
        ...


class Seals(Protocol):
    """What was sealed for a rollback, one row each; its end erases it, whichever end it is."""

    async def put(self, rollback_id: int, sealed: bytes) -> None:
        """Keep *sealed* in place of what was kept before."""
        ...

    async def get(self, rollback_id: int) -> bytes | None:
        """What is kept; None when nothing is."""
        ...

    async def erase(self, rollback_id: int) -> bool:
        """Forget what is kept; True if there was anything."""
        ...
