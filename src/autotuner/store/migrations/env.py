"""Run by Alembic only: applies revisions on the connection, and in the transaction, that the caller opened."""

from alembic import context

from autotuner.store.models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
