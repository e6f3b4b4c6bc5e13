"""Ticks of the clock, and for how long what is done with is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Slot:
    """One tick of a scheduled job, claimed by one owner until `lease_until`."""

    job: str
    slot: int
    owner: str


@dataclass(frozen=True)
class JobState:
    """How a scheduled job fares over all processes; times are None where nothing happened yet.

    `finished_at` is of the run that began at `started_at`, None until it has ended; `failure`
    names the kind of error that ended it, "" when it ended well.
    """

    name: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: str = ""
    paused_by: str = ""
    paused_at: datetime | None = None
    asked_by: str = ""
    asked_at: datetime | None = None

    @property
    def paused(self) -> bool:
        return self.paused_at is not None


@dataclass(frozen=True)
class Keeping:
    """How long is kept what is done with; versions, cases, rollbacks and the audit chain stay.

    `inbox` counts from when a click or command was judged, `outbox` from when a message was sent,
    `alerts` from when a webhook, or an alert that belongs to no case, last came, `drafts` from
    when a draft was last seen that no rollback keeps, `events` from when an event was written.
    """

    inbox: timedelta = timedelta(days=30)
    outbox: timedelta = timedelta(days=90)
    alerts: timedelta = timedelta(days=90)
    drafts: timedelta = timedelta(days=90)
    events: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        kept = (self.inbox, self.outbox, self.alerts, self.drafts, self.events)
        if min(kept) < timedelta(days=1):
            raise ValueError("what is done with is kept for a day at least")
