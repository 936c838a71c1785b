"""Units of work on requests that are sent again because their answer was lost: they make one task."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.runs import CreatedTask
from autotuner.contracts.store import NewTask, TaskRecord
from autotuner.store import tasks
from autotuner.store.models import IdempotencyKey


def create(session: Session, task: NewTask, now: datetime, *, key: str, request: str, since: datetime) -> CreatedTask:
    """Store a task with its key, or find the one that the key has made."""
    _keep_others_off(session, key)
    known = find(session, key=key, request=request, since=since)
    if known is not None:
        return CreatedTask(task=known, replayed=True)
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.key == key))
    made = tasks.create(session, task, now)
    session.execute(insert(IdempotencyKey).values(key=key, request=request, task_id=made.id, created_at=now))
    return CreatedTask(task=made, replayed=False)


def find(session: Session, *, key: str, request: str, since: datetime) -> TaskRecord | None:
    """The task that the key has made."""
    row = session.execute(
        select(IdempotencyKey.request, IdempotencyKey.task_id).where(
            IdempotencyKey.key == key, IdempotencyKey.created_at > since
        )
    ).first()
    if row is None:
        return None
    if row.request != request:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"The idempotency key {key!r:.80} was used for another request",
            why=f"it has made task {row.task_id} from other contents",
            remedy="Use a new key for each new task",
            place="Idempotency-Key",
        )
    return tasks.get(session, row.task_id)


def drop(session: Session, *, before: datetime) -> int:
    """Forget old keys."""
    gone = session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.created_at < before).returning(IdempotencyKey.key)
    )
    return len(gone.all())


def _keep_others_off(session: Session, key: str) -> None:
    """Let the same request wait until this one has ended (SQLite: BEGIN IMMEDIATE has done so)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
