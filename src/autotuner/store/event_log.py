"""Units of work on the event log for those who deliver it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Integer, Select, bindparam, func, select
from sqlalchemy.orm import Session

from autotuner.contracts.event_log import LogBounds
from autotuner.contracts.store import Event, TaskStatus
from autotuner.store.models import EventEntry, Experiment, Task
from autotuner.store.rows import names, not_found, records, select_row

AT_ONCE = 500
"""Tasks that one query names."""


_AFTER = (
    select_row(EventEntry)
    .where(EventEntry.task_id == bindparam("task"), EventEntry.seq > bindparam("last"))
    .order_by(EventEntry.seq)
    .limit(bindparam("most", type_=Integer))
)
"""Made once: it is run for every event."""


def bounds(session: Session, task_id: int) -> LogBounds:
    """First and last stored number of a task that is not deleted."""
    # Each of the two is one step in the index; together in one SELECT they would be a scan.
    row = session.execute(
        select(Task.next_seq, _first().scalar_subquery(), _last().scalar_subquery()).where(
            Task.id == task_id, Task.deleted_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        raise not_found("task", task_id)
    next_seq, first, last = row
    return LogBounds(next_seq, next_seq - 1) if last is None else LogBounds(first, last)


def positions(session: Session, tasks: Collection[int] | None) -> dict[int, int]:
    """Last stored number of all tasks but archived runs, or of some."""
    # The last event instead of next_seq: that stands behind the large columns of its row.
    query = select(Task.id, func.coalesce(_last().scalar_subquery(), 0))
    if tasks is None:
        return dict(session.execute(query.where(Task.run_of.is_(None))).all())
    wanted, found = sorted(tasks), dict[int, int]()
    for start in range(0, len(wanted), AT_ONCE):
        found |= dict(session.execute(query.where(Task.id.in_(wanted[start : start + AT_ONCE]))).all())
    return found


def starts(session: Session, tasks: Collection[int]) -> dict[int, int]:
    """First stored number of tasks."""
    wanted = sorted(tasks)
    query = select(Task.id, _first().scalar_subquery())
    found: dict[int, int | None] = {}
    for start in range(0, len(wanted), AT_ONCE):
        found |= dict(session.execute(query.where(Task.id.in_(wanted[start : start + AT_ONCE]))).all())
    return {task: first for task, first in found.items() if first is not None}


def after(session: Session, since: Mapping[int, int], limit: int) -> list[Event]:
    """Events after the given numbers, task by task."""
    found: list[Event] = []
    for task_id, seq in since.items():
        rows = session.execute(_AFTER, {"task": task_id, "last": seq, "most": limit - len(found)})
        found += records(Event, rows.mappings())
        if len(found) >= limit:
            break
    return found


def task_of(session: Session, experiment_id: int) -> int:
    """The task of an experiment; NOT_FOUND also when that task is deleted."""
    query = select(Experiment.task_id).join(Task, Task.id == Experiment.task_id)
    found = session.execute(query.where(Experiment.id == experiment_id, Task.deleted_at.is_(None))).scalar()
    if found is None:
        raise not_found("experiment", experiment_id)
    return found


def experiment_of(session: Session, task_id: int, number: int) -> int | None:
    """The experiment of that number."""
    return session.execute(
        select(Experiment.id).where(Experiment.task_id == task_id, Experiment.number == number)
    ).scalar()


def running(session: Session, limit: int) -> list[int]:
    """Tasks that run or wait paused, newest first."""
    statuses = names((TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING))
    query = select(Task.id).where(Task.status.in_(statuses), Task.deleted_at.is_(None))
    return list(session.execute(query.order_by(Task.id.desc()).limit(limit)).scalars())


def _first() -> Select[int]:
    return select(func.min(EventEntry.seq)).where(EventEntry.task_id == Task.id).correlate(Task)


def _last() -> Select[int]:
    return select(func.max(EventEntry.seq)).where(EventEntry.task_id == Task.id).correlate(Task)
