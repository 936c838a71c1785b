"""What is kept: task → experiment → attempt → measurement, and the event log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pydantic import Field

from autotuner.contracts.attempt import (
    AttemptJob,
    AttemptReason,
    AttemptStatus,
    Failure,
    Handle,
    Phase,
)
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.quality import JudgedAnswers
from autotuner.contracts.values import Frozen, Scalar


class TaskStatus(StrEnum):
    """States of a task."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    CANCELLING = "cancelling"


class ExperimentStatus(StrEnum):
    """States of an experiment."""

    PENDING = "pending"
    DEPLOYING = "deploying"
    BENCHMARKING = "benchmarking"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PRUNED = "pruned"


class ExperimentOrigin(StrEnum):
    """Who asked for an experiment."""

    BASELINE = "baseline"
    REFERENCE = "reference"
    SEARCH = "search"


class EventType(StrEnum):
    """Types of stored events (progress and log notices are not stored)."""

    TASK_CREATED = "task_created"
    TASK_UPDATED = "task_updated"
    TASK_STARTED = "task_started"
    TASK_PAUSED = "task_paused"
    TASK_RESUMED = "task_resumed"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    TASK_CANCELLED = "task_cancelled"
    TASK_DELETED = "task_deleted"
    EXPERIMENT_STARTED = "experiment_started"
    EXPERIMENT_COMPLETED = "experiment_completed"
    EXPERIMENT_FAILED = "experiment_failed"
    EXPERIMENT_CANCELLED = "experiment_cancelled"
    EXPERIMENT_PRUNED = "experiment_pruned"
    EXPERIMENT_RETRIED = "experiment_retried"
    BENCHMARK_STARTED = "benchmark_started"


class Event(Frozen):
    """One change. ``seq`` is gapless per task, starting at 1, in commit order. Times are UTC."""

    seq: int
    type: EventType
    task_id: int
    experiment_id: int | None = None
    timestamp: datetime
    message: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class NewEvent(Frozen):
    """An event before it has its number."""

    type: EventType
    experiment_id: int | None = None
    message: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class NewTask(Frozen):
    """A task to store."""

    name: str = Field(description="unique among the tasks that are not deleted")
    document: dict[str, Any] = Field(description="the whole document with its defaults")
    parameters: dict[str, Any] = Field(default_factory=dict, description="what is searched, as in a document")
    fingerprint: str = Field(description="hash of what must not change between runs")
    identity: dict[str, Any] = Field(
        default_factory=dict, description="what the fingerprint is made of, for the difference"
    )


class TaskRecord(NewTask):
    """A stored task. Times are UTC."""

    id: int = Field(description="its number")
    status: TaskStatus
    next_seq: int = Field(description="number of the next event")
    created_at: datetime = Field(description="when it was made")
    updated_at: datetime = Field(description="when anything of it changed last")
    started_at: datetime | None = Field(None, description="when it was started first; null: not yet")
    finished_at: datetime | None = Field(None, description="when it ended last; null: not yet")
    elapsed_s: float = Field(0.0, description="running time over all runs, seconds")
    result: dict[str, Any] | None = Field(None, description="the final report's figures")
    error: dict[str, Any] | None = Field(None, description="why it failed: code, what, why, remedy; null: it did not")
    stop_reason: str | None = Field(None, description="why the search ended; null: it has not")
    deleted_at: datetime | None = Field(None, description="when it was deleted; null: it is there")
    priority: int = Field(0, description="place in the queue: a greater number comes first")
    queued_at: datetime | None = Field(None, description="since when it waits for a worker, or is one's")
    worker_id: int | None = Field(None, description="the worker that has claimed it")
    run: int = Field(1, description="how often it was begun from nothing")
    run_of: int | None = Field(None, description="an archived run: the task whose run it was")
    archived_at: datetime | None = Field(None, description="when this run was archived; None: the present one")


class TaskState(Frozen):
    """What changes of a task most often: enough to see whether somebody asked for something."""

    status: TaskStatus
    next_seq: int = Field(description="number of the next event")
    run: int = Field(1, description="how often it was begun from nothing")


