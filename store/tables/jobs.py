"""Scheduled jobs, their ticks, and whether all of it rests."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from store.tables.columns import big, key, text, time


class PauseRow(SQLModel, table=True):
    """One row while the database is paused. Rows up to `…_until` were there when it was copied."""

    __tablename__ = "pause"
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    origin: str = text()
    reason: str = text()
    since: datetime = time()
    audit_seq: int = big(nullable=False)
    audit_hash: str = text()
    case_until: int = big(nullable=False)
    inbox_until: int = big(nullable=False)
    outbox_until: int = big(nullable=False)


class SlotRow(SQLModel, table=True):
    """One tick of a job."""

    __tablename__ = "slot"
    __table_args__ = (Index("slot_old", "lease_until"),)
    job: str = key()
    slot: int = Field(sa_column=Column(BigInteger, primary_key=True))
    owner: str = text()
    lease_until: datetime = time()
    finished_at: datetime | None = time(nullable=True)


class JobRow(SQLModel, table=True):
    """A scheduled job: its newest run in whichever process, whether it is paused, or asked for.

    `owner` and `lease_until` are of the process that runs it because somebody asked.
    """

    __tablename__ = "job"
    name: str = key()
    started_at: datetime | None = time(nullable=True)
    finished_at: datetime | None = time(nullable=True)
    failure: str = text()
    paused_by: str = text()
    paused_at: datetime | None = time(nullable=True)
    asked_by: str = text()
    asked_at: datetime | None = time(nullable=True)
    owner: str = text()
    lease_until: datetime | None = time(nullable=True)
