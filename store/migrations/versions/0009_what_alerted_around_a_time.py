"""Alerts are looked up by environment and time: which apps alarmed together"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("firing_env_start", "firing", ["env", "starts_at"])


def downgrade() -> None:
    op.drop_index("firing_env_start", table_name="firing")
