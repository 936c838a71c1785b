"""Units of work on the queue of tasks and on the workers that serve it.

Times are those of the database, since workers may run on several hosts: of the server for PostgreSQL, of this host for
a SQLite file, which has no other users.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from autotuner.contracts.queue import NewWorker, WorkerRecord, WorkerState
from autotuner.contracts.store import EventType, NewEvent, StatusConflictError, TaskRecord, TaskStatus
from autotuner.store import tasks
from autotuner.store.models import Task, Worker
from autotuner.store.rows import append_event, lock_task, names, not_found, select_row

TO_RUN = (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.CANCELLING)
"""Queued tasks of these states have something to do for a worker; a paused one has when it is resumed."""
QUEUED, CLAIMED = "queued", "claimed"
"""What a conflict says that is about the queue, not about a status."""


def enqueue(
    session: Session,
    task_id: int,
    now: datetime,
    *,
    expected: Sequence[TaskStatus],
    status: TaskStatus,
    priority: int | None,
) -> TaskRecord:
    """Put a task into the queue with a status."""
    lock_task(session, task_id)
    found = tasks.get(session, task_id)
    if found.queued_at is not None:
        raise StatusConflictError(QUEUED)
    if found.status not in expected or found.archived_at is not None:
        raise StatusConflictError(found.status.value)
    place = found.priority if priority is None else priority
    values: dict[str, Any] = {
        "status": status.value,
        "queued_at": _now(session, now),
        "worker_id": None,
        "priority": place,
        "updated_at": now,
    }
    session.execute(update(Task).where(Task.id == task_id).values(values))
    event = NewEvent(
        type=EventType.TASK_UPDATED,
        message="queued",
        data={"status": status.value, "queued": True, "priority": place},
    )
    append_event(session, task_id, event, now)
    return tasks.get(session, task_id)


def dequeue(session: Session, task_id: int, now: datetime) -> TaskRecord:
    """Take a task that nobody has claimed out of the queue."""
    lock_task(session, task_id)
    found = tasks.get(session, task_id)
    if found.status is not TaskStatus.PENDING or found.queued_at is None:
        raise StatusConflictError(found.status.value)
    if found.worker_id is not None:
        raise StatusConflictError(CLAIMED)
    session.execute(update(Task).where(Task.id == task_id).values(queued_at=None, updated_at=now))
    event = NewEvent(type=EventType.TASK_UPDATED, data={"status": found.status.value, "queued": False})
    append_event(session, task_id, event, now)
    return tasks.get(session, task_id)


def waiting(session: Session, worker_id: int, now: datetime, *, silent_s: float, passed: frozenset[int]) -> int | None:
    """Number of the task that a claim would give; a look that locks nothing."""
    found = select(Task.id).where(*_claimable(worker_id, _now(session, now), silent_s, passed))
    return session.execute(found.order_by(*_ORDER).limit(1)).scalar()


def claim(
    session: Session, worker_id: int, now: datetime, *, silent_s: float, passed: frozenset[int]
) -> TaskRecord | None:
    """Claim the first task that is free."""
    if session.execute(select(Worker.id).where(Worker.id == worker_id)).first() is None:
        raise not_found("worker", worker_id)
    free = _claimable(worker_id, _now(session, now), silent_s, passed)
    first = select(Task.id).where(*free).order_by(*_ORDER).limit(1).with_for_update(skip_locked=True, key_share=True)
    while (task_id := session.execute(first).scalar()) is not None:
        # A second look, now that nobody else can change it: the first one was at the state before the lock.
        claimed = update(Task).where(Task.id == task_id, *free).values(worker_id=worker_id).returning(Task.id)
        if session.execute(claimed).first() is not None:
            return tasks.get(session, task_id)
    return None


def release(session: Session, task_id: int, worker_id: int) -> None:
    """Give a claim back."""
    session.execute(update(Task).where(Task.id == task_id, Task.worker_id == worker_id).values(worker_id=None))


def register(session: Session, worker: NewWorker, now: datetime) -> WorkerRecord:
    """Store a worker."""
    at = _now(session, now)
    values = worker.model_dump() | {"state": WorkerState.IDLE.value, "started_at": at, "heartbeat_at": at}
    number = session.execute(insert(Worker).values(values).returning(Worker.id)).scalar_one()
    return next(found for found in workers(session, now) if found.id == number)


def beat(session: Session, worker_id: int, now: datetime, *, state: WorkerState) -> None:
    """Store that a worker lives."""
    values = {"state": state.value, "heartbeat_at": _now(session, now)}
    lives = update(Worker).where(Worker.id == worker_id).values(values).returning(Worker.id)
    if session.execute(lives).first() is None:
        raise not_found("worker", worker_id)


def remove(session: Session, worker_id: int) -> None:
    """A worker has ended."""
    _remove(session, [worker_id])


def workers(session: Session, now: datetime) -> list[WorkerRecord]:
    """All workers."""
    at = _now(session, now)
    return [
        WorkerRecord.model_validate(dict(row) | {"silent_s": max(0.0, (at - row["heartbeat_at"]).total_seconds())})
        for row in session.execute(select_row(Worker).order_by(Worker.id)).mappings()
    ]


def drop(session: Session, now: datetime, *, silent_s: float) -> int:
    """Remove workers that have been silent for long."""
    since = _now(session, now) - timedelta(seconds=silent_s)
    silent = session.execute(select(Worker.id).where(Worker.heartbeat_at < since)).scalars().all()
    _remove(session, silent)
    return len(silent)


_ORDER = (Task.priority.desc(), Task.queued_at, Task.id)


def _claimable(
    worker_id: int, at: datetime, silent_s: float, passed: frozenset[int]
) -> tuple[ColumnElement[bool], ...]:
    others = select(Worker.id).where(Worker.id != worker_id, Worker.heartbeat_at >= at - timedelta(seconds=silent_s))
    return (
        Task.queued_at.is_not(None),
        Task.deleted_at.is_(None),
        Task.archived_at.is_(None),
        Task.status.in_(names(TO_RUN)),
        Task.id.not_in(sorted(passed)),
        or_(Task.worker_id.is_(None), Task.worker_id.not_in(others)),
    )


def _remove(session: Session, worker_ids: Sequence[int]) -> None:
    session.execute(delete(Worker).where(Worker.id.in_(worker_ids)))
    session.execute(update(Task).where(Task.worker_id.in_(worker_ids)).values(worker_id=None))


def _now(session: Session, now: datetime) -> datetime:
    if session.get_bind().dialect.name != "postgresql":
        return now
    found: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return found
