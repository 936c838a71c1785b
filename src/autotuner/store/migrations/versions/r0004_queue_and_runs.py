"""What a service needs: the queue, workers, runs of a task, repeated requests, webhooks, and indexes for its lists."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
PRESENT = "deleted_at IS NULL AND archived_at IS NULL"
PRESENT_INDEXES = {
    "id": ["id", "status", "queued_at"],
    "status": ["status", "id", "queued_at"],
    "name": ["name_folded", "id", "status", "queued_at", "updated_at"],
    "updated": ["updated_at", "id", "status", "queued_at"],
}
EXPERIMENT_INDEXES = {
    "ix_experiments_of_all": ["id", "task_id"],
    "ix_experiments_of_status": ["status", "id", "task_id"],
    "ix_experiments_of_task": ["task_id", "number", "status", "origin", "slo_violation"],
    "ix_experiments_by_score": ["task_id", "objective_score", "number", "status", "origin", "slo_violation"],
}


def upgrade() -> None:
    """Add the columns, tables and indexes. Every task is the first run of itself, and none is in the queue."""
    op.add_column("tasks", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("queued_at", TIME))
    op.add_column("tasks", sa.Column("worker_id", KEY))
    op.add_column("tasks", sa.Column("run", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("tasks", sa.Column("run_of", KEY))
    op.add_column("tasks", sa.Column("archived_at", TIME))
    op.add_column("tasks", sa.Column("held_by", KEY))
    for name in ("engine", "model", "objective"):
        op.add_column("tasks", sa.Column(name, sa.Text()))
    op.add_column("tasks", sa.Column("best_score", sa.Double()))
    op.add_column("experiments", sa.Column("slo_violation", sa.Boolean()))
    _fill()
    op.create_index("ix_tasks_run_of_id", "tasks", ["run_of", "id"])
    for name, columns in PRESENT_INDEXES.items():
        op.create_index(
            f"ix_tasks_present_{name}",
            "tasks",
            columns,
            sqlite_where=sa.text(PRESENT),
            postgresql_where=sa.text(PRESENT),
        )
    op.create_index(
        "ix_tasks_queue",
        "tasks",
        ["priority", "queued_at", "id"],
        sqlite_where=sa.text("queued_at IS NOT NULL"),
        postgresql_where=sa.text("queued_at IS NOT NULL"),
    )
    for name, columns in EXPERIMENT_INDEXES.items():
        op.create_index(name, "experiments", columns)
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
    op.drop_index("ix_events_retried", "events")
    op.drop_index("ix_attempts_failed", "attempts")
    for index in EXPERIMENT_INDEXES:
        op.drop_index(index, "experiments")
    for index in ("ix_tasks_queue", "ix_tasks_run_of_id", *(f"ix_tasks_present_{name}" for name in PRESENT_INDEXES)):
        op.drop_index(index, "tasks")
    op.drop_column("experiments", "slo_violation")
    for column in ("best_score", "objective", "model", "engine"):
        op.drop_column("tasks", column)
    for column in ("held_by", "archived_at", "run_of", "run", "worker_id", "queued_at", "priority"):
        op.drop_column("tasks", column)


def _part(document: dict[str, Any], block: str) -> dict[str, Any]:
    found = document.get(block)
    return found if isinstance(found, dict) else {}


def _fill() -> None:
    """What lists show of the tasks and experiments that are there."""
    connection = op.get_bind()
    tasks = sa.table(
        "tasks",
        sa.column("id", KEY),
        *(sa.column(name, sa.JSON()) for name in ("document", "identity", "result")),
        *(sa.column(name, sa.Text()) for name in ("engine", "model", "objective")),
        sa.column("best_score", sa.Double()),
    )
    for task_id in connection.execute(sa.select(tasks.c.id)).scalars().all():
        row = connection.execute(sa.select(tasks).where(tasks.c.id == task_id)).mappings().one()
        document = row["document"]
        winner = (row["result"] or {}).get("winner") or {}
        connection.execute(
            sa.update(tasks)
            .where(tasks.c.id == task_id)
            .values(
                engine=row["identity"].get("engine") or document.get("base_runtime"),
                model=_words(_part(document, "model").get("id_or_path")),
                objective=_words(_part(document, "optimization").get("objective")),
                best_score=winner.get("score") if isinstance(winner.get("score"), int | float) else None,
            )
        )
    experiments = sa.table("experiments", sa.column("slo", sa.JSON()), sa.column("slo_violation", sa.Boolean()))
    connection.execute(
        sa.update(experiments)
        .where(experiments.c.slo.is_not(None))
        .values(slo_violation=experiments.c.slo["slo_violation"].as_boolean())
    )


def _words(value: object) -> str | None:
    return ", ".join(map(str, value)) if isinstance(value, list) else value if isinstance(value, str) else None
