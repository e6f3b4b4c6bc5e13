"""What one person sees: App Home, direct messages, calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.tables.columns import big, json, key, partial_index, row_id, text, time


class HomeRow(SQLModel, table=True):
    """One person's App Home. It is to be drawn while `wanted` is more than `drawn`."""

    __tablename__ = "home"
    __table_args__ = (Index("home_seen", "seen_at"),)
    slack_id: str = key()
    team_id: str = text()
    page: int = big(nullable=False)
    said: Any = json(nullable=True)
    seen_at: datetime = time()
    wanted: int = big(nullable=False)
    drawn: int = big(nullable=False)
    mark: str = text()
    substance: str = text()
    hash: str = text()
    not_before: datetime = time()
    attempts: int = big(nullable=False)
    owner: str = text()
    lease_until: datetime | None = time(nullable=True)


class DirectRow(SQLModel, table=True):
    """A person whom direct messages are for; `due_at` is when somebody has to look what is new."""

    __tablename__ = "direct"
    __table_args__ = (partial_index("direct_due", "due_at", where="due_at IS NOT NULL"),)
    slack_id: str = key()
    off: bool = Field(sa_column=Column(Boolean, nullable=False))
    told_at: datetime | None = time(nullable=True)
    due_at: datetime | None = time(nullable=True)
    attempts: int = big(nullable=False)
    owner: str = text()
    lease_until: datetime | None = time(nullable=True)


class CallRow(SQLModel, table=True):
    """One call of one person to one rollback; `ts` is empty until a message told it."""

    __tablename__ = "call"
    __table_args__ = (
        UniqueConstraint("slack_id", "rollback_id", "code"),
        Index("call_of_rollback", "rollback_id"),
    )
    id: int | None = row_id()
    slack_id: str = text()
    rollback_id: int = big(ForeignKey("rollback.id"), nullable=False)
    code: str = text()
    made_at: datetime = time()
    channel: str = text()
    ts: str = text()
    said: str = text()
    over: bool = Field(sa_column=Column(Boolean, nullable=False))
