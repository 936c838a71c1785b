"""Units of work on whole tasks: begun anew, edited, restored, purged.

What a task has done is moved to a row of its own when the task is begun anew: the archived run. So a number stands for
the same task all its life, and its lists, results and pages show the present run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autotuner.contracts.runs import ArchivedRun
from autotuner.contracts.store import EventType, NewEvent, StatusConflictError, TaskRecord, TaskStatus
from autotuner.store import tasks
from autotuner.store.models import Attempt, EventEntry, Experiment, MeasurementEntry, Task, WebhookDelivery
from autotuner.store.rows import append_event, lock_task, not_found, record, records, select_row
from autotuner.store.shown import shown_of_document

ARCHIVED, CHANGED, DELETED = "archived", "changed", "deleted"
"""What a conflict says that is not about a status."""
OF_A_RUN = (Experiment, Attempt, MeasurementEntry, EventEntry, WebhookDelivery)
NOTHING_DONE = {
    "status": TaskStatus.PENDING.value,
    "result": None,
    "best_score": None,
    "outcome": None,
    "error": None,
    "stop_reason": None,
    "elapsed_s": 0.0,
    "started_at": None,
    "finished_at": None,
}
EDITABLE = frozenset({"name", "document", "parameters", "identity", "fingerprint", "status", "priority"})
AT_REST = (TaskStatus.PENDING, *tasks.ENDED)


def archive(
    session: Session,
    task_id: int,
    now: datetime,
    *,
    identity: Mapping[str, Any],
    fingerprint: str,
    drop: bool,
) -> ArchivedRun:
    """Move what a task has done to a row of its own, and begin its next run."""
    found = _resting(session, task_id)
    if found.status not in tasks.ENDED:
        raise StatusConflictError(found.status.value)
    row = dict(session.execute(select_row(Task, but=["id"]).where(Task.id == task_id)).mappings().one())
    name = free_name(session, f"{found.name} (run {found.run})")
    row |= {
        "name": name,
        "name_folded": tasks.folded(name),
        "run_of": task_id,
        "archived_at": now,
        "deleted_at": now if drop else None,
    }
    archived_id = session.execute(insert(Task).values(row).returning(Task.id)).scalar_one()
    if found.result is not None:  # it says whose it is
        result = {**found.result, "task_id": archived_id}
        session.execute(update(Task).where(Task.id == archived_id).values(result=result))
    for table in OF_A_RUN:
        session.execute(update(table).where(table.task_id == task_id).values(task_id=archived_id))
    begun = NOTHING_DONE | {"run": found.run + 1, "identity": dict(identity), "fingerprint": fingerprint}
    session.execute(update(Task).where(Task.id == task_id).values({**begun, "updated_at": now}))
    event = NewEvent(
        type=EventType.TASK_UPDATED,
        message="what it had done was removed" if drop else "what it had done was archived",
        data={"status": TaskStatus.PENDING.value, "run": found.run + 1, "archived_run": archived_id},
    )
    append_event(session, task_id, event, now)
    return ArchivedRun(task=tasks.get(session, task_id), run=tasks.get(session, archived_id))


def edit(session: Session, task_id: int, values: Mapping[str, Any], now: datetime, *, next_seq: int) -> TaskRecord:
    """Set what may be changed of a task that nobody runs."""
    unknown = sorted(set(values) - EDITABLE)
    if unknown:
        raise ValueError(f"not editable: {', '.join(unknown)}")
    found = _resting(session, task_id)
    if found.next_seq != next_seq:
        raise StatusConflictError(CHANGED)
    changed = {**values, "updated_at": now}
    if "name" in values:
        changed["name_folded"] = tasks.folded(values["name"])
    if "document" in values:
        changed |= shown_of_document(values["document"])
    try:
        session.execute(update(Task).where(Task.id == task_id).values(changed))
    except IntegrityError as error:
        raise tasks.name_taken(values["name"]) from error
    append_event(session, task_id, NewEvent(type=EventType.TASK_UPDATED, data={"changed": sorted(values)}), now)
    return tasks.get(session, task_id)


def restore(session: Session, task_id: int, now: datetime, *, name: str | None) -> TaskRecord:
    """Take back a deletion."""
    found = _deleted(session, task_id)
    chosen = found.name if name is None else name
    _undelete(session, task_id, chosen, now)
    runs = select(Task.id, Task.name).where(Task.run_of == task_id, Task.deleted_at == found.deleted_at)
    for run_id, run_name in session.execute(runs).all():
        _undelete(session, run_id, free_name(session, run_name), now)
    data = {"status": found.status.value, "restored": True}
    append_event(session, task_id, NewEvent(type=EventType.TASK_UPDATED, data=data), now)
    return tasks.get(session, task_id)


def deleted(session: Session, *, before: datetime) -> list[TaskRecord]:
    """Tasks and archived runs that were deleted before then."""
    return records(
        TaskRecord,
        session.execute(select_row(Task).where(Task.deleted_at < before).order_by(Task.id)).mappings(),
    )


def purge(session: Session, task_id: int) -> list[TaskRecord]:
    """Remove a deleted task and its archived runs."""
    _deleted(session, task_id)
    runs = select_row(Task).where(Task.run_of == task_id).order_by(Task.id)
    gone = [tasks.get(session, task_id), *records(TaskRecord, session.execute(runs).mappings())]
    session.execute(delete(Task).where(Task.id.in_([one.id for one in gone])))
    return gone


def free_name(session: Session, name: str) -> str:
    """``name``, or with -2, -3, … the first one that no task has that is not deleted."""
    taken, number = name, 1
    while session.execute(select(Task.id).where(Task.name == taken, Task.deleted_at.is_(None))).first() is not None:
        number += 1
        taken = f"{name}-{number}"
    return taken


def _resting(session: Session, task_id: int) -> TaskRecord:
    """A task that nobody runs or waits for, locked."""
    lock_task(session, task_id)
    found = tasks.get(session, task_id)
    if found.archived_at is not None:
        raise StatusConflictError(ARCHIVED)
    if found.queued_at is not None:
        raise StatusConflictError("queued")
    if found.status not in AT_REST:
        raise StatusConflictError(found.status.value)
    return found


def _deleted(session: Session, task_id: int) -> TaskRecord:
    """A deleted task, locked."""
    row = session.execute(select_row(Task).where(Task.id == task_id).with_for_update(key_share=True)).mappings().first()
    if row is None:
        raise not_found("task", task_id)
    found = record(TaskRecord, row)
    if found.deleted_at is None:
        raise StatusConflictError(found.status.value)
    return found


def _undelete(session: Session, task_id: int, name: str, now: datetime) -> None:
    values = {"deleted_at": None, "name": name, "name_folded": tasks.folded(name), "updated_at": now}
    try:
        session.execute(update(Task).where(Task.id == task_id).values(values))
    except IntegrityError as error:
        raise tasks.name_taken(name) from error
