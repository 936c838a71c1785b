"""Rows of an archive as rows of another store: other numbers, another name, other folders. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from autotuner.contracts.attempt import AttemptStatus
from autotuner.contracts.store import ExperimentStatus, TaskStatus
from autotuner.contracts.values import Frozen
from autotuner.services.archive.layout import attempt_folder
from autotuner.services.archive.rows import (
    ArchivedAttempt,
    ArchivedEvent,
    ArchivedExperiment,
    ArchivedMeasurement,
    ArchivedTask,
)

UNENDED = frozenset({TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING})
_BEGUN = frozenset({ExperimentStatus.DEPLOYING, ExperimentStatus.BENCHMARKING})
_RUNNING = frozenset({AttemptStatus.PENDING, AttemptStatus.DEPLOYING, AttemptStatus.BENCHMARKING})
_ONE, _MANY = ("winner", "baseline", "nearest"), ("references", "experiments")
"""Where a stored result holds experiments with their numbers in the store."""


@dataclass
class Numbers:
    """What the numbers and the name of the archive become. ``experiments`` and ``attempts`` map old ids to new ones."""

    task_id: int
    name: str
    folder: Path
    experiments: dict[int, int] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    number_of: dict[int, int] = field(default_factory=dict)
    """Old id of an experiment → its number within the task."""


def task_row(task: ArchivedTask, name: str, now: datetime) -> dict[str, Any]:
    """The columns of the task, without its result: what it refers to is not there yet.

    Nobody runs it here: one that had not ended is cancelled, and can be started again.
    """
    ended = {"status": TaskStatus.CANCELLED.value, "finished_at": now} if task.status in UNENDED else {}
    document = task.document if name == task.name else {**task.document, "task_name": name}
    return {**_values(task), "name": name, "document": document, "updated_at": now, "result": None, **ended}


def result_row(result: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    """The stored result. KeyError for an experiment that is not there."""

    def moved(summary: Mapping[str, Any]) -> dict[str, Any]:
        return {**summary, "id": numbers.experiments[summary["id"]]}

    changed: dict[str, Any] = {**result, "task_id": numbers.task_id, "task_name": numbers.name}
    changed |= {key: moved(result[key]) for key in _ONE if result.get(key) is not None}
    return changed | {key: [moved(one) for one in result[key]] for key in _MANY if result.get(key) is not None}


def experiment_row(row: ArchivedExperiment, numbers: Numbers) -> dict[str, Any]:
    """The columns of an experiment; one that was being run is to be begun again."""
    status = ExperimentStatus.PENDING if row.status in _BEGUN else row.status
    return _without_id(row) | {"task_id": numbers.task_id, "status": status.value}


def attempt_row(row: ArchivedAttempt, numbers: Numbers, now: datetime) -> dict[str, Any]:
    """The columns of an attempt; one that was under way was cut off. Its job lacks the attempt's own number.

    KeyError for an experiment that is not there.
    """
    number = numbers.number_of[row.experiment_id]
    values = _without_id(row) | {
        "task_id": numbers.task_id,
        "experiment_id": numbers.experiments[row.experiment_id],
        "handle": None,
    }
    if row.status in _RUNNING:
        values |= {"status": AttemptStatus.INTERRUPTED.value, "finished_at": now}
    if row.job is not None:
        values["job"] = {
            **row.job,
            "task_id": numbers.task_id,
            "task_name": numbers.name,
            "experiment_id": values["experiment_id"],
            "experiment_number": number,
            "artefact_dir": str(numbers.folder / attempt_folder(number, row.number)),
        }
    return values


def measurement_row(row: ArchivedMeasurement, numbers: Numbers) -> dict[str, Any]:
    """The columns of a measurement. KeyError for an attempt or experiment that is not there."""
    return _without_id(row) | {
        "task_id": numbers.task_id,
        "attempt_id": numbers.attempts[row.attempt_id],
        "experiment_id": numbers.experiments[row.experiment_id],
    }


def event_row(row: ArchivedEvent, numbers: Numbers) -> dict[str, Any]:
    """The columns of an event. KeyError for an experiment that is not there."""
    experiment = None if row.experiment_id is None else numbers.experiments[row.experiment_id]
    return _values(row) | {"task_id": numbers.task_id, "experiment_id": experiment}


def _values(row: Frozen) -> dict[str, Any]:
    named = ((name, getattr(row, name)) for name in type(row).model_fields)
    return {name: value.value if isinstance(value, Enum) else value for name, value in named}


def _without_id(row: Frozen) -> dict[str, Any]:
    return {name: value for name, value in _values(row).items() if name != "id"}
