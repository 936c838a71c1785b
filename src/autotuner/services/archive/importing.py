"""Making a task of an archive: checked as a whole, then stored in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any, Literal, TypeVar

from pydantic import AwareDatetime, Field

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import EventType, NewEvent
from autotuner.contracts.values import Frozen
from autotuner.services.archive import rewriting
from autotuner.services.archive.checking import Checked, check_rows
from autotuner.services.archive.layout import ARTEFACTS, LINES, LeftOut, attempt_of
from autotuner.services.archive.reading import Archive, opened
from autotuner.services.archive.rewriting import UNENDED, Numbers
from autotuner.services.archive.rows import ArchivedAttempt, ArchivedEvent, ArchivedExperiment, ArchivedMeasurement
from autotuner.services.archive.staging import Staging, staging
from autotuner.services.settings import Settings
from autotuner.store.task_rows import NewRows, writing

OnConflict = Literal["rename", "refuse"]
"""What happens when there is a task of that name: the new one gets a free name (name-2, …), or nothing is imported."""

PORTION = 100
"""Rows that are in memory at once."""
MAX_NAME = 255

R = TypeVar("R", bound=Frozen)


class TaskOfArchive(Frozen):
    """A task that was made of an archive."""

    task_id: int = Field(description="its number here")
    name: str = Field(description="its name here")
    renamed_from: str | None = Field(None, description="the name that it had, if that was taken")
    status: str = Field(description="cancelled for one that had not ended where it was exported")
    experiments: int = Field(description="configurations")
    attempts: int = Field(description="server starts")
    measurements: int = Field(description="load points × repeats")
    events: int = Field(description="of the log that came with it; the import itself adds one or two")
    files: int = Field(description="artefacts")
    left_out: tuple[LeftOut, ...] = Field((), description="files that were not exported")
    exported_at: AwareDatetime = Field(description="when the archive was written, UTC")
    exported_by: str = Field(description="version of the program that wrote the archive")


def import_archive(
    file: IO[bytes], settings: Settings, *, on_conflict: OnConflict = "rename", name: str = "the archive"
) -> TaskOfArchive:
    """Store the task of an archive, with all that it owns, under new numbers; blocks.

    ``name`` stands for the archive in errors. Everything is checked before anything is stored. AutotunerError:
    INVALID_VALUE for what is no sound archive, UNSUPPORTED for one of a later release, CONFLICT for a name that is
    taken (``refuse``), STORAGE, STORE_UNAVAILABLE. All of them leave the store as it was.
    """
    now = datetime.now(UTC)
    with opened(file, name) as archive:
        checked = check_rows(archive, now)
        with staging(settings) as files:
            count = _unpack(archive, checked, files)
            with writing(settings.database, busy_timeout_s=settings.database_timeout_s) as rows:
                task_name = _free_name(rows, checked.task.name, on_conflict)
                task_id = _store(archive, checked, rows, files, task_name, now)
                files.move_to(task_id)
    ended = checked.task.status not in UNENDED
    return TaskOfArchive(
        task_id=task_id,
        name=task_name,
        renamed_from=None if task_name == checked.task.name else checked.task.name,
        status=checked.task.status.value if ended else "cancelled",
        experiments=checked.experiments,
        attempts=checked.attempts,
        measurements=checked.measurements,
        events=checked.events,
        files=count,
        left_out=archive.manifest.left_out,
        exported_at=archive.manifest.exported_at,
        exported_by=archive.manifest.program,
    )


def _unpack(archive: Archive, checked: Checked, files: Staging) -> int:
    """Write the artefacts into the staging folder; how many there are."""
    members = archive.artefacts
    for member in members:
        if attempt_of(member.path) not in checked.attempt_folders:
            raise archive.bad(f"{member.path} belongs to no attempt")
        with files.new_file(member.path.removeprefix(f"{ARTEFACTS}/")) as target:
            for chunk in archive.chunks(member.path):
                target.write(chunk)
    return len(members)


def _free_name(rows: NewRows, name: str, on_conflict: OnConflict) -> str:
    if rows.is_free(name):
        return name
    if on_conflict == "refuse":
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"There is already a task named {name!r}",
            why="names are unique among the tasks of a store that are not deleted",
            remedy="Import it under another name (on conflict: rename), or delete the other task",
            place=name,
        )
    number = 2
    while not rows.is_free(found := f"{name[: MAX_NAME - 12]}-{number}"):
        number += 1
    return found


def _store(archive: Archive, checked: Checked, rows: NewRows, files: Staging, name: str, now: datetime) -> int:
    task = checked.task
    task_id = rows.add_task(rewriting.task_row(task, name, now))
    numbers = Numbers(task_id=task_id, name=name, folder=files.place(task_id))

    def experiments(portion: Sequence[ArchivedExperiment]) -> None:
        added = rows.add("experiments", [rewriting.experiment_row(row, numbers) for row in portion])
        numbers.experiments.update(zip((row.id for row in portion), added, strict=True))
        numbers.number_of.update((row.id, row.number) for row in portion)

    def attempts(portion: Sequence[ArchivedAttempt]) -> None:
        values = [rewriting.attempt_row(row, numbers, now) for row in portion]
        added = rows.add("attempts", [one | {"job": None} for one in values])
        numbers.attempts.update(zip((row.id for row in portion), added, strict=True))
        jobs = zip(added, (one["job"] for one in values), strict=True)
        rows.set_jobs({number: {**job, "attempt_id": number} for number, job in jobs if job is not None})

    def measurements(portion: Sequence[ArchivedMeasurement]) -> None:
        rows.add("measurements", [rewriting.measurement_row(row, numbers) for row in portion])

    def events(portion: Sequence[ArchivedEvent]) -> None:
        rows.add("events", [rewriting.event_row(row, numbers) for row in portion])

    _each(archive.lines(LINES["experiments"], ArchivedExperiment), experiments)
    _each(archive.lines(LINES["attempts"], ArchivedAttempt), attempts)
    _each(archive.lines(LINES["measurements"], ArchivedMeasurement), measurements)
    _each(archive.lines(LINES["events"], ArchivedEvent), events)
    if task.result is not None:
        rows.set_result(task_id, rewriting.result_row(task.result, numbers))
    for event in _own_events(archive, checked):
        rows.append_event(task_id, event, now)
    return task_id


def _own_events(archive: Archive, checked: Checked) -> Iterator[NewEvent]:
    """What happened to the task here: they end its log."""
    manifest = archive.manifest
    came_from: dict[str, Any] = {
        "task_id": manifest.task_id,
        "task_name": checked.task.name,
        "exported_at": manifest.exported_at.isoformat(),
        "program": manifest.program,
    }
    yield NewEvent(type=EventType.TASK_UPDATED, message="imported from an archive", data={"imported": came_from})
    if checked.task.status in UNENDED:
        message = f"it was {checked.task.status.value} where it was exported, and nobody runs it here"
        yield NewEvent(type=EventType.TASK_CANCELLED, message=message)


def _each(rows: Iterable[R], store: Callable[[Sequence[R]], None]) -> None:
    """Hand the rows over in portions."""
    left = iter(rows)
    while portion := list(islice(left, PORTION)):
        store(portion)
