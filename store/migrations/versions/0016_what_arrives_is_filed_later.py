"""What a webhook brings is written down at the end of one table, and filed from there"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.types import BigId, SafeText, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_WATCHED = sa.text("watched AND set_aside = ''")
_SET_ASIDE = sa.text("set_aside <> ''")


def upgrade() -> None:
    op.create_table(
        "arrival",
        sa.Column("id", BigId, primary_key=True, autoincrement=True),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("watched", sa.Boolean, nullable=False),
        sa.Column("alerts", sa.BigInteger, nullable=False),
        sa.Column("form", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("set_aside", SafeText, nullable=False, server_default=""),
        sqlite_autoincrement=True,  # no id is given twice
    )
    op.create_index(
        "arrival_watched", "arrival", ["id"], sqlite_where=_WATCHED, postgresql_where=_WATCHED
    )
    op.create_index(
        "arrival_set_aside", "arrival", ["id"], sqlite_where=_SET_ASIDE, postgresql_where=_SET_ASIDE
    )


def downgrade() -> None:
    op.drop_table("arrival")
