"""What a service needs: the queue, workers, runs of a task, repeated requests, webhooks, and indexes for its lists."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns, tables and indexes. Every task is the first run of itself, and none is in the queue."""
    op.add_column("tasks", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("queued_at", TIME))
    op.add_column("tasks", sa.Column("worker_id", KEY))
    op.add_column("tasks", sa.Column("run", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("tasks", sa.Column("run_of", KEY))
    op.add_column("tasks", sa.Column("archived_at", TIME))
    op.add_column("tasks", sa.Column("held_by", KEY))
    op.create_index("ix_tasks_updated_at_id", "tasks", ["updated_at", "id"])
    op.create_index("ix_tasks_name_folded_id", "tasks", ["name_folded", "id"])
    op.create_index("ix_tasks_run_of", "tasks", ["run_of"])
    op.create_index(
        "ix_tasks_queue",
        "tasks",
        ["priority", "queued_at", "id"],
        sqlite_where=sa.text("queued_at IS NOT NULL"),
        postgresql_where=sa.text("queued_at IS NOT NULL"),
    )
    op.create_index("ix_experiments_status_id", "experiments", ["status", "id"])
    op.create_index("ix_experiments_task_id_objective_score", "experiments", ["task_id", "objective_score"])
    failed, retried = sa.text("status = 'failed'"), sa.text("type = 'experiment_retried'")
    op.create_index(
        "ix_attempts_failed", "attempts", ["task_id", "experiment_id"], sqlite_where=failed, postgresql_where=failed
    )
    op.create_index("ix_events_retried", "events", ["task_id", "seq"], sqlite_where=retried, postgresql_where=retried)
    op.create_table(
        "workers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("heartbeat_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request", sa.String(128), nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency_keys"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_idempotency_keys_task_id", ondelete="CASCADE"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("webhook", sa.String(255), nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("seq", KEY, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_webhook_deliveries_task_id", ondelete="CASCADE"),
        sa.UniqueConstraint("webhook", "task_id", "seq", name="uq_webhook_deliveries_webhook_task_id_seq"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["next_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("webhook_deliveries", "idempotency_keys", "workers"):
        op.drop_table(table)
    for index, table in (
        ("ix_events_retried", "events"),
        ("ix_attempts_failed", "attempts"),
        ("ix_experiments_task_id_objective_score", "experiments"),
        ("ix_experiments_status_id", "experiments"),
        ("ix_tasks_queue", "tasks"),
        ("ix_tasks_run_of", "tasks"),
        ("ix_tasks_name_folded_id", "tasks"),
        ("ix_tasks_updated_at_id", "tasks"),
    ):
        op.drop_index(index, table)
    for column in ("held_by", "archived_at", "run_of", "run", "worker_id", "queued_at", "priority"):
        op.drop_column("tasks", column)
