"""The vocabulary of Keyturn: frozen records and enums that every room may use. No I/O.

Ids are database integers (64 bit). Times are aware and in UTC; the store refuses others.
Words are those of the glossary in the README; a person is a `person id`, which several Slack
accounts may share.
"""

from __future__ import annotations

from store.records.alerts import Delivery, Firing, FiringStatus, Truncated
from store.records.audit import AuditAnchor, AuditDraft, AuditEntry, Verification
from store.records.cases import Case, CaseState, Finding
from store.records.events import Announcement, Consignment, Event, SinkState
from store.records.faults import (
    Corrupt,
    IllegalMove,
    Missing,
    NaiveTime,
    NotEmpty,
    NotMigrated,
    OpenRollbackExists,
    Stale,
    StillUsed,
    StoreError,
    Unavailable,
    Unstorable,
)
from store.records.jobs import JobState, Keeping, Slot
from store.records.pausing import LeftBehind, Paused, PauseOrigin
from store.records.people import Addressee, DirectCall, Home
from store.records.places import AppEnv, IncludedApp
from store.records.queues import (
    GOES_TO,
    TO_ALERTMANAGER,
    TO_PEOPLE,
    Backlog,
    InboxItem,
    InboxKind,
    NewInboxItem,
    NewOutgoing,
    OutboxKind,
    Outgoing,
)
from store.records.quiet import Silenced, SuggestionsPaused
from store.records.rollbacks import (
    OPEN_STATES,
    Choice,
    Done,
    Execution,
    Glass,
    Leg,
    NewRollback,
    PolicySnapshot,
    Recovery,
    RecoveryState,
    Rollback,
    Signature,
    State,
    Step,
    Vote,
)
from store.records.values import Json
from store.records.versions import (
    DRAFT_KEPT,
    DRAFT_SEEN,
    EVERYTHING,
    NewVersion,
    Search,
    Tag,
    Version,
    VersionKind,
    VersionSource,
)

__all__ = [
    "DRAFT_KEPT",
    "DRAFT_SEEN",
    "EVERYTHING",
    "GOES_TO",
    "OPEN_STATES",
    "TO_ALERTMANAGER",
    "TO_PEOPLE",
    "Addressee",
    "Announcement",
    "AppEnv",
    "AuditAnchor",
    "AuditDraft",
    "AuditEntry",
    "Backlog",
    "Case",
    "CaseState",
    "Choice",
    "Consignment",
    "Corrupt",
    "Delivery",
    "DirectCall",
    "Done",
    "Event",
    "Execution",
    "Finding",
    "Firing",
    "FiringStatus",
    "Glass",
    "Home",
    "IllegalMove",
    "InboxItem",
    "InboxKind",
    "IncludedApp",
    "JobState",
    "Json",
    "Keeping",
    "LeftBehind",
    "Leg",
    "Missing",
    "NaiveTime",
    "NewInboxItem",
    "NewOutgoing",
    "NewRollback",
    "NewVersion",
    "NotEmpty",
    "NotMigrated",
    "OpenRollbackExists",
    "OutboxKind",
    "Outgoing",
    "PauseOrigin",
    "Paused",
    "PolicySnapshot",
    "Recovery",
    "RecoveryState",
    "Rollback",
    "Search",
    "Signature",
    "Silenced",
    "SinkState",
    "Slot",
    "Stale",
    "State",
    "Step",
    "StillUsed",
    "StoreError",
    "SuggestionsPaused",
    "Tag",
    "Truncated",
    "Unavailable",
    "Unstorable",
    "Verification",
    "Version",
    "VersionKind",
    "VersionSource",
    "Vote",
]
