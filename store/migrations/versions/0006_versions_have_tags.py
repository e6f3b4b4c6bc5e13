"""Versions have tags: names that people give them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store import types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tag",
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("name", types.SafeText(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", types.SafeText(), nullable=False),
        sa.Column("since", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"]),
        sa.PrimaryKeyConstraint("app", "env", "name"),
    )
    op.create_index("tag_version", "tag", ["version_id"])


def downgrade() -> None:
    op.drop_index("tag_version", table_name="tag")
    op.drop_table("tag")
