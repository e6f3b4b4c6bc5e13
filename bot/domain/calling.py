"""Whom a direct message calls to a rollback, and when it may reach them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.windows import NEVER, Windows
from store.records import PolicySnapshot, Rollback, State

MOST = 100  # people who are called to one rollback; a larger group reads its channel


class Call(StrEnum):
    """For what a person is called."""

    ASKED = "asked"  # it waits for votes
    REMINDER = "reminder"
    ESCALATED = "escalated"  # the others have not voted: the backups are called


class Told(StrEnum):
    """How a rollback stands for a person, as a message says it."""

    WAITS = "waits"
    VOTED = "voted"  # they have, and it waits for others
    APPROVED = "approved"  # it is about to run, or runs
    OVER = "over"


@dataclass(frozen=True)
class Manner:
    """How people are called: not at all unless `on`, not more often than `every`, not in `quiet`.

    `quiet` is on the clock of each person.
    """

    on: bool = True
    every: timedelta = timedelta(minutes=10)
    quiet: Windows = NEVER

    def wait(
        self, codes: Iterable[str], *, told_at: datetime | None, tz: str, at: datetime
    ) -> timedelta:
        """Return how long a message for *codes* has to wait at *at*; nothing when it may go.

        An escalation waits for nobody's quiet hours: by then nobody else has answered. It is the
        policy's own `quiet` that stops it.
        """
        urgent = Call.ESCALATED in set(codes)
        rested = told_at + self.every if told_at is not None else at
        awake = at if urgent else self._own(tz).until(at) or at
        return max(rested, awake) - at if max(rested, awake) > at else timedelta()

    def _own(self, tz: str) -> Windows:
        try:
            zone = ZoneInfo(tz)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return Windows(self.quiet.windows, self.quiet.zone)
        return Windows(self.quiet.windows, zone)


def called(policy: PolicySnapshot, code: str) -> tuple[str, ...]:
    """Return the people and groups of *policy* who are called: the backups by themselves."""
    if code == Call.ESCALATED:
        return policy.backups
    return tuple(entry for entry in policy.voters if entry not in policy.backups)


def told(rollback: Rollback, person: str) -> Told:
    """Return how *rollback* stands for *person*."""
    if rollback.state in (State.DRAFT, State.PENDING_APPROVAL):
        voted = any(v.person == person and v.voided_at is None for v in rollback.votes)
        return Told.VOTED if voted else Told.WAITS
    return Told.APPROVED if rollback.open else Told.OVER
