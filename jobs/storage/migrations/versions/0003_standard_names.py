"""Tables and columns get the field's names: jobs, job_id, priority, pending_receipts"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = (
    ("jobs", "turn", "priority"),
    ("sittings", "order_id", "job_id"),
    ("portraits", "order_id", "job_id"),
    ("outbox", "order_id", "job_id"),
    ("outbox", "job", "arq_id"),
    ("outbox", "turn", "priority"),
    ("outbox", "word", "type"),
)
INDEXES = (
    ("jobs", "ix_orders_account_id", "ix_jobs_account_id", ("account_id",)),
    ("jobs", "ix_orders_queue_state_turn", "ix_jobs_queue_state_priority", ("queue", "state", "priority")),
    ("portraits", "ix_portraits_order_id", "ix_portraits_job_id", ("job_id",)),
    ("outbox", "ix_outbox_order_id", "ix_outbox_job_id", ("job_id",)),
)
CONSTRAINTS = (  # names; SQLite keeps the old ones inside of its tables, where nothing asks for them
    ("jobs", "pk_orders", "pk_jobs"),
    ("jobs", "fk_orders_account_id", "fk_jobs_account_id"),
    ("jobs", "uq_orders_account_id_ref", "uq_jobs_account_id_ref"),
    ("sittings", "fk_sittings_order_id", "fk_sittings_job_id"),
    ("sittings", "uq_sittings_order_id", "uq_sittings_job_id"),
    ("portraits", "fk_portraits_order_id", "fk_portraits_job_id"),
    ("outbox", "fk_outbox_order_id", "fk_outbox_job_id"),
    ("outbox", "uq_outbox_job", "uq_outbox_arq_id"),
    ("pending_receipts", "pk_farewells", "pk_pending_receipts"),
    ("pending_receipts", "uq_farewells_account", "uq_pending_receipts_account"),
)


def upgrade() -> None:
    op.rename_table("orders", "jobs")
    op.rename_table("farewells", "pending_receipts")
    for table, old, new in COLUMNS:
        op.execute(f'ALTER TABLE {table} RENAME COLUMN "{old}" TO "{new}"')
    for table, old, new, columns in INDEXES:
        op.drop_index(old, table_name=table)
        op.create_index(new, table, columns)
    _rename_constraints(1, 2)
    # what waits for a worker is sent again, as this version sends it
    op.execute("UPDATE outbox SET sent_at = NULL WHERE type = 'work'")


def downgrade() -> None:
    op.execute("UPDATE outbox SET sent_at = NULL WHERE type = 'work'")
    _rename_constraints(2, 1)
    for table, _, new, _ in INDEXES:
        op.drop_index(new, table_name=table)
    for table, old, new in COLUMNS:
        op.execute(f'ALTER TABLE {table} RENAME COLUMN "{new}" TO "{old}"')
    old_names = {(table, new): old for table, old, new in COLUMNS}
    for table, old, _, columns in INDEXES:
        op.create_index(old, table, [old_names.get((table, column), column) for column in columns])
    op.rename_table("pending_receipts", "farewells")
    op.rename_table("jobs", "orders")


def _rename_constraints(old: int, new: int) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for names in CONSTRAINTS:
            op.execute(f"ALTER TABLE {names[0]} RENAME CONSTRAINT {names[old]} TO {names[new]}")
