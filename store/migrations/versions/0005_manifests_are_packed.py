"""Manifests are packed: as bytes, and as what differs from another one"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from store import types
from store.manifests import pack, unpack

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BATCH = 200
_MANIFEST = sa.table(
    "manifest", sa.column("root"), sa.column("base"), sa.column("parts"), sa.column("packed")
)


def upgrade() -> None:
    op.add_column("manifest", sa.Column("base", types.SafeText(), nullable=True))
    op.add_column(
        "manifest",
        sa.Column("packed", sa.LargeBinary(), nullable=False, server_default=sa.text("''")),
    )
    for root, _, parts in _rows(_MANIFEST.c.parts):
        _set(root, packed=pack(dict(json.loads(parts))))
    op.drop_column("manifest", "parts")


def downgrade() -> None:
    op.add_column(
        "manifest", sa.Column("parts", types.JsonText(), nullable=False, server_default="[]")
    )
    whole = {}
    for root, base, packed in _rows(_MANIFEST.c.packed):
        if base is None:
            whole[root] = unpack(packed)
    for root, base, packed in _rows(_MANIFEST.c.packed):
        manifest = whole[root] if base is None else unpack(packed, whole[base])
        _set(root, parts=json.dumps([*manifest.items()]))
    op.drop_column("manifest", "packed")
    op.drop_column("manifest", "base")


def _rows(column: sa.ColumnClause[Any]) -> Iterator[tuple[str, str | None, Any]]:
    """Yield (root, base, *column*) of every row, some at a time."""
    after = ""
    table = _MANIFEST.c
    while True:
        query = sa.select(table.root, table.base, column).where(table.root > after)
        rows = op.get_bind().execute(query.order_by(table.root).limit(_BATCH)).all()
        if not rows:
            return
        yield from ((root, base, value) for root, base, value in rows)
        after = rows[-1][0]


def _set(root: str, **values: object) -> None:
    changed = sa.update(_MANIFEST).where(_MANIFEST.c.root == root).values(values)
    op.get_bind().execute(changed)
