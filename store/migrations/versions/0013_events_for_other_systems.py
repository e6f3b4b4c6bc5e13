"""Events for other systems: in order for each app@env, and how far each sink has come"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store import types

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "announcement",
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_id", types.SafeText(), nullable=False),
        sa.Column("kind", types.SafeText(), nullable=False),
        sa.Column("subject", types.SafeText(), nullable=False),
        sa.Column("data", types.JsonText(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("app", "env", "sequence"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("announcement_subject", "announcement", ["subject"])
    op.create_index("announcement_at", "announcement", ["at"])
    op.create_table(
        "stream",
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("app", "env"),
    )
    op.create_table(
        "sink",
        sa.Column("name", types.SafeText(), nullable=False),
        sa.Column("since", types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.Column("not_before", types.UtcDateTime(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_error", types.SafeText(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("given_up", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "sink_cursor",
        sa.Column("sink", types.SafeText(), nullable=False),
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("turn_at", types.UtcDateTime(), nullable=False),
        sa.Column("not_before", types.UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", types.UtcDateTime(), nullable=True),
        sa.Column("last_error", types.SafeText(), nullable=False),
        sa.Column("owner", types.SafeText(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["sink"], ["sink.name"]),
        sa.PrimaryKeyConstraint("sink", "app", "env"),
    )


def downgrade() -> None:
    op.drop_table("sink_cursor")
    op.drop_table("sink")
    op.drop_table("stream")
    op.drop_index("announcement_at", table_name="announcement")
    op.drop_index("announcement_subject", table_name="announcement")
    op.drop_table("announcement")
