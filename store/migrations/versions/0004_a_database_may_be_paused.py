"""A database may be paused: a copy of one until somebody has compared it with reality"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store import types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pause",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", types.SafeText(), nullable=False),
        sa.Column("reason", types.SafeText(), nullable=False),
        sa.Column("since", types.UtcDateTime(), nullable=False),
        sa.Column("audit_seq", sa.BigInteger(), nullable=False),
        sa.Column("audit_hash", types.SafeText(), nullable=False),
        sa.Column("case_until", sa.BigInteger(), nullable=False),
        sa.Column("inbox_until", sa.BigInteger(), nullable=False),
        sa.Column("outbox_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("pause")
