"""Apps that are watched without a table of their own"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store import types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "included",
        sa.Column("target", types.SafeText(), nullable=False),
        sa.Column("external_id", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("name", types.SafeText(), nullable=False),
        sa.Column("since", types.UtcDateTime(), nullable=False),
        sa.Column("gone_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("target", "external_id", "env"),
        sa.UniqueConstraint("app", "env"),
    )


def downgrade() -> None:
    op.drop_table("included")
