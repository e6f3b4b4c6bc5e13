"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store import chain, types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("timestamp", types.SafeText(), nullable=False),
        sa.Column("user_id", types.SafeText(), nullable=False),
        sa.Column("action", types.SafeText(), nullable=False),
        sa.Column("resource", types.SafeText(), nullable=False),
        sa.Column("status", types.SafeText(), nullable=False),
        sa.Column("ip_addr", types.SafeText(), nullable=True),
        sa.Column("ip_note", types.SafeText(), nullable=False),
        sa.Column("what", types.JsonText(), nullable=False),
        sa.Column("trace_id", types.SafeText(), nullable=False),
        sa.Column("prev", types.SafeText(), nullable=False),
        sa.Column("hash", types.SafeText(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", types.SafeText(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "cases",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("state", types.SafeText(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", types.UtcDateTime(), nullable=False),
        sa.Column("closed_at", types.UtcDateTime(), nullable=True),
        sa.Column("assess_at", types.UtcDateTime(), nullable=True),
        sa.Column("channel", types.SafeText(), nullable=False),
        sa.Column("card_ts", types.SafeText(), nullable=False),
        sa.Column("finding", types.JsonText(), nullable=True),
        sa.Column("rollback_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.create_index("case_due", ["assess_at"], unique=False)
        batch_op.create_index(
            "case_one_open",
            ["app", "env"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "condemned",
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("meaning", types.SafeText(), nullable=False),
        sa.Column("rollback_id", sa.BigInteger(), nullable=True),
        sa.Column("since", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("app", "env", "meaning"),
    )
    op.create_table(
        "delivery",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("digest", types.SafeText(), nullable=False),
        sa.Column("source", types.SafeText(), nullable=False),
        sa.Column("receiver", types.SafeText(), nullable=False),
        sa.Column("group_key", types.SafeText(), nullable=False),
        sa.Column("truncated", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", types.UtcDateTime(), nullable=False),
        sa.Column("last_seen", types.UtcDateTime(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "event",
        sa.Column("aggregate", types.SafeText(), nullable=False),
        sa.Column("aggregate_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.SafeText(), nullable=False),
        sa.Column("data", types.JsonText(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("aggregate", "aggregate_id", "sequence"),
    )
    op.create_table(
        "inbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("digest", types.SafeText(), nullable=False),
        sa.Column("kind", types.SafeText(), nullable=False),
        sa.Column("action", types.SafeText(), nullable=False),
        sa.Column("slack_id", types.SafeText(), nullable=False),
        sa.Column("team_id", types.SafeText(), nullable=False),
        sa.Column("payload", types.JsonText(), nullable=False),
        sa.Column("received_at", types.UtcDateTime(), nullable=False),
        sa.Column("not_before", types.UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("owner", types.SafeText(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.Column("done_at", types.UtcDateTime(), nullable=True),
        sa.Column("outcome", types.SafeText(), nullable=False),
        sa.Column("last_error", types.SafeText(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index(
            "inbox_waiting",
            ["not_before", "id"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )

    op.create_table(
        "manifest",
        sa.Column("root", types.SafeText(), nullable=False),
        sa.Column("meaning", types.SafeText(), nullable=False),
        sa.Column("mode", types.SafeText(), nullable=False),
        sa.Column("parts", types.JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("root"),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("dedupe_id", types.SafeText(), nullable=False),
        sa.Column("kind", types.SafeText(), nullable=False),
        sa.Column("destination", types.SafeText(), nullable=False),
        sa.Column("order_key", types.SafeText(), nullable=False),
        sa.Column("coalesce_key", types.SafeText(), nullable=True),
        sa.Column("body", types.JsonText(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("not_before", types.UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("owner", types.SafeText(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.Column("done_at", types.UtcDateTime(), nullable=True),
        sa.Column("outcome", types.SafeText(), nullable=False),
        sa.Column("reference", types.SafeText(), nullable=False),
        sa.Column("last_error", types.SafeText(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedupe_id"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(
            "outbox_waiting",
            ["order_key", "id"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )

    op.create_table(
        "part",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("hash", types.SafeText(), nullable=False),
        sa.Column("encoding", types.SafeText(), nullable=False),
        sa.Column("base_id", sa.BigInteger(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["base_id"],
            ["part.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "slot",
        sa.Column("job", types.SafeText(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("owner", types.SafeText(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("job", "slot"),
    )
    with op.batch_alter_table("slot", schema=None) as batch_op:
        batch_op.create_index("slot_old", ["lease_until"], unique=False)

    op.create_table(
        "firing",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("source", types.SafeText(), nullable=False),
        sa.Column("fingerprint", types.SafeText(), nullable=False),
        sa.Column("starts_at", types.UtcDateTime(), nullable=False),
        sa.Column("ends_at", types.UtcDateTime(), nullable=True),
        sa.Column("status", types.SafeText(), nullable=False),
        sa.Column("seen_status", types.SafeText(), nullable=False),
        sa.Column("app", types.SafeText(), nullable=True),
        sa.Column("env", types.SafeText(), nullable=True),
        sa.Column("app_label", types.SafeText(), nullable=False),
        sa.Column("env_label", types.SafeText(), nullable=False),
        sa.Column("labels", types.JsonText(), nullable=False),
        sa.Column("annotations", types.JsonText(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.Column("first_seen", types.UtcDateTime(), nullable=False),
        sa.Column("last_seen", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "fingerprint", "starts_at"),
    )
    with op.batch_alter_table("firing", schema=None) as batch_op:
        batch_op.create_index("firing_case", ["case_id"], unique=False)

    op.create_table(
        "rollback",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("state", types.SafeText(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.Column("content_digest", types.SafeText(), nullable=False),
        sa.Column("requested_by", types.SafeText(), nullable=False),
        sa.Column("reason", types.SafeText(), nullable=False),
        sa.Column("risk", types.SafeText(), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("policy", types.JsonText(), nullable=False),
        sa.Column("owner", types.SafeText(), nullable=False),
        sa.Column("lease_epoch", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.Column("record", types.JsonText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("rollback", schema=None) as batch_op:
        batch_op.create_index("rollback_state", ["state", "id"], unique=False)

    op.create_table(
        "version",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("kind", types.SafeText(), nullable=False),
        sa.Column("source", types.SafeText(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("root", types.SafeText(), nullable=False),
        sa.Column("meaning", types.SafeText(), nullable=False),
        sa.Column("external_id", types.SafeText(), nullable=False),
        sa.Column("external_hash", types.SafeText(), nullable=False),
        sa.Column("external_name", types.SafeText(), nullable=False),
        sa.Column("external_comment", types.SafeText(), nullable=False),
        sa.Column("author", types.SafeText(), nullable=False),
        sa.Column("published_at", types.UtcDateTime(), nullable=False),
        sa.Column("recorded_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["root"],
            ["manifest.root"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.create_index(
            "version_external",
            ["app", "env", "external_id"],
            unique=True,
            sqlite_where=sa.text("number IS NOT NULL"),
            postgresql_where=sa.text("number IS NOT NULL"),
        )
        batch_op.create_index("version_number", ["app", "env", "number"], unique=True)
        batch_op.create_index(
            "version_draft",
            ["app", "env", "root"],
            unique=True,
            sqlite_where=sa.text("number IS NULL"),
            postgresql_where=sa.text("number IS NULL"),
        )

    op.create_table(
        "leg",
        sa.Column("rollback_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("app", types.SafeText(), nullable=False),
        sa.Column("env", types.SafeText(), nullable=False),
        sa.Column("from_version_id", sa.BigInteger(), nullable=False),
        sa.Column("to_version_id", sa.BigInteger(), nullable=False),
        sa.Column("live_root", types.SafeText(), nullable=False),
        sa.Column("expected_root", types.SafeText(), nullable=False),
        sa.Column("change_digest", types.SafeText(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollback_id"],
            ["rollback.id"],
        ),
        sa.PrimaryKeyConstraint("rollback_id", "position"),
    )
    with op.batch_alter_table("leg", schema=None) as batch_op:
        batch_op.create_index(
            "leg_one_open",
            ["app", "env"],
            unique=True,
            sqlite_where=sa.text("open"),
            postgresql_where=sa.text("open"),
        )

    op.create_table(
        "vote",
        sa.Column("rollback_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("person", types.SafeText(), nullable=False),
        sa.Column("slack_id", types.SafeText(), nullable=False),
        sa.Column("team_id", types.SafeText(), nullable=False),
        sa.Column("choice", types.SafeText(), nullable=False),
        sa.Column("digest", types.SafeText(), nullable=False),
        sa.Column("groups", types.JsonText(), nullable=False),
        sa.Column("reason", types.SafeText(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("voided_at", types.UtcDateTime(), nullable=True),
        sa.Column("voided_why", types.SafeText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollback_id"],
            ["rollback.id"],
        ),
        sa.PrimaryKeyConstraint("rollback_id", "position"),
    )
    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.create_index(
            "vote_one_a_person",
            ["rollback_id", "person"],
            unique=True,
            sqlite_where=sa.text("voided_at IS NULL"),
            postgresql_where=sa.text("voided_at IS NULL"),
        )

    _start_chain()
    _make_append_only()


def downgrade() -> None:
    _drop_append_only()
    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.drop_index(
            "vote_one_a_person",
            sqlite_where=sa.text("voided_at IS NULL"),
            postgresql_where=sa.text("voided_at IS NULL"),
        )

    op.drop_table("vote")
    with op.batch_alter_table("leg", schema=None) as batch_op:
        batch_op.drop_index(
            "leg_one_open", sqlite_where=sa.text("open"), postgresql_where=sa.text("open")
        )

    op.drop_table("leg")
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.drop_index("version_draft")
        batch_op.drop_index("version_number")
        batch_op.drop_index("version_external")

    op.drop_table("version")
    with op.batch_alter_table("rollback", schema=None) as batch_op:
        batch_op.drop_index("rollback_state")

    op.drop_table("rollback")
    with op.batch_alter_table("firing", schema=None) as batch_op:
        batch_op.drop_index("firing_case")

    op.drop_table("firing")
    with op.batch_alter_table("slot", schema=None) as batch_op:
        batch_op.drop_index("slot_old")

    op.drop_table("slot")
    op.drop_table("part")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "outbox_waiting",
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )

    op.drop_table("outbox")
    op.drop_table("manifest")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index(
            "inbox_waiting",
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )

    op.drop_table("inbox")
    op.drop_table("event")
    op.drop_table("delivery")
    op.drop_table("condemned")
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.drop_index(
            "case_one_open",
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index("case_due")

    op.drop_table("cases")
    op.drop_table("audit_head")
    op.drop_table("audit")


def _start_chain() -> None:
    """The head row that whoever appends locks first."""
    heads = sa.table("audit_head", sa.column("id"), sa.column("seq"), sa.column("hash"))
    op.bulk_insert(heads, [{"id": 1, "seq": 0, "hash": chain.GENESIS}])


def _make_append_only() -> None:
    """Let the database itself refuse to change or remove audit entries."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END"
            )
        # REPLACE fires no delete trigger: https://www.sqlite.org/lang_replace.html
        op.execute(
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
            "WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq) "
            "BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit entries are never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
    op.execute(
        "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )


def _drop_append_only() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_append_only ON audit")
        op.execute("DROP TRIGGER audit_no_truncate ON audit")
        op.execute("DROP FUNCTION audit_refuse()")
