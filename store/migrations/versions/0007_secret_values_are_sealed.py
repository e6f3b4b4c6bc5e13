"""Secret values of editors' drafts are sealed while a rollback is executed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store import types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seal",
        sa.Column("rollback_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["rollback_id"], ["rollback.id"]),
        sa.PrimaryKeyConstraint("rollback_id"),
    )


def downgrade() -> None:
    op.drop_table("seal")
