"""The audit trail, and its newest link."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from store.tables.columns import big, json, maybe_text, text


class AuditRow(SQLModel, table=True):
    """One link of the chain."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_resource", "resource", "seq"),)
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    timestamp: str = text()
    user_id: str = text()
    action: str = text()
    resource: str = text()
    status: str = text()
    ip_addr: str | None = maybe_text()
    ip_note: str = text()
    what: Any = json()
    trace_id: str = text()
    prev: str = text()
    hash: str = text()


class AuditHeadRow(SQLModel, table=True):
    """One row: whoever appends locks it first, so that the chain never forks."""

    __tablename__ = "audit_head"
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    seq: int = big(nullable=False)
    hash: str = text()
