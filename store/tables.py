"""The tables. Rows stay inside the store; everybody else sees records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel

from store.types import BigId, JsonText, SafeText, UtcDateTime


def _id() -> Any:
    return Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))


def _big(*args: Any, **options: Any) -> Any:
    return Field(sa_column=Column(BigInteger, *args, **options))


def _text(**options: Any) -> Any:
    return Field(sa_column=Column(SafeText, nullable=False, **options))


def _maybe_text(**options: Any) -> Any:
    return Field(default=None, sa_column=Column(SafeText, nullable=True, **options))


def _time(*, nullable: bool = False, **options: Any) -> Any:
    column: Column[Any] = Column(UtcDateTime, nullable=nullable, **options)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def _json(*, nullable: bool = False) -> Any:
    column: Column[Any] = Column(JsonText, nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


# -- Versions ---------------------------------------------------------------------------------


class PartRow(SQLModel, table=True):
    """A piece of a document, once, under its hash. `base_id` is for parts stored as deltas."""

    __tablename__ = "part"
    id: int | None = _id()
    hash: str = _text(unique=True)
    encoding: str = _text()
    base_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("part.id"), nullable=True)
    )
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ManifestRow(SQLModel, table=True):
    """Which parts make up the document of one root, packed as `store.manifests` says.

    `base` is the root of the whole manifest that this one differs from; null for a whole one.
    """

    __tablename__ = "manifest"
    root: str = Field(sa_column=Column(SafeText, primary_key=True))
    meaning: str = _text()
    mode: str = _text()
    base: str | None = _maybe_text()
    packed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class VersionRow(SQLModel, table=True):
    """One stored document of one app@env."""

    __tablename__ = "version"
    __table_args__ = (
        Index("version_number", "app", "env", "number", unique=True),
        Index(
            "version_external",
            "app",
            "env",
            "external_id",
            unique=True,
            sqlite_where=text("number IS NOT NULL"),
            postgresql_where=text("number IS NOT NULL"),
        ),
        Index(
            "version_draft",
            "app",
            "env",
            "root",
            unique=True,
            sqlite_where=text("number IS NULL"),
            postgresql_where=text("number IS NULL"),
        ),
    )
    id: int | None = _id()
    app: str = _text()
    env: str = _text()
    kind: str = _text()
    source: str = _text()
    number: int | None = _big(nullable=True)
    root: str = Field(sa_column=Column(SafeText, ForeignKey("manifest.root"), nullable=False))
    meaning: str = _text()
    external_id: str = _text()
    external_hash: str = _text()
    external_name: str = _text()
    external_comment: str = _text()
    author: str = _text()
    published_at: datetime = _time()
    recorded_at: datetime = _time()


class CondemnedRow(SQLModel, table=True):
    """A meaning that must not be suggested again in this app@env."""

    __tablename__ = "condemned"
    app: str = Field(sa_column=Column(SafeText, primary_key=True))
    env: str = Field(sa_column=Column(SafeText, primary_key=True))
    meaning: str = Field(sa_column=Column(SafeText, primary_key=True))
    rollback_id: int | None = _big(nullable=True)
    since: datetime = _time()


class TagRow(SQLModel, table=True):
    """A name that people gave a version; it stands on one version of its app@env at a time."""

    __tablename__ = "tag"
    __table_args__ = (Index("tag_version", "version_id"),)
    app: str = Field(sa_column=Column(SafeText, primary_key=True))
    env: str = Field(sa_column=Column(SafeText, primary_key=True))
    name: str = Field(sa_column=Column(SafeText, primary_key=True))
    version_id: int = _big(ForeignKey("version.id"), nullable=False)
    user_id: str = _text()
    since: datetime = _time()


# -- Alerts -----------------------------------------------------------------------------------


class DeliveryRow(SQLModel, table=True):
    """One webhook body, once."""

    __tablename__ = "delivery"
    id: int | None = _id()
    digest: str = _text(unique=True)
    source: str = _text()
    receiver: str = _text()
    group_key: str = _text()
    truncated: int = _big(nullable=False)
    count: int = _big(nullable=False)
    first_seen: datetime = _time()
    last_seen: datetime = _time()
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class TruncatedRow(SQLModel, table=True):
    """A group that came cut short, until the rest of it was fetched; `asked` is how often."""

    __tablename__ = "truncated"
    __table_args__ = (Index("truncated_due", "due_at"),)
    source: str = Field(sa_column=Column(SafeText, primary_key=True))
    group_key: str = Field(sa_column=Column(SafeText, primary_key=True))
    receiver: str = _text()
    group_labels: Any = _json()
    asked: int = _big(nullable=False)
    since: datetime = _time()
    due_at: datetime = _time()
    attempts: int = _big(nullable=False)
    last_error: str = _text()


class FiringRow(SQLModel, table=True):
    """One alert from its start to its end."""

    __tablename__ = "firing"
    __table_args__ = (
        UniqueConstraint("source", "fingerprint", "starts_at"),
        Index(
            "firing_case",
            "case_id",
            "status",
            "starts_at",
            "id",
            sqlite_where=text("case_id IS NOT NULL"),
            postgresql_where=text("case_id IS NOT NULL"),
        ),
        Index("firing_env_start", "env", "starts_at"),
        Index(
            "firing_unseen",
            "case_id",
            "id",
            sqlite_where=text("status <> seen_status"),
            postgresql_where=text("status <> seen_status"),
        ),
        Index(
            "firing_untaken",
            "starts_at",
            "id",
            sqlite_where=text("case_id IS NULL AND app IS NOT NULL AND status = 'firing'"),
            postgresql_where=text("case_id IS NULL AND app IS NOT NULL AND status = 'firing'"),
        ),
    )
    id: int | None = _id()
    source: str = _text()
    fingerprint: str = _text()
    starts_at: datetime = _time()
    ends_at: datetime | None = _time(nullable=True)
    status: str = _text()
    seen_status: str = _text()  # what the case's card was last told
    app: str | None = _maybe_text()
    env: str | None = _maybe_text()
    app_label: str = _text()
    env_label: str = _text()
    labels: Any = _json()
    annotations: Any = _json()
    case_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("cases.id"), nullable=True)
    )
    first_seen: datetime = _time()
    last_seen: datetime = _time()


# -- Cases and rollbacks ----------------------------------------------------------------------


class CaseRow(SQLModel, table=True):
    """What happens to one app@env from the first alert to its end."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(
            "case_one_open",
            "app",
            "env",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        Index("case_due", "assess_at"),
    )
    id: int | None = _id()
    app: str = _text()
    env: str = _text()
    state: str = _text()
    revision: int = _big(nullable=False)
    opened_at: datetime = _time()
    closed_at: datetime | None = _time(nullable=True)
    assess_at: datetime | None = _time(nullable=True)
    channel: str = _text()
    card_ts: str = _text()
    finding: Any = _json(nullable=True)
    rollback_id: int | None = _big(nullable=True)


