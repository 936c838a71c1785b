"""Tasks, experiments, attempts, measurements, events.

Types are spelled out: a revision must not change when the models do.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "tasks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(128), nullable=False),
        sa.Column("identity", sa.JSON(), nullable=False),
        sa.Column("next_seq", KEY, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("elapsed_s", sa.Double(), nullable=False),
        sa.Column("result", sa.JSON()),
        sa.Column("error", sa.JSON()),
        sa.Column("stop_reason", sa.Text()),
        sa.Column("deleted_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sqlite_autoincrement=True,
    )
    undeleted = sa.text("deleted_at IS NULL")
    op.create_index(
        "uq_tasks_name_undeleted", "tasks", ["name"], unique=True, sqlite_where=undeleted, postgresql_where=undeleted
    )
    op.create_index("ix_tasks_status_id", "tasks", ["status", "id"])
    op.create_index("ix_tasks_deleted_at", "tasks", ["deleted_at"])

    op.create_table(
        "experiments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("identity", sa.String(128), nullable=False),
        sa.Column("metrics", sa.JSON()),
        sa.Column("objective_score", sa.Double()),
        sa.Column("penalised_score", sa.Double()),
        sa.Column("slo", sa.JSON()),
        sa.Column("failure", sa.JSON()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
        _reference("experiments", "task_id", "tasks"),
        sa.UniqueConstraint("task_id", "number", name="uq_experiments_task_id_number"),
        sa.UniqueConstraint("task_id", "identity", name="uq_experiments_task_id_identity"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_experiments_task_id_status", "experiments", ["task_id", "status"])

    op.create_table(
        "attempts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("experiment_id", KEY, nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("block", sa.Integer()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("job", sa.JSON()),
        sa.Column("handle", sa.JSON()),
        sa.Column("base_url", sa.Text()),
        sa.Column("engine_version", sa.Text()),
        sa.Column("host", sa.JSON(), nullable=False),
        sa.Column("failure", sa.JSON()),
        sa.Column("phase_seconds", sa.JSON(), nullable=False),
        sa.Column("peak_rss_bytes", KEY),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        _reference("attempts", "experiment_id", "experiments"),
        _reference("attempts", "task_id", "tasks"),
        sa.UniqueConstraint("experiment_id", "number", name="uq_attempts_experiment_id_number"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attempts_task_id_id", "attempts", ["task_id", "id"])

    op.create_table(
        "measurements",
        sa.Column("id", KEY, nullable=False),
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("experiment_id", KEY, nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("measurement", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_measurements"),
        _reference("measurements", "attempt_id", "attempts"),
        _reference("measurements", "experiment_id", "experiments"),
        _reference("measurements", "task_id", "tasks"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_measurements_task_id_id", "measurements", ["task_id", "id"])
    op.create_index("ix_measurements_experiment_id_id", "measurements", ["experiment_id", "id"])
    op.create_index("ix_measurements_attempt_id", "measurements", ["attempt_id"])

    op.create_table(
        "events",
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("seq", KEY, nullable=False, autoincrement=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("experiment_id", KEY),
        sa.Column("timestamp", TIME, nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "seq", name="pk_events"),
        _reference("events", "task_id", "tasks"),
        _reference("events", "experiment_id", "experiments"),
    )
    op.create_index("ix_events_experiment_id_seq", "events", ["experiment_id", "seq"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("events", "measurements", "attempts", "experiments", "tasks"):
        op.drop_table(table)
