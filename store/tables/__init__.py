"""The tables. Rows stay inside the store; everybody else sees records."""

from __future__ import annotations

from store.tables.alerts import ArrivalRow, DeliveryRow, FiringRow, TruncatedRow
from store.tables.audit import AuditHeadRow, AuditRow
from store.tables.events import AnnouncementRow, CursorRow, EventRow, SinkRow, StreamRow
from store.tables.jobs import JobRow, PauseRow, SlotRow
from store.tables.people import CallRow, DirectRow, HomeRow
from store.tables.places import IncludedRow
from store.tables.queues import InboxRow, OutboxRow
from store.tables.rollbacks import CaseRow, LegRow, RollbackRow, SealRow, VoteRow
from store.tables.versions import CondemnedRow, ManifestRow, PartRow, TagRow, VersionRow

__all__ = [
    "AnnouncementRow",
    "ArrivalRow",
    "AuditHeadRow",
    "AuditRow",
    "CallRow",
    "CaseRow",
    "CondemnedRow",
    "CursorRow",
    "DeliveryRow",
    "DirectRow",
    "EventRow",
    "FiringRow",
    "HomeRow",
    "InboxRow",
    "IncludedRow",
    "JobRow",
    "LegRow",
    "ManifestRow",
    "OutboxRow",
    "PartRow",
    "PauseRow",
    "RollbackRow",
    "SealRow",
    "SinkRow",
    "SlotRow",
    "StreamRow",
    "TagRow",
    "TruncatedRow",
    "VersionRow",
    "VoteRow",
]
