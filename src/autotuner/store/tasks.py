"""Units of work on tasks and their event log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import (
    Event,
    EventType,
    NewEvent,
    NewTask,
    StatusConflictError,
    TaskRecord,
    TaskState,
    TaskStatus,
)
from autotuner.store.columns import storable_text
from autotuner.store.models import EventEntry, Task
from autotuner.store.rows import append_event, lock_task, names, not_found, record, records, select_row
from autotuner.store.shown import best_score, engine_of, outcome, shown_of_document

CHANGEABLE = frozenset(
    {
        "document",
        "parameters",
        "identity",
        "fingerprint",
        "result",
        "error",
        "stop_reason",
        "elapsed_s",
        "started_at",
        "finished_at",
    }
)
ENDED = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})
"""With these a task leaves the queue: there is nothing more to do until somebody asks."""
UNDELETABLE = frozenset({TaskStatus.RUNNING, TaskStatus.CANCELLING})


def create(session: Session, task: NewTask, now: datetime) -> TaskRecord:
    """Store a task and its first event."""
    row = task.model_dump() | {
        "name_folded": folded(task.name),
        "status": TaskStatus.PENDING.value,
        "next_seq": 1,
        "elapsed_s": 0.0,
        "priority": 0,
        "run": 1,
        "engine": engine_of(task.document, task.identity),
        **shown_of_document(task.document),
        "created_at": now,
        "updated_at": now,
    }
    try:
        task_id = session.execute(insert(Task).values(row).returning(Task.id)).scalar_one()
    except IntegrityError as error:
        raise name_taken(task.name) from error
    append_event(session, task_id, NewEvent(type=EventType.TASK_CREATED, data={"task_name": task.name}), now)
    return get(session, task_id)


def name_taken(name: str) -> AutotunerError:
    """The error for a name that another task has."""
    return AutotunerError(
        ErrorCode.CONFLICT,
        f"There is already a task named {name!r}",
        why="names are unique among the tasks of a store that are not deleted",
        remedy="Choose another name, or delete the other task",
        place=name,
    )


def get(session: Session, task_id: int) -> TaskRecord:
    """One task, a deleted one too."""
    row = session.execute(select_row(Task).where(Task.id == task_id)).mappings().one_or_none()
    if row is None:
        raise not_found("task", task_id)
    return record(TaskRecord, row)


def state(session: Session, task_id: int) -> TaskState:
    """What changes of a task most often, of a deleted one too."""
    chosen = select(Task.status, Task.next_seq, Task.run).where(Task.id == task_id)
    row = session.execute(chosen).mappings().one_or_none()
    if row is None:
        raise not_found("task", task_id)
    return record(TaskState, row)


def find(session: Session, name: str) -> TaskRecord | None:
    """The undeleted task of that name."""
    row = session.execute(select_row(Task).where(Task.name == name, Task.deleted_at.is_(None))).mappings().one_or_none()
    return None if row is None else record(TaskRecord, row)


def page(
    session: Session, *, status: TaskStatus | None, search: str | None, offset: int, limit: int
) -> tuple[list[TaskRecord], int]:
    """A page of the undeleted tasks without archived runs, newest first, and how many there are in all; ``search``
    ignores case.
    """
    wanted: list[ColumnElement[bool]] = [Task.deleted_at.is_(None), Task.archived_at.is_(None)]
    if status is not None:
        wanted.append(Task.status == status.value)
    if search:
        wanted.append(Task.name_folded.contains(folded(search), autoescape=True))
    total = session.execute(select(func.count()).select_from(Task).where(*wanted)).scalar_one()
    rows = session.execute(select_row(Task).where(*wanted).order_by(Task.id.desc()).offset(offset).limit(limit))
    return records(TaskRecord, rows.mappings()), total


def change(
    session: Session,
    task_id: int,
    event: NewEvent,
    now: datetime,
    *,
    expected: Sequence[TaskStatus],
    status: TaskStatus,
    fields: Mapping[str, Any],
    next_seq: int | None = None,
) -> TaskRecord:
    """Compare and set the status, with other fields."""
    unknown = sorted(set(fields) - CHANGEABLE)
    if unknown:
        raise ValueError(f"not changeable: {', '.join(unknown)}")
    values = {**fields, "status": status.value, "updated_at": now}
    if "document" in fields:
        values |= shown_of_document(fields["document"])
    if "result" in fields:
        values |= {"best_score": best_score(fields["result"]), "outcome": outcome(fields["result"])}
    if status in ENDED:
        values |= {"queued_at": None, "worker_id": None}
    _compare_and_set(session, task_id, expected, values, next_seq=next_seq)
    append_event(session, task_id, event, now)
    return get(session, task_id)


def delete(session: Session, task_id: int, now: datetime) -> None:
    """Soft delete, with its archived runs."""
    allowed = [status for status in TaskStatus if status not in UNDELETABLE]
    _compare_and_set(session, task_id, allowed, {"deleted_at": now, "updated_at": now, "queued_at": None})
    runs = (Task.run_of == task_id, Task.deleted_at.is_(None))
    session.execute(update(Task).where(*runs).values(deleted_at=now))
    append_event(session, task_id, NewEvent(type=EventType.TASK_DELETED), now)


def events(session: Session, task_id: int, *, since: int, limit: int) -> list[Event]:
    """Events with seq > ``since``, in order; those of a deleted task too."""
    rows = session.execute(
        select_row(EventEntry)
        .where(EventEntry.task_id == task_id, EventEntry.seq > since)
        .order_by(EventEntry.seq)
        .limit(limit)
    )
    found = records(Event, rows.mappings())
    if not found:
        get(session, task_id)
    return found


def openings(session: Session, task_id: int) -> dict[int, list[int]]:
    """By experiment, how many starts it had before each time that it was opened again."""
    started = aliased(EventEntry)
    before = (
        select(func.count())
        .where(
            started.experiment_id == EventEntry.experiment_id,
            started.seq < EventEntry.seq,
            started.type == EventType.EXPERIMENT_STARTED.value,
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(EventEntry.experiment_id, before)
        # Spelt out: with a parameter SQLite does not see that the index of these events holds them all.
        .where(EventEntry.task_id == task_id, text("events.type = 'experiment_retried'"))
        .order_by(EventEntry.seq)
    )
    found: dict[int, list[int]] = {}
    for experiment_id, count in rows:
        found.setdefault(experiment_id, []).append(count)
    return found


def _compare_and_set(
    session: Session,
    task_id: int,
    expected: Sequence[TaskStatus],
    values: Mapping[str, object],
    *,
    next_seq: int | None = None,
) -> None:
    unchanged = [] if next_seq is None else [Task.next_seq == next_seq]
    changed = session.execute(
        update(Task)
        .where(Task.id == task_id, Task.deleted_at.is_(None), Task.status.in_(names(expected)), *unchanged)
        .values(dict(values))
        .returning(Task.id)
    ).first()
    if changed is None:
        lock_task(session, task_id)  # NOT_FOUND, or it has another status
        raise StatusConflictError(get(session, task_id).status.value)


def folded(name: str) -> str:
    """A name without case, as it is searched."""
    return storable_text(name).casefold()
