"""What came in by webhook: as it came, and filed."""

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
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from store.tables.columns import big, json, key, maybe_text, partial_index, row_id, text, time


class ArrivalRow(SQLModel, table=True):
    """A delivery that was acknowledged and is not filed yet; `content` as `store.arrivals` says.

    `set_aside` says why it could not be filed; empty while it waits.
    """

    __tablename__ = "arrival"
    __table_args__ = (
        partial_index("arrival_watched", "id", where="watched AND set_aside = ''"),
        partial_index("arrival_set_aside", "id", where="set_aside <> ''"),
        # else SQLite gives the ids of an empty table anew, and who read one would file another
        {"sqlite_autoincrement": True},
    )
    id: int | None = row_id()
    received_at: datetime = time()
    watched: bool = Field(sa_column=Column(Boolean, nullable=False))
    alerts: int = big(nullable=False)
    form: int = big(nullable=False)  # of `content`
    size: int = big(nullable=False)  # bytes of what follows
    content: str = Field(sa_column=Column(Text, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    set_aside: str = text(server_default="")


class DeliveryRow(SQLModel, table=True):
    """One webhook body, once."""

    __tablename__ = "delivery"
    id: int | None = row_id()
    digest: str = text(unique=True)
    source: str = text()
    receiver: str = text()
    group_key: str = text()
    truncated: int = big(nullable=False)
    count: int = big(nullable=False)
    first_seen: datetime = time()
    last_seen: datetime = time()
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class TruncatedRow(SQLModel, table=True):
    """A group that came cut short, until the rest of it was fetched; `asked` is how often."""

    __tablename__ = "truncated"
    __table_args__ = (Index("truncated_due", "due_at"),)
    source: str = key()
    group_key: str = key()
    receiver: str = text()
    group_labels: Any = json()
    asked: int = big(nullable=False)
    since: datetime = time()
    due_at: datetime = time()
    attempts: int = big(nullable=False)
    last_error: str = text()


class FiringRow(SQLModel, table=True):
    """One alert from its start to its end."""

    __tablename__ = "firing"
    __table_args__ = (
        UniqueConstraint("source", "fingerprint", "starts_at"),
        partial_index(
            "firing_case", "case_id", "status", "starts_at", "id", where="case_id IS NOT NULL"
        ),
        Index("firing_env_start", "env", "starts_at"),
        partial_index("firing_unseen", "case_id", "id", where="status <> seen_status"),
        partial_index(
            "firing_untaken",
            "starts_at",
            "id",
            where="case_id IS NULL AND app IS NOT NULL AND status = 'firing'",
        ),
    )
    id: int | None = row_id()
    source: str = text()
    fingerprint: str = text()
    starts_at: datetime = time()
    ends_at: datetime | None = time(nullable=True)
    status: str = text()
    seen_status: str = text()  # what the case's card was last told
    app: str | None = maybe_text()
    env: str | None = maybe_text()
    app_label: str = text()
    env_label: str = text()
    labels: Any = json()
    annotations: Any = json()
    case_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("cases.id"), nullable=True)
    )
    first_seen: datetime = time()
    last_seen: datetime = time()
