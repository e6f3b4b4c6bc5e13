"""What ran by break-glass is reviewed: which rollbacks wait for it is looked up"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rollback",
        sa.Column("review_open", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index(
        "rollback_to_review",
        "rollback",
        ["id"],
        sqlite_where=sa.text("review_open"),
        postgresql_where=sa.text("review_open"),
    )


def downgrade() -> None:
    op.drop_index("rollback_to_review", table_name="rollback")
    op.drop_column("rollback", "review_open")
