"""The oldest row that waits is found without a walk past all that were done before it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_WAITS = sa.text("done_at IS NULL")


def upgrade() -> None:
    for table in ("inbox", "outbox"):
        op.create_index(
            f"{table}_next", table, ["id"], sqlite_where=_WAITS, postgresql_where=_WAITS
        )
    op.drop_index("inbox_waiting", table_name="inbox")  # the same rows, in an order of no use


def downgrade() -> None:
    op.create_index(
        "inbox_waiting",
        "inbox",
        ["not_before", "id"],
        sqlite_where=_WAITS,
        postgresql_where=_WAITS,
    )
    for table in ("outbox", "inbox"):
        op.drop_index(f"{table}_next", table_name=table)
