"""Ticks of the clock, and what is cleared away, paused or counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from store.records import (
    AuditDraft,
    Backlog,
    JobState,
    Keeping,
    LeftBehind,
    Paused,
    PauseOrigin,
    Slot,
)


class Slots(Protocol):
    """Ticks of scheduled jobs, each claimed once among all processes."""

    async def claim(
        self, job: str, *, period: timedelta, owner: str, lease: timedelta
    ) -> Slot | None:
        """Claim the current tick of *job* (floor of database time / period), or None."""
        ...

    async def finish(self, slot: Slot) -> None: ...


class Schedule(Protocol):
    """How the scheduled jobs fare over all processes, and what people want of them."""

    async def all(self) -> dict[str, JobState]:
        """Every job that ever ran, was paused or asked for, by its name."""
        ...

    async def paused(self, job: str) -> bool: ...
    async def began(self, job: str) -> None:
        """A run begins, whoever runs it."""
        ...

    async def ended(self, job: str, *, failure: str = "") -> None:
        """The run has ended; *failure* names the kind of error, "" when it ended well."""
        ...

    async def pause(self, job: str, *, by: str, entry: AuditDraft) -> bool:
        """Let no tick run it, with *entry*; False when it is paused already."""
        ...

    async def resume(self, job: str, *, entry: AuditDraft) -> bool:
        """Let its ticks run it again, with *entry*; False when it is not paused."""
        ...

    async def ask(self, job: str, *, by: str, entry: AuditDraft) -> bool:
        """Ask for one run now, with *entry*; False when one is asked for already."""
        ...

    async def take(self, owner: str, *, lease: timedelta) -> JobState | None:
        """The job that was asked for first and that nobody runs yet."""
        ...

    async def done(self, job: str, *, asked_at: datetime | None) -> None:
        """What was asked for was run; nothing happens when somebody else has taken it over."""
        ...


class Retention(Protocol):
    """Clears away what was done and told long ago, by kind: inbox, outbox, webhooks, alerts."""

    async def over(self, keeping: Keeping) -> Mapping[str, int]:
        """How many rows of each kind are older than *keeping* lets them be."""
        ...

    async def clear(self, keeping: Keeping, *, at_most: int) -> Mapping[str, int]:
        """Remove at most *at_most* such rows of each kind, oldest first; return how many went."""
        ...


class Pause(Protocol):
    """The mark of a paused database."""

    async def current(self) -> Paused | None:
        """The mark; None when the database is not paused."""
        ...

    async def mark(self, origin: PauseOrigin, reason: str, *, entry: AuditDraft | None) -> bool:
        """Pause, with *entry*; False when a person finds it paused already: nothing changes."""
        ...

    async def leave_behind(self, paused: Paused) -> LeftBehind:
        """End what was waiting in a copy: nobody knows whether it was done meanwhile."""
        ...

    async def lift(self, *, entry: AuditDraft) -> None:
        """Take the mark away, with *entry*."""
        ...


class Figures(Protocol):
    """What is counted of the whole database, for those who watch the service."""

    async def audited(self, *, after: int, until: int) -> Mapping[tuple[str, str], int]:
        """How many audit entries above seq *after* up to *until*, by action and status."""
        ...

    async def backlogs(self) -> Sequence[Backlog]:
        """How much waits in the inbox and, by where it goes, in the outbox, and since when."""
        ...

    async def ticked(self, jobs: Collection[str]) -> Mapping[str, datetime]:
        """When each of *jobs* was finished last, within the day for which ticks are kept."""
        ...
