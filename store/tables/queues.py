"""What came from Slack, and what is to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import SQLModel

from store.tables.columns import big, json, maybe_text, partial_index, row_id, text, time


class InboxRow(SQLModel, table=True):
    """What came from Slack."""

    __tablename__ = "inbox"
    __table_args__ = (partial_index("inbox_next", "id", where="done_at IS NULL"),)
    id: int | None = row_id()
    digest: str = text(unique=True)
    kind: str = text()
    action: str = text()
    slack_id: str = text()
    team_id: str = text()
    payload: Any = json()
    received_at: datetime = time()
    not_before: datetime = time()
    attempts: int = big(nullable=False)
    owner: str = text()
    lease_until: datetime | None = time(nullable=True)
    done_at: datetime | None = time(nullable=True)
    outcome: str = text()
    last_error: str = text()


class OutboxRow(SQLModel, table=True):
    """What is to be told."""

    __tablename__ = "outbox"
    __table_args__ = (
        partial_index("outbox_next", "id", where="done_at IS NULL"),
        partial_index("outbox_waiting", "order_key", "id", where="done_at IS NULL"),
        partial_index("outbox_replaceable", "coalesce_key", "id", where="done_at IS NULL"),
    )
    id: int | None = row_id()
    dedupe_id: str = text(unique=True)
    kind: str = text()
    destination: str = text()
    order_key: str = text()
    coalesce_key: str | None = maybe_text()
    body: Any = json()
    created_at: datetime = time()
    not_before: datetime = time()
    attempts: int = big(nullable=False)
    owner: str = text()
    lease_until: datetime | None = time(nullable=True)
    done_at: datetime | None = time(nullable=True)
    outcome: str = text()  # sent, superseded, dropped
    reference: str = text()
    last_error: str = text()
