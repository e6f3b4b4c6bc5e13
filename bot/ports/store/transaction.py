"""One transaction with its repositories, and what opens it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from bot.ports.store.alerts import Alerts, Arrivals, Silences, Suggestions, TruncatedGroups
from bot.ports.store.audit import Audit
from bot.ports.store.cases import Cases, Rollbacks, Seals
from bot.ports.store.events import Announcements, Events, Sinks
from bot.ports.store.jobs import Figures, Pause, Retention, Schedule, Slots
from bot.ports.store.people import Direct, Homes
from bot.ports.store.queues import Inbox, Outbox
from bot.ports.store.versions import Included, Tags, Versions
from store.records import (
    Delivery,
)


class Transaction(Protocol):
    """One database transaction: all of it or nothing. No HTTP call is made inside one."""

    @property
    def versions(self) -> Versions: ...
    @property
    def tags(self) -> Tags: ...
    @property
    def retention(self) -> Retention: ...
    @property
    def arrivals(self) -> Arrivals: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def truncated(self) -> TruncatedGroups: ...
    @property
    def cases(self) -> Cases: ...
    @property
    def rollbacks(self) -> Rollbacks: ...
    @property
    def seals(self) -> Seals: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def events(self) -> Events: ...
    @property
    def announcements(self) -> Announcements: ...
    @property
    def sinks(self) -> Sinks: ...
    @property
    def slots(self) -> Slots: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def homes(self) -> Homes: ...
    @property
    def direct(self) -> Direct: ...
    @property
    def included(self) -> Included: ...
    @property
    def pause(self) -> Pause: ...
    @property
    def figures(self) -> Figures: ...
    @property
    def suggestions(self) -> Suggestions: ...
    @property
    def silences(self) -> Silences: ...
    async def now(self) -> datetime:
        """Database time, aware, UTC."""
        ...


class Store(Protocol):
    """Where everything is remembered; raises `records.Unavailable` when the database is gone."""

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that locks before it reads; commits at the end, rolls back on error."""
        ...

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """A read-only snapshot."""
        ...

    async def keep(self, deliveries: Collection[Delivery]) -> None:
        """Write *deliveries* down to be filed, all of them or none; durable when it returns."""
        ...

    async def file(self, ids: Sequence[int]) -> bool:
        """File these arrivals: their alerts can be seen from then on.

        False when somebody else filed one of them. Raises `StoreError` where one of them cannot
        be filed. Nothing is done then.
        """
        ...