class RollbackRow(SQLModel, table=True):
    """`record` holds the whole rollback but its lease, which is renewed without a revision."""

    __tablename__ = "rollback"
    __table_args__ = (
        Index("rollback_state", "state", "id"),
        Index(
            "rollback_to_review",
            "id",
            sqlite_where=text("review_open"),
            postgresql_where=text("review_open"),
        ),
        Index(
            "rollback_watched",
            "id",
            sqlite_where=text("watched = 1"),
            postgresql_where=text("watched"),
        ),
    )
    id: int | None = _id()
    case_id: int = Field(sa_column=Column(BigInteger, ForeignKey("cases.id"), nullable=False))
    state: str = _text()
    revision: int = _big(nullable=False)
    opened_at: datetime = _time()
    expires_at: datetime = _time()
    finished_at: datetime | None = _time(nullable=True)
    content_digest: str = _text()
    requested_by: str = _text()
    reason: str = _text()
    risk: str = _text()
    drill: bool = False
    parent_id: int | None = _big(nullable=True)
    policy: Any = _json()
    owner: str = _text()
    lease_epoch: int = _big(nullable=False)
    lease_until: datetime | None = _time(nullable=True)
    review_open: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=false())
    )
    watched: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=false())
    )
    record: Any = _json()


class LegRow(SQLModel, table=True):
    """`open` repeats the rollback's state for the index that allows one open rollback an app."""

    __tablename__ = "leg"
    __table_args__ = (
        Index(
            "leg_one_open",
            "app",
            "env",
            unique=True,
            sqlite_where=text("open"),
            postgresql_where=text("open"),
        ),
    )
    rollback_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("rollback.id"), primary_key=True)
    )
    position: int = Field(sa_column=Column(BigInteger, primary_key=True))
    app: str = _text()
    env: str = _text()
    from_version_id: int = _big(nullable=False)
    to_version_id: int = _big(nullable=False)
    live_root: str = _text()
    expected_root: str = _text()
    change_digest: str = _text()
    open: bool = True


class VoteRow(SQLModel, table=True):
    """One person's choice; one that is not void a person."""

    __tablename__ = "vote"
    __table_args__ = (
        Index(
            "vote_one_a_person",
            "rollback_id",
            "person",
            unique=True,
            sqlite_where=text("voided_at IS NULL"),
            postgresql_where=text("voided_at IS NULL"),
        ),
    )
    rollback_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("rollback.id"), primary_key=True)
    )
    position: int = Field(sa_column=Column(BigInteger, primary_key=True))
    person: str = _text()
    slack_id: str = _text()
    team_id: str = _text()
    choice: str = _text()
    digest: str = _text()
    groups: Any = _json()
    reason: str = _text()
    at: datetime = _time()
    voided_at: datetime | None = _time(nullable=True)
    voided_why: str = _text()


