"""App Homes, scheduled jobs over all processes, and who was called to vote by a direct message"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store import types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "home",
        sa.Column("slack_id", types.SafeText(), nullable=False),
        sa.Column("team_id", types.SafeText(), nullable=False),
        sa.Column("page", sa.BigInteger(), nullable=False),
        sa.Column("said", types.JsonText(), nullable=True),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("drawn", sa.BigInteger(), nullable=False),
        sa.Column("mark", types.SafeText(), nullable=False),
        sa.Column("substance", types.SafeText(), nullable=False),
        sa.Column("hash", types.SafeText(), nullable=False),
        sa.Column("not_before", types.UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("owner", types.SafeText(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("slack_id"),
    )
    op.create_index("home_seen", "home", ["seen_at"])
    op.create_table(
        "job",
        sa.Column("name", types.SafeText(), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=True),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.Column("failure", types.SafeText(), nullable=False),
        sa.Column("paused_by", types.SafeText(), nullable=False),
        sa.Column("paused_at", types.UtcDateTime(), nullable=True),
        sa.Column("asked_by", types.SafeText(), nullable=False),
        sa.Column("asked_at", types.UtcDateTime(), nullable=True),
        sa.Column("owner", types.SafeText(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "direct",
        sa.Column("slack_id", types.SafeText(), nullable=False),
        sa.Column("off", sa.Boolean(), nullable=False),
        sa.Column("told_at", types.UtcDateTime(), nullable=True),
        sa.Column("due_at", types.UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("owner", types.SafeText(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("slack_id"),
    )
    op.create_index(
        "direct_due",
        "direct",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "call",
        sa.Column("id", types.BigId, autoincrement=True, nullable=False),
        sa.Column("slack_id", types.SafeText(), nullable=False),
        sa.Column("rollback_id", sa.BigInteger(), nullable=False),
        sa.Column("code", types.SafeText(), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.Column("channel", types.SafeText(), nullable=False),
        sa.Column("ts", types.SafeText(), nullable=False),
        sa.Column("said", types.SafeText(), nullable=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["rollback_id"], ["rollback.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slack_id", "rollback_id", "code"),
    )
    op.create_index("call_of_rollback", "call", ["rollback_id"])


def downgrade() -> None:
    op.drop_index("call_of_rollback", table_name="call")
    op.drop_table("call")
    op.drop_index("direct_due", table_name="direct")
    op.drop_table("direct")
    op.drop_table("job")
    op.drop_index("home_seen", table_name="home")
    op.drop_table("home")
