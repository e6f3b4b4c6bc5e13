"""Steps, the events that other systems are told, and how far each sink has come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.tables.columns import big, json, key, row_id, text, time
from store.types import SafeText


class EventRow(SQLModel, table=True):
    """One step of an aggregate."""

    __tablename__ = "event"
    aggregate: str = key()
    aggregate_id: int = Field(sa_column=Column(BigInteger, primary_key=True))
    sequence: int = Field(sa_column=Column(BigInteger, primary_key=True))
    kind: str = text()
    data: Any = json()
    at: datetime = time()


class AnnouncementRow(SQLModel, table=True):
    """One event that other systems are told, in the order of its app@env."""

    __tablename__ = "announcement"
    __table_args__ = (
        UniqueConstraint("app", "env", "sequence"),
        Index("announcement_subject", "subject"),
        Index("announcement_at", "at"),
    )
    id: int | None = row_id()
    app: str = text()
    env: str = text()
    sequence: int = big(nullable=False)
    event_id: str = text(unique=True)
    kind: str = text()
    subject: str = text()
    data: Any = json()
    at: datetime = time()


class StreamRow(SQLModel, table=True):
    """How far the events of an app@env have come; whoever writes one holds it until the commit."""

    __tablename__ = "stream"
    app: str = key()
    env: str = key()
    sequence: int = big(nullable=False)


class SinkRow(SQLModel, table=True):
    """Where events are sent: how that goes over all processes, and until when it has to rest."""

    __tablename__ = "sink"
    name: str = key()
    since: datetime = time()
    seen_at: datetime = time()
    not_before: datetime = time()
    failures: int = big(nullable=False)
    last_error: str = text()
    sent: int = big(nullable=False)
    failed: int = big(nullable=False)
    given_up: int = big(nullable=False)


class CursorRow(SQLModel, table=True):
    """How far a sink has come with the events of an app@env, and which worker goes on with them."""

    __tablename__ = "sink_cursor"
    sink: str = Field(
        sa_column=Column(SafeText, ForeignKey("sink.name"), primary_key=True, nullable=False)
    )
    app: str = key()
    env: str = key()
    sequence: int = big(nullable=False)
    turn_at: datetime = time()
    not_before: datetime = time()
    attempts: int = big(nullable=False)
    failing_since: datetime | None = time(nullable=True)
    last_error: str = text()
    owner: str = text()
    lease_until: datetime | None = time(nullable=True)
