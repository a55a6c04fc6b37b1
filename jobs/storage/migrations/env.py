"""Alembic's entry: runs on the connection that `jobs.storage.database` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from jobs.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction is the transaction
)
context.run_migrations()
