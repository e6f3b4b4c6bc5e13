"""The store as the use cases need it: one repository per aggregate, inside one transaction."""

from __future__ import annotations

from bot.ports.store.alerts import Alerts, Silences, Suggestions, TruncatedGroups
from bot.ports.store.audit import Audit
from bot.ports.store.cases import Cases, Rollbacks, Seals
from bot.ports.store.events import Announcements, Events, Sinks
from bot.ports.store.jobs import Figures, Pause, Retention, Schedule, Slots
from bot.ports.store.people import Direct, Homes
from bot.ports.store.queues import Inbox, Outbox
from bot.ports.store.transaction import Store, Transaction
from bot.ports.store.versions import Included, Tags, Versions

__all__ = [
    "Alerts",
    "Announcements",
    "Audit",
    "Cases",
    "Direct",
    "Events",
    "Figures",
    "Homes",
    "Inbox",
    "Included",
    "Outbox",
    "Pause",
    "Retention",
    "Rollbacks",
    "Schedule",
    "Seals",
    "Silences",
    "Sinks",
    "Slots",
    "Store",
    "Suggestions",
    "Tags",
    "Transaction",
    "TruncatedGroups",
    "Versions",
]