class ExperimentRecord(Frozen):
    """A stored experiment."""

    id: int
    task_id: int
    number: int = Field(description="0 for the baseline; unique within the task, gapless")
    origin: ExperimentOrigin
    label: str | None = None
    status: ExperimentStatus
    parameters: dict[str, Scalar]
    identity: str = Field(description="configuration hash; unique within the task")
    metrics: dict[str, Any] | None = None
    objective_score: float | None = Field(None, description="natural units, unpenalised")
    penalised_score: float | None = None
    slo: dict[str, Any] | None = Field(None, description="verdict per SLO; slo_violation and its size")
    failure: Failure | None = None
    created_at: datetime
    finished_at: datetime | None = None


class AttemptRow(Frozen):
    """A stored attempt."""

    id: int
    experiment_id: int
    task_id: int
    number: int = Field(description="1, 2, … within the experiment")
    reason: AttemptReason
    block: int | None = Field(None, description="confirm: number of the interleaved round it belongs to")
    status: AttemptStatus
    job: AttemptJob | None = None
    handle: Handle | None = None
    base_url: str | None = None
    engine_version: str | None = None
    host: dict[str, Any] = Field(default_factory=dict, description="host name, CPU model, cores, package versions")
    answers: JudgedAnswers | None = Field(None, description="what the quality guard found; None: it did not ask")
    failure: Failure | None = None
    phase_seconds: dict[Phase, float] = Field(default_factory=dict)
    peak_rss_bytes: int | None = None
    started_at: datetime
    finished_at: datetime | None = None


class MeasurementRow(Frozen):
    """A stored measurement."""

    id: int
    attempt_id: int
    experiment_id: int
    task_id: int
    measurement: Measurement
    created_at: datetime


class StatusConflictError(Exception):
    """A compare-and-set found another status than expected; nothing was changed. ``actual`` is what it found."""

    def __init__(self, actual: str) -> None:
        super().__init__(actual)
        self.actual = actual


