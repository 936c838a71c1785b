"""The tables. Rows refer to each other by key only: there is nothing to load lazily.

Columns bear the names of the record fields in ``autotuner.contracts.store``, so a row validates as its record.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Double, ForeignKey, Index, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from autotuner.store.columns import FreeText, Json, Key, UtcDateTime


class Base(DeclarativeBase):
    """Base of the tables; names every constraint, so that a migration can find it again."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


PRESENT = "deleted_at IS NULL AND archived_at IS NULL"
PRESENT_INDEXES = {
    "id": ("id", "status", "queued_at"),
    "status": ("status", "id", "queued_at"),
    "name": ("name_folded", "id", "status", "queued_at", "updated_at"),
    "updated": ("updated_at", "id", "status", "queued_at"),
}


class Task(Base):
    """A tuning job."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index(
            "uq_tasks_name_undeleted",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_tasks_status_id", "status", "id"),
        Index("ix_tasks_deleted_at", "deleted_at"),
        Index("ix_tasks_run_of_id", "run_of", "id"),
        # What lists of present tasks filter and sort by, so that they and their totals read no rows but a page's.
        *(
            Index(f"ix_tasks_present_{name}", *columns, sqlite_where=text(PRESENT), postgresql_where=text(PRESENT))
            for name, columns in PRESENT_INDEXES.items()
        ),
        # The queue; all other tasks are no part of it.
        Index(
            "ix_tasks_queue",
            "priority",
            "queued_at",
            "id",
            sqlite_where=text("queued_at IS NOT NULL"),
            postgresql_where=text("queued_at IS NOT NULL"),
        ),
        # A number that was given once is never given again, also after a purge: artefacts are filed under it.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(FreeText)
    name_folded: Mapped[str] = mapped_column(FreeText)
    """The name without case, for the search: the databases fold ASCII only, or by locale."""
    status: Mapped[str] = mapped_column(String(16))
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    parameters: Mapped[dict[str, Any]] = mapped_column(Json)
    fingerprint: Mapped[str] = mapped_column(String(128))
    identity: Mapped[dict[str, Any]] = mapped_column(Json)
    next_seq: Mapped[int] = mapped_column(Key)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    elapsed_s: Mapped[float] = mapped_column(Double)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    stop_reason: Mapped[str | None] = mapped_column(FreeText)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    priority: Mapped[int]
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # No constraint on the next two: SQLite could add it to a table with rows by a rebuild only.
    worker_id: Mapped[int | None] = mapped_column(Key)
    """The worker that has claimed it; who really runs it is told by its lock."""
    run: Mapped[int]
    run_of: Mapped[int | None] = mapped_column(Key)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    held_by: Mapped[int | None] = mapped_column(Key)
    """PostgreSQL: a number that the last who took its lock has drawn; see ``session_lock``."""
    # For lists, which do not read documents and results.
    engine: Mapped[str | None] = mapped_column(FreeText)
    model: Mapped[str | None] = mapped_column(FreeText)
    objective: Mapped[str | None] = mapped_column(FreeText)
    best_score: Mapped[float | None] = mapped_column(Double)
    outcome: Mapped[dict[str, Any] | None] = mapped_column(Json)


class Experiment(Base):
    """One distinct configuration of a task."""

    __tablename__ = "experiments"
    __table_args__ = (
        UniqueConstraint("task_id", "number"),
        UniqueConstraint("task_id", "identity"),
        Index(None, "task_id", "status"),
        # For lists and their totals: of all tasks, of those with one status; of one task in its order, and by score.
        Index("ix_experiments_of_all", "id", "task_id"),
        Index("ix_experiments_of_status", "status", "id", "task_id"),
        Index("ix_experiments_of_task", "task_id", "number", "status", "origin", "slo_violation"),
        Index("ix_experiments_by_score", "task_id", "objective_score", "number", "status", "origin", "slo_violation"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    task_id: Mapped[int] = mapped_column(Key, ForeignKey("tasks.id", ondelete="CASCADE"))
    number: Mapped[int]
    origin: Mapped[str] = mapped_column(String(16))
    label: Mapped[str | None] = mapped_column(FreeText)
    status: Mapped[str] = mapped_column(String(16))
    parameters: Mapped[dict[str, Any]] = mapped_column(Json)
    identity: Mapped[str] = mapped_column(String(128))
    metrics: Mapped[dict[str, Any] | None] = mapped_column(Json)
    objective_score: Mapped[float | None] = mapped_column(Double)
    penalised_score: Mapped[float | None] = mapped_column(Double)
    slo: Mapped[dict[str, Any] | None] = mapped_column(Json)
    slo_violation: Mapped[bool | None]
    """That of ``slo``, for lists."""
    failure: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Attempt(Base):
    """One server start for an experiment."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("experiment_id", "number"),
        Index(None, "task_id", "id"),
        Index(
            "ix_attempts_failed",
            "task_id",
            "experiment_id",
            sqlite_where=text("status = 'failed'"),
            postgresql_where=text("status = 'failed'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    experiment_id: Mapped[int] = mapped_column(Key, ForeignKey("experiments.id", ondelete="CASCADE"))
    task_id: Mapped[int] = mapped_column(Key, ForeignKey("tasks.id", ondelete="CASCADE"))
    number: Mapped[int]
    reason: Mapped[str] = mapped_column(String(16))
    block: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(16))
    job: Mapped[dict[str, Any] | None] = mapped_column(Json)
    handle: Mapped[dict[str, Any] | None] = mapped_column(Json)
    base_url: Mapped[str | None] = mapped_column(FreeText)
    engine_version: Mapped[str | None] = mapped_column(FreeText)
    host: Mapped[dict[str, Any]] = mapped_column(Json)
    answers: Mapped[dict[str, Any] | None] = mapped_column(Json)
    failure: Mapped[dict[str, Any] | None] = mapped_column(Json)
    phase_seconds: Mapped[dict[str, Any]] = mapped_column(Json)
    peak_rss_bytes: Mapped[int | None] = mapped_column(Key)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MeasurementEntry(Base):
    """One load point × one repeat within an attempt."""

    __tablename__ = "measurements"
    __table_args__ = (
        Index(None, "task_id", "id"),
        Index(None, "experiment_id", "id"),
        Index(None, "attempt_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(Key, ForeignKey("attempts.id", ondelete="CASCADE"))
    experiment_id: Mapped[int] = mapped_column(Key, ForeignKey("experiments.id", ondelete="CASCADE"))
    task_id: Mapped[int] = mapped_column(Key, ForeignKey("tasks.id", ondelete="CASCADE"))
    measurement: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EventEntry(Base):
    """One line of a task's event log; never changed."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "experiment_id", "seq"),
        Index(
            "ix_events_retried",
            "task_id",
            "seq",
            sqlite_where=text("type = 'experiment_retried'"),
            postgresql_where=text("type = 'experiment_retried'"),
        ),
    )

    task_id: Mapped[int] = mapped_column(Key, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(32))
    experiment_id: Mapped[int | None] = mapped_column(Key, ForeignKey("experiments.id", ondelete="CASCADE"))
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime)
    message: Mapped[str | None] = mapped_column(FreeText)
    data: Mapped[dict[str, Any]] = mapped_column(Json)


class ParameterPreset(Base):
    """A named set of parameter values, as it is now."""

    __tablename__ = "parameter_presets"
    __table_args__ = (
        UniqueConstraint("name"),
        UniqueConstraint("slug"),
        # Tasks remember the numbers of presets that they used.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    slug: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(FreeText)
    category: Mapped[str] = mapped_column(String(255))
    runtime: Mapped[str] = mapped_column(String(255))
    is_system: Mapped[bool]
    parameters: Mapped[dict[str, Any]] = mapped_column(Json)
    config: Mapped[dict[str, Any]] = mapped_column(Json)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", Json)
    rules: Mapped[list[Any]] = mapped_column(Json)
    requires: Mapped[list[Any]] = mapped_column(Json)
    owner: Mapped[str | None] = mapped_column(FreeText)
    visibility: Mapped[str] = mapped_column(String(16))
    revision: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PresetRevisionEntry(Base):
    """One state of a preset; never changed."""

    __tablename__ = "preset_revisions"

    preset_id: Mapped[int] = mapped_column(
        Key, ForeignKey("parameter_presets.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(String(16))
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Worker(Base):
    """A process that claims tasks and runs them; it is gone when its row is."""

    __tablename__ = "workers"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(FreeText)
    host: Mapped[str] = mapped_column(FreeText)
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)


class IdempotencyKey(Base):
    """A request that made a task, so that the same request does not make a second one."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request: Mapped[str] = mapped_column(String(128))
    """Hash of what was asked."""
    task_id: Mapped[int] = mapped_column(Key, ForeignKey("tasks.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class WebhookDelivery(Base):
    """The end of a task that is told to an address of somebody's choice, once for each event and address."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook", "task_id", "seq"),
        Index(
            "ix_webhook_deliveries_due",
            "next_at",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    webhook: Mapped[str] = mapped_column(String(255))
    """Name of the webhook in the settings."""
    task_id: Mapped[int] = mapped_column(Key, ForeignKey("tasks.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(Key)
    state: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int]
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(FreeText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
