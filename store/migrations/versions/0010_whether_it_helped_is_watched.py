"""After a rollback the alert and the metric are watched: which ones still are is looked up"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rollback",
        sa.Column("watched", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index(
        "rollback_watched",
        "rollback",
        ["id"],
        sqlite_where=sa.text("watched = 1"),
        postgresql_where=sa.text("watched"),
    )


def downgrade() -> None:
    op.drop_index("rollback_watched", table_name="rollback")
    op.drop_column("rollback", "watched")