class Store(Protocol):
    """Keeps everything. Each writing method is one transaction that ends with its event, if it has one.

    Unknown ids raise AutotunerError(NOT_FOUND). A database that can't be read, written or locked raises
    AutotunerError(STORE_UNAVAILABLE), one with another schema AutotunerError(STORE_SCHEMA).
    """

    async def create_task(self, task: NewTask) -> TaskRecord:
        """Store a task (pending, event task_created). AutotunerError(CONFLICT) if an undeleted one has the name."""

    async def get_task(self, task_id: int) -> TaskRecord:
        """One task."""

    async def get_task_state(self, task_id: int) -> TaskState:
        """Status and number of the next event alone: cheap enough to be asked several times a second."""

    async def find_task(self, name: str) -> TaskRecord | None:
        """The undeleted task of that name."""

    async def list_tasks(
        self, *, status: TaskStatus | None = None, search: str | None = None, offset: int = 0, limit: int = 50
    ) -> tuple[list[TaskRecord], int]:
        """Undeleted tasks without archived runs, newest first, and how many there are in all."""

    async def change_task(
        self,
        task_id: int,
        event: NewEvent,
        *,
        expected: Sequence[TaskStatus],
        status: TaskStatus,
        fields: Mapping[str, Any] | None = None,
        next_seq: int | None = None,
    ) -> TaskRecord:
        """Set the status if it is one of ``expected`` (else StatusConflictError) and the given fields.

        With ``next_seq`` only if no event was stored since that was the task's (else StatusConflictError).
        ``fields`` may hold document, parameters, identity, fingerprint, result, error, stop_reason, elapsed_s,
        started_at, finished_at.
        """

    async def delete_task(self, task_id: int) -> None:
        """Soft delete (event task_deleted); StatusConflictError for a running or cancelling one."""

    async def add_experiment(
        self,
        task_id: int,
        *,
        origin: ExperimentOrigin,
        parameters: Mapping[str, Scalar],
        identity: str,
        label: str | None = None,
    ) -> ExperimentRecord:
        """Store a pending experiment with the next number. AutotunerError(CONFLICT) for an identity that exists."""

    async def get_experiment(self, experiment_id: int) -> ExperimentRecord:
        """One experiment."""

    async def list_experiments(
        self, task_id: int, *, bulk: bool = True, failed: bool = False
    ) -> list[ExperimentRecord]:
        """All experiments of a task, by number; without ``bulk`` their metrics lack ``raw_results``.

        ``failed``: only those that failed, or of which a start failed.
        """

    async def count_experiments(self, task_id: int) -> dict[ExperimentStatus, int]:
        """How many experiments of a task have each status; those that none has are left out."""

    async def finish_experiment(
        self,
        experiment_id: int,
        event: NewEvent,
        *,
        status: ExperimentStatus,
        metrics: Mapping[str, Any] | None = None,
        objective_score: float | None = None,
        penalised_score: float | None = None,
        slo: Mapping[str, Any] | None = None,
        failure: Failure | None = None,
    ) -> ExperimentRecord:
        """Store the outcome of an experiment."""

    async def reopen_experiment(self, experiment_id: int) -> ExperimentRecord:
        """Make a failed experiment pending again, without its failure (event experiment_retried).

        StatusConflictError for one that did not fail.
        """

    async def start_attempt(
        self, experiment_id: int, *, reason: AttemptReason, host: Mapping[str, Any], block: int | None = None
    ) -> AttemptRow:
        """Store a new attempt (deploying; event experiment_started with the parameters, reason in data).

        Sets the experiment to deploying, unless it is finished already (confirm, verify, reproduce keep its status).
        """

    async def set_attempt_job(self, attempt_id: int, job: AttemptJob) -> None:
        """Store what is going to be run (no event)."""

    async def set_attempt_handle(self, attempt_id: int, handle: Handle) -> None:
        """Store where the server runs (no event)."""

    async def set_attempt_ready(self, attempt_id: int, *, base_url: str, engine_version: str | None) -> None:
        """The server answers: attempt (and unfinished experiment) benchmarking, event benchmark_started."""

    async def set_attempt_answers(self, attempt_id: int, answers: JudgedAnswers) -> None:
        """Store what the quality guard found, also of an attempt that has ended."""

    async def add_measurement(self, attempt_id: int, measurement: Measurement) -> MeasurementRow:
        """Store a finished measurement (no event)."""

    async def finish_attempt(
        self,
        attempt_id: int,
        *,
        status: AttemptStatus,
        failure: Failure | None = None,
        phase_seconds: Mapping[Phase, float] | None = None,
        peak_rss_bytes: int | None = None,
    ) -> AttemptRow:
        """Store the end of an attempt (no event; the experiment's event follows)."""

    async def interrupt_attempts(self, task_id: int) -> list[AttemptRow]:
        """Mark attempts that never ended as interrupted and their unfinished experiments pending; returns them."""

    async def unended_attempts(self) -> list[AttemptRow]:
        """Attempts without an end of all undeleted tasks that run, as far as is stored: also of those left behind.

        Those of verifications too, whose tasks have ended.
        """

    async def list_attempts(
        self, task_id: int, *, experiment_id: int | None = None, bulk: bool = True, failed: bool = False
    ) -> list[AttemptRow]:
        """Attempts in the order of their start; without ``bulk`` they come without job and host.

        ``failed``: all those of the experiments that failed, or of which a start failed.
        """

    async def list_commands(self, task_id: int) -> dict[int, tuple[str, ...]]:
        """By attempt, the arguments of the server that it starts; attempts that start none are left out."""

    async def list_measurements(self, task_id: int, *, experiment_id: int | None = None) -> list[MeasurementRow]:
        """Measurements in the order in which they were stored."""

    async def list_openings(self, task_id: int) -> dict[int, list[int]]:
        """By experiment that was opened again, how many starts it had before each time."""

    async def events(self, task_id: int, *, since: int = 0, limit: int = 1000) -> list[Event]:
        """Stored events of a task with seq > since, in order."""