class SealRow(SQLModel, table=True):
    """Secret values of the editors' draft, under a key that is not in here, while it runs."""

    __tablename__ = "seal"
    rollback_id: int = Field(
        sa_column=Column(
            BigInteger, ForeignKey("rollback.id"), primary_key=True, autoincrement=False
        )
    )
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    made_at: datetime = _time()


# -- Audit, inbox, outbox, events, slots ------------------------------------------------------


class AuditRow(SQLModel, table=True):
    """One link of the chain."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_resource", "resource", "seq"),)
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    timestamp: str = _text()
    user_id: str = _text()
    action: str = _text()
    resource: str = _text()
    status: str = _text()
    ip_addr: str | None = _maybe_text()
    ip_note: str = _text()
    what: Any = _json()
    trace_id: str = _text()
    prev: str = _text()
    hash: str = _text()


class AuditHeadRow(SQLModel, table=True):
    """One row: whoever appends locks it first, so that the chain never forks."""

    __tablename__ = "audit_head"
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    seq: int = _big(nullable=False)
    hash: str = _text()


class InboxRow(SQLModel, table=True):
    """What came from Slack."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index(
            "inbox_next",
            "id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )
    id: int | None = _id()
    digest: str = _text(unique=True)
    kind: str = _text()
    action: str = _text()
    slack_id: str = _text()
    team_id: str = _text()
    payload: Any = _json()
    received_at: datetime = _time()
    not_before: datetime = _time()
    attempts: int = _big(nullable=False)
    owner: str = _text()
    lease_until: datetime | None = _time(nullable=True)
    done_at: datetime | None = _time(nullable=True)
    outcome: str = _text()
    last_error: str = _text()


class OutboxRow(SQLModel, table=True):
    """What is to be told."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "outbox_next",
            "id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
        Index(
            "outbox_waiting",
            "order_key",
            "id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
        Index(
            "outbox_replaceable",
            "coalesce_key",
            "id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )
    id: int | None = _id()
    dedupe_id: str = _text(unique=True)
    kind: str = _text()
    destination: str = _text()
    order_key: str = _text()
    coalesce_key: str | None = _maybe_text()
    body: Any = _json()
    created_at: datetime = _time()
    not_before: datetime = _time()
    attempts: int = _big(nullable=False)
    owner: str = _text()
    lease_until: datetime | None = _time(nullable=True)
    done_at: datetime | None = _time(nullable=True)
    outcome: str = _text()  # sent, superseded, dropped
    reference: str = _text()
    last_error: str = _text()


class EventRow(SQLModel, table=True):
    """One step of an aggregate."""

    __tablename__ = "event"
    aggregate: str = Field(sa_column=Column(SafeText, primary_key=True))
    aggregate_id: int = Field(sa_column=Column(BigInteger, primary_key=True))
    sequence: int = Field(sa_column=Column(BigInteger, primary_key=True))
    kind: str = _text()
    data: Any = _json()
    at: datetime = _time()


class PauseRow(SQLModel, table=True):
    """One row while the database is paused. Rows up to `…_until` were there when it was copied."""

    __tablename__ = "pause"
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    origin: str = _text()
    reason: str = _text()
    since: datetime = _time()
    audit_seq: int = _big(nullable=False)
    audit_hash: str = _text()
    case_until: int = _big(nullable=False)
    inbox_until: int = _big(nullable=False)
    outbox_until: int = _big(nullable=False)


class SlotRow(SQLModel, table=True):
    """One tick of a job."""

    __tablename__ = "slot"
    __table_args__ = (Index("slot_old", "lease_until"),)
    job: str = Field(sa_column=Column(SafeText, primary_key=True))
    slot: int = Field(sa_column=Column(BigInteger, primary_key=True))
    owner: str = _text()
    lease_until: datetime = _time()
    finished_at: datetime | None = _time(nullable=True)


class JobRow(SQLModel, table=True):
    """A scheduled job: its newest run in whichever process, whether it is paused, or asked for.

    `owner` and `lease_until` are of the process that runs it because somebody asked.
    """

    __tablename__ = "job"
    name: str = Field(sa_column=Column(SafeText, primary_key=True))
    started_at: datetime | None = _time(nullable=True)
    finished_at: datetime | None = _time(nullable=True)
    failure: str = _text()
    paused_by: str = _text()
    paused_at: datetime | None = _time(nullable=True)
    asked_by: str = _text()
    asked_at: datetime | None = _time(nullable=True)
    owner: str = _text()
    lease_until: datetime | None = _time(nullable=True)


class HomeRow(SQLModel, table=True):
    """One person's App Home. It is to be drawn while `wanted` is more than `drawn`."""

    __tablename__ = "home"
    __table_args__ = (Index("home_seen", "seen_at"),)
    slack_id: str = Field(sa_column=Column(SafeText, primary_key=True))
    team_id: str = _text()
    page: int = _big(nullable=False)
    said: Any = _json(nullable=True)
    seen_at: datetime = _time()
    wanted: int = _big(nullable=False)
    drawn: int = _big(nullable=False)
    mark: str = _text()
    substance: str = _text()
    hash: str = _text()
    not_before: datetime = _time()
    attempts: int = _big(nullable=False)
    owner: str = _text()
    lease_until: datetime | None = _time(nullable=True)


