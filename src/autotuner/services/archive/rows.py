"""The rows of an archive: the columns of the tables, bounded as the databases bound them.

A later release may give columns more fields; each of them must have a default here, so that older archives can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, TaskStatus
from autotuner.contracts.values import Frozen
from autotuner.store.task_rows import Part


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no such time in UTC") from error


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Key = Annotated[int, Field(ge=1, le=2**53)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Hash = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class ArchivedTask(Frozen):
    """The columns of a task, without what belongs to its store: its number, its place in the queue, its runs."""

    name: str = Field(min_length=1, max_length=255)
    status: TaskStatus
    document: dict[str, Any]
    parameters: dict[str, Any]
    fingerprint: Hash
    identity: dict[str, Any]
    next_seq: Key
    created_at: Time
    updated_at: Time
    started_at: Time | None = None
    finished_at: Time | None = None
    elapsed_s: float = Field(ge=0, allow_inf_nan=False, description="seconds")
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    stop_reason: str | None = None
    priority: int = Field(0, ge=-(2**31), le=2**31 - 1)


class ArchivedExperiment(Frozen):
    """The columns of an experiment."""

    id: Key
    number: Count
    origin: ExperimentOrigin
    label: str | None = None
    status: ExperimentStatus
    parameters: dict[str, Any]
    identity: Hash
    metrics: dict[str, Any] | None = None
    objective_score: float | None = None
    penalised_score: float | None = None
    slo: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    created_at: Time
    finished_at: Time | None = None


class ArchivedAttempt(Frozen):
    """The columns of an attempt. A handle is not taken over: its server was elsewhere."""

    id: Key
    experiment_id: Key
    number: Annotated[int, Field(ge=1, le=2**31 - 1)]
    reason: AttemptReason
    block: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)] | None = None
    status: AttemptStatus
    job: dict[str, Any] | None = None
    handle: dict[str, Any] | None = None
    base_url: str | None = None
    engine_version: str | None = None
    host: dict[str, Any]
    answers: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    phase_seconds: dict[str, Any]
    peak_rss_bytes: Annotated[int, Field(ge=0, le=2**53)] | None = None
    started_at: Time
    finished_at: Time | None = None


class ArchivedMeasurement(Frozen):
    """The columns of a measurement."""

    id: Key
    attempt_id: Key
    experiment_id: Key
    measurement: dict[str, Any]
    created_at: Time


class ArchivedEvent(Frozen):
    """The columns of an event."""

    seq: Key
    type: EventType
    experiment_id: Key | None = None
    timestamp: Time
    message: str | None = None
    data: dict[str, Any]


KINDS: Mapping[Part, type[Frozen]] = {
    "experiments": ArchivedExperiment,
    "attempts": ArchivedAttempt,
    "measurements": ArchivedMeasurement,
    "events": ArchivedEvent,
}


def columns(kind: type[Frozen], row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row that an archive holds, as JSON."""
    return {name: row[name].isoformat() if isinstance(row[name], datetime) else row[name] for name in kind.model_fields}
