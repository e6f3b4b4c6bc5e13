"""What workers ask for every second is found without reading all that ever was"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEXES = (
    ("firing_unseen", "firing", ["id"], "status <> seen_status"),
    ("firing_untaken", "firing", ["starts_at", "id"], "case_id IS NULL"),
    ("outbox_replaceable", "outbox", ["coalesce_key", "id"], "done_at IS NULL"),
)


def upgrade() -> None:
    for name, table, columns, only in _INDEXES:
        where = sa.text(only)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, table, *_ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
