"""Reports are sealed under the account's key, as they were not in the audit; a pending receipt for every platform"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    reports = op.create_table(
        "reports",
        sa.Column("id", number, nullable=False),
        sa.Column("account_id", number, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("announced_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_reports_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_reports_account_id"), "reports", ["account_id"])
    keyring = context.config.attributes["keyring"]
    written = op.get_bind().execute(
        sa.text(
            "SELECT audit.account_id, audit.facts, audit.at, accounts.token, accounts.wrapped_key FROM audit"
            " JOIN accounts ON accounts.id = audit.account_id"
            " WHERE audit.what = 'report' AND accounts.wrapped_key IS NOT NULL"
        )
    )
    rows = [
        {
            "account_id": row.account_id,
            "sealed": keyring.unwrap(row.token, row.wrapped_key).seal(json.loads(row.facts)["text"].encode(), "report"),
            "created_at": row.at,
        }
        for row in written
    ]
    if rows:
        op.bulk_insert(reports, rows)
    op.execute("DELETE FROM audit WHERE what = 'report'")
    waiting = [dict(row._mapping) for row in op.get_bind().execute(sa.text("SELECT * FROM pending_receipts"))]
    op.drop_table("pending_receipts")
    made = op.create_table(
        "pending_receipts",
        sa.Column("id", number, nullable=False),
        sa.Column("account", number, nullable=False),
        sa.Column("platform", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_receipts")),
        sa.UniqueConstraint("account", "platform", name=op.f("uq_pending_receipts_account_platform")),
        sqlite_autoincrement=True,
    )
    if waiting:
        op.bulk_insert(made, waiting)


def downgrade() -> None:
    op.drop_table("reports")
