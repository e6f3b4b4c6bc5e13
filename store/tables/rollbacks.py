"""Cases, their rollbacks, who votes on them, and what is sealed while one runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, false
from sqlalchemy import text as sql_text
from sqlmodel import Field, SQLModel

from store.tables.columns import big, json, partial_index, row_id, text, time


class CaseRow(SQLModel, table=True):
    """What happens to one app@env from the first alert to its end."""

    __tablename__ = "cases"
    __table_args__ = (
        partial_index("case_one_open", "app", "env", unique=True, where="state = 'open'"),
        Index("case_due", "assess_at"),
    )
    id: int | None = row_id()
    app: str = text()
    env: str = text()
    state: str = text()
    revision: int = big(nullable=False)
    opened_at: datetime = time()
    closed_at: datetime | None = time(nullable=True)
    assess_at: datetime | None = time(nullable=True)
    channel: str = text()
    card_ts: str = text()
    finding: Any = json(nullable=True)
    rollback_id: int | None = big(nullable=True)


class RollbackRow(SQLModel, table=True):
    """`record` holds the whole rollback but its lease, which is renewed without a revision."""

    __tablename__ = "rollback"
    __table_args__ = (
        Index("rollback_state", "state", "id"),
        partial_index("rollback_to_review", "id", where="review_open"),
        Index(
            "rollback_watched",
            "id",
            sqlite_where=sql_text("watched = 1"),
            postgresql_where=sql_text("watched"),
        ),
    )
    id: int | None = row_id()
    case_id: int = Field(sa_column=Column(BigInteger, ForeignKey("cases.id"), nullable=False))
    state: str = text()
    revision: int = big(nullable=False)
    opened_at: datetime = time()
    expires_at: datetime = time()
    finished_at: datetime | None = time(nullable=True)
    content_digest: str = text()
    requested_by: str = text()
    reason: str = text()
    risk: str = text()
    drill: bool = False
    parent_id: int | None = big(nullable=True)
    policy: Any = json()
    owner: str = text()
    lease_epoch: int = big(nullable=False)
    lease_until: datetime | None = time(nullable=True)
    review_open: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=false())
    )
    watched: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=false())
    )
    record: Any = json()


class LegRow(SQLModel, table=True):
    """`open` repeats the rollback's state for the index that allows one open rollback an app."""

    __tablename__ = "leg"
    __table_args__ = (partial_index("leg_one_open", "app", "env", unique=True, where="open"),)
    rollback_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("rollback.id"), primary_key=True)
    )
    position: int = Field(sa_column=Column(BigInteger, primary_key=True))
    app: str = text()
    env: str = text()
    from_version_id: int = big(nullable=False)
    to_version_id: int = big(nullable=False)
    live_root: str = text()
    expected_root: str = text()
    change_digest: str = text()
    open: bool = True


class VoteRow(SQLModel, table=True):
    """One person's choice; one that is not void a person."""

    __tablename__ = "vote"
    __table_args__ = (
        partial_index(
            "vote_one_a_person", "rollback_id", "person", unique=True, where="voided_at IS NULL"
        ),
    )
    rollback_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("rollback.id"), primary_key=True)
    )
    position: int = Field(sa_column=Column(BigInteger, primary_key=True))
    person: str = text()
    slack_id: str = text()
    team_id: str = text()
    choice: str = text()
    digest: str = text()
    groups: Any = json()
    reason: str = text()
    at: datetime = time()
    voided_at: datetime | None = time(nullable=True)
    voided_why: str = text()


class SealRow(SQLModel, table=True):
    """Secret values of the editors' draft, under a key that is not in here, while it runs."""

    __tablename__ = "seal"
    rollback_id: int = Field(
        sa_column=Column(
            BigInteger, ForeignKey("rollback.id"), primary_key=True, autoincrement=False
        )
    )
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    made_at: datetime = time()
