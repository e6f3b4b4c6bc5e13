"""Apps that are watched without a table of their own in the settings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import SQLModel

from store.tables.columns import key, text, time


class IncludedRow(SQLModel, table=True):
    """An app of a target that is watched without a table of its own, and under which name."""

    __tablename__ = "included"
    __table_args__ = (UniqueConstraint("app", "env"),)
    target: str = key()
    external_id: str = key()
    env: str = key()
    app: str = text()
    name: str = text()
    since: datetime = time()
    gone_at: datetime | None = time(nullable=True)
