"""Groups of alerts that came cut short are completed; a storm is neither polled nor read whole"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.types import JsonText, SafeText, UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_WAITS = "case_id IS NULL AND app IS NOT NULL AND status = 'firing'"
_TAKEN = "case_id IS NOT NULL"
_FREE = "case_id IS NULL"
_CHANGED = "status <> seen_status"


def upgrade() -> None:
    op.create_table(
        "truncated",
        sa.Column("source", SafeText(), primary_key=True),
        sa.Column("group_key", SafeText(), primary_key=True),
        sa.Column("receiver", SafeText(), nullable=False),
        sa.Column("group_labels", JsonText(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", SafeText(), nullable=False),
    )
    op.create_index("truncated_due", "truncated", ["due_at"])
    _index("firing_untaken", ["starts_at", "id"], _WAITS)
    _index("firing_unseen", ["case_id", "id"], _CHANGED)
    _index("firing_case", ["case_id", "status", "starts_at", "id"], _TAKEN)


def downgrade() -> None:
    _index("firing_case", ["case_id"])
    _index("firing_unseen", ["id"], _CHANGED)
    _index("firing_untaken", ["starts_at", "id"], _FREE)
    op.drop_index("truncated_due", table_name="truncated")
    op.drop_table("truncated")


def _index(name: str, columns: list[str], where: str = "") -> None:
    """Put an index in place of the one that has its name."""
    op.drop_index(name, table_name="firing")
    only = sa.text(where) if where else None
    op.create_index(name, "firing", columns, sqlite_where=only, postgresql_where=only)
