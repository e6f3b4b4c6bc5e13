"""What happened to a rollback, and what other systems are told of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Protocol

from store.records import (
    Announcement,
    AppEnv,
    AuditDraft,
    Consignment,
    Event,
    SinkState,
)


class Events(Protocol):
    """The lifecycle events of an aggregate."""

    async def of(self, aggregate: str, aggregate_id: int) -> list[Event]: ...


class Announcements(Protocol):
    """What other systems are told; the repositories write it with the facts."""

    async def newest(self) -> int:
        """The number of the newest one; 0 when there is none."""
        ...

    async def after(
        self, number: int, *, limit: int = 100, where: AppEnv | None = None
    ) -> list[Announcement]:
        """Those above *number*, oldest first; of *where*, or of all apps."""
        ...

    async def about(self, where: AppEnv, subject: str) -> list[Announcement]:
        """Those of *where* about *subject* that are kept, in their order."""
        ...

    async def heads(self) -> dict[AppEnv, int]:
        """How far each app@env has come."""
        ...


class Sinks(Protocol):
    """Where they are sent, and how far each sink has come with each app."""

    async def follow(self, sinks: Mapping[str, bool]) -> None:
        """Know *sinks*; a new one begins now, or with what is kept where its value is True."""
        ...

    async def waits(self, names: Collection[str]) -> bool:
        """Whether something is to be sent to one of *names* that nobody holds."""
        ...

    async def claim(
        self, names: Collection[str], owner: str, *, lease: timedelta, limit: int
    ) -> Consignment | None:
        """The next *limit* events of the app that has waited longest, for one of *names*."""
        ...

    async def delivered(
        self,
        consigned: Consignment,
        *,
        owner: str,
        through: int,
        sent: int,
        keep: timedelta | None = None,
    ) -> None:
        """Move on to *through*, after *sent* were taken; *keep* extends the lease, else it ends.

        This and the next three raise `Stale` when another worker goes on with them.
        """
        ...

    async def down(
        self, consigned: Consignment, *, owner: str, delay: timedelta, error: str
    ) -> None:
        """The sink takes nothing now: all of it rests for *delay*."""
        ...

    async def refused(
        self, consigned: Consignment, *, owner: str, delay: timedelta, error: str
    ) -> None:
        """The sink did not take this event: its app waits for *delay*, no other."""
        ...

    async def give_up(
        self, consigned: Consignment, *, owner: str, through: int, count: int, entry: AuditDraft
    ) -> None:
        """Leave *count* events up to *through* out, with *entry*; the rest is held still."""
        ...

    async def rewind(
        self, name: str, where: AppEnv, sequence: int, *, entry: AuditDraft
    ) -> int | None:
        """Let a sink get what follows *sequence* of *where* again; return where it stood.

        None when it is not known. It is moved back alone, never on.
        """
        ...

    async def states(self, *, seen_within: timedelta) -> list[SinkState]:
        """How each sink stands that a process has named lately, by name."""
        ...
