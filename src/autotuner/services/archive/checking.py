"""Whether the rows of an archive make a task: each row for itself, and all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import AttemptRow, Event, ExperimentRecord, MeasurementRow, TaskRecord
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.summaries import summarise
from autotuner.services.archive import rewriting
from autotuner.services.archive.layout import LINES, TASK, attempt_folder
from autotuner.services.archive.reading import Archive
from autotuner.services.archive.rewriting import Numbers
from autotuner.services.archive.rows import (
    ArchivedAttempt,
    ArchivedEvent,
    ArchivedExperiment,
    ArchivedMeasurement,
    ArchivedTask,
)


@dataclass(frozen=True)
class Checked:
    """What was found in an archive that is sound."""

    task: ArchivedTask
    experiments: int
    attempts: int
    measurements: int
    events: int
    attempt_folders: frozenset[str]


def check_rows(archive: Archive, now: datetime) -> Checked:
    """Read all rows. AutotunerError(INVALID_VALUE) for one that the store could not hold or nothing could show."""
    task = archive.only(TASK, ArchivedTask)
    numbers = Numbers(task_id=1, name=task.name, folder=Path("/"))
    with _place(archive, TASK):
        TaskRecord.model_validate(rewriting.task_row(task, task.name, now) | {"id": 1})
        _check_document(archive, task)
    folders: set[str] = set()
    experiments = _experiments(archive, numbers)
    owners: dict[int, int] = {}
    attempts = _attempts(archive, numbers, owners, folders, now)
    measurements = _measurements(archive, numbers, owners)
    events = _events(archive, numbers, task.next_seq)
    if task.result is not None:
        with _place(archive, f"{TASK}, result"):
            TaskResult.model_validate(rewriting.result_row(task.result, numbers))
    return Checked(task, experiments, attempts, measurements, events, frozenset(folders))


def _check_document(archive: Archive, task: ArchivedTask) -> None:
    try:
        validate({**task.document, "task_name": task.name}, name=TASK)
    except AutotunerError as error:
        raise archive.bad(f"{TASK}: its document is not valid: {error.why}"[:300]) from error


def _experiments(archive: Archive, numbers: Numbers) -> int:
    count = 0
    identities: set[str] = set()
    for row in archive.lines(LINES["experiments"], ArchivedExperiment):
        with _place(archive, f"experiment {row.number}"):
            if row.number != count or row.id in numbers.experiments or row.identity in identities:
                raise ValueError("its number, id or identity is not the next one of its task")
            numbers.experiments[row.id], numbers.number_of[row.id] = row.id, row.number
            identities.add(row.identity)
            if not isinstance((row.slo or {}).get("slo_violation", False), bool):
                raise ValueError("slo.slo_violation is neither true nor false")
            experiment = ExperimentRecord.model_validate(rewriting.experiment_row(row, numbers) | {"id": row.id})
            ledger = Ledger()
            ledger.put_experiment(experiment)
            summarise(experiment, ledger)
        count += 1
    return count


def _attempts(archive: Archive, numbers: Numbers, owners: dict[int, int], folders: set[str], now: datetime) -> int:
    last = 0
    for row in archive.lines(LINES["attempts"], ArchivedAttempt):
        with _place(archive, f"attempt {row.id}"):
            if row.id <= last:
                raise ValueError("it is not in the order of the starts")
            last = row.id
            values = rewriting.attempt_row(row, numbers, now) | {"id": row.id}
            if values["job"] is not None:
                values["job"]["attempt_id"] = row.id
            AttemptRow.model_validate(values)
            folder = attempt_folder(numbers.number_of[row.experiment_id], row.number)
            if folder in folders:
                raise ValueError("its number is there twice")
            folders.add(folder)
            numbers.attempts[row.id], owners[row.id] = row.id, row.experiment_id
    return len(numbers.attempts)


def _measurements(archive: Archive, numbers: Numbers, owners: dict[int, int]) -> int:
    count, last = 0, 0
    for row in archive.lines(LINES["measurements"], ArchivedMeasurement):
        with _place(archive, f"measurement {row.id}"):
            if row.id <= last:
                raise ValueError("it is not in the order of the storing")
            if owners[row.attempt_id] != row.experiment_id:
                raise ValueError("its attempt is another experiment's")
            last = row.id
            MeasurementRow.model_validate(rewriting.measurement_row(row, numbers) | {"id": row.id})
        count += 1
    return count


def _events(archive: Archive, numbers: Numbers, next_seq: int) -> int:
    """The log may begin late, since a task that was begun anew keeps no older events; it has no gap."""
    count, last = 0, None
    for row in archive.lines(LINES["events"], ArchivedEvent):
        with _place(archive, f"event {row.seq}"):
            if last is not None and row.seq != last + 1:
                raise ValueError("the one before it is missing")
            last = row.seq
            Event.model_validate(rewriting.event_row(row, numbers))
        count += 1
    if last != next_seq - 1:
        raise archive.bad("its last events are missing")
    return count


@contextmanager
def _place(archive: Archive, place: str) -> Iterator[None]:
    """Turn what a wrong value does into the error for the archive."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise archive.bad(f"{place}: {at}: {first['msg']}"[:300]) from error
    except KeyError as error:
        raise archive.bad(f"{place} refers to something that is not there") from error
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise archive.bad(f"{place}: {error}"[:300]) from error
