"""What audit entries are about is looked up: by people, and for the record of a rollback"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("audit_resource", "audit", ["resource", "seq"])


def downgrade() -> None:
    op.drop_index("audit_resource", table_name="audit")