class DirectRow(SQLModel, table=True):
    """A person whom direct messages are for; `due_at` is when somebody has to look what is new."""

    __tablename__ = "direct"
    __table_args__ = (
        Index(
            "direct_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )
    slack_id: str = Field(sa_column=Column(SafeText, primary_key=True))
    off: bool = Field(sa_column=Column(Boolean, nullable=False))
    told_at: datetime | None = _time(nullable=True)
    due_at: datetime | None = _time(nullable=True)
    attempts: int = _big(nullable=False)
    owner: str = _text()
    lease_until: datetime | None = _time(nullable=True)


class CallRow(SQLModel, table=True):
    """One call of one person to one rollback; `ts` is empty until a message told it."""

    __tablename__ = "call"
    __table_args__ = (
        UniqueConstraint("slack_id", "rollback_id", "code"),
        Index("call_of_rollback", "rollback_id"),
    )
    id: int | None = _id()
    slack_id: str = _text()
    rollback_id: int = _big(ForeignKey("rollback.id"), nullable=False)
    code: str = _text()
    made_at: datetime = _time()
    channel: str = _text()
    ts: str = _text()
    said: str = _text()
    over: bool = Field(sa_column=Column(Boolean, nullable=False))


class IncludedRow(SQLModel, table=True):
    """An app of a target that is watched without a table of its own, and under which name."""

    __tablename__ = "included"
    __table_args__ = (UniqueConstraint("app", "env"),)
    target: str = Field(sa_column=Column(SafeText, primary_key=True))
    external_id: str = Field(sa_column=Column(SafeText, primary_key=True))
    env: str = Field(sa_column=Column(SafeText, primary_key=True))
    app: str = _text()
    name: str = _text()
    since: datetime = _time()
    gone_at: datetime | None = _time(nullable=True)


# -- Events for the world outside --------------------------------------------------------------


class AnnouncementRow(SQLModel, table=True):
    """One event that other systems are told, in the order of its app@env."""

    __tablename__ = "announcement"
    __table_args__ = (
        UniqueConstraint("app", "env", "sequence"),
        Index("announcement_subject", "subject"),
        Index("announcement_at", "at"),
    )
    id: int | None = _id()
    app: str = _text()
    env: str = _text()
    sequence: int = _big(nullable=False)
    event_id: str = _text(unique=True)
    kind: str = _text()
    subject: str = _text()
    data: Any = _json()
    at: datetime = _time()


class StreamRow(SQLModel, table=True):
    """How far the events of an app@env have come; whoever writes one holds it until the commit."""

    __tablename__ = "stream"
    app: str = Field(sa_column=Column(SafeText, primary_key=True))
    env: str = Field(sa_column=Column(SafeText, primary_key=True))
    sequence: int = _big(nullable=False)


class SinkRow(SQLModel, table=True):
    """Where events are sent: how that goes over all processes, and until when it has to rest."""

    __tablename__ = "sink"
    name: str = Field(sa_column=Column(SafeText, primary_key=True))
    since: datetime = _time()
    seen_at: datetime = _time()
    not_before: datetime = _time()
    failures: int = _big(nullable=False)
    last_error: str = _text()
    sent: int = _big(nullable=False)
    failed: int = _big(nullable=False)
    given_up: int = _big(nullable=False)


class CursorRow(SQLModel, table=True):
    """How far a sink has come with the events of an app@env, and which worker goes on with them."""

    __tablename__ = "sink_cursor"
    sink: str = Field(
        sa_column=Column(SafeText, ForeignKey("sink.name"), primary_key=True, nullable=False)
    )
    app: str = Field(sa_column=Column(SafeText, primary_key=True))
    env: str = Field(sa_column=Column(SafeText, primary_key=True))
    sequence: int = _big(nullable=False)
    turn_at: datetime = _time()
    not_before: datetime = _time()
    attempts: int = _big(nullable=False)
    failing_since: datetime | None = _time(nullable=True)
    last_error: str = _text()
    owner: str = _text()
    lease_until: datetime | None = _time(nullable=True)
