"""What the units of work share: rows as records, the lock on a task, the event that ends a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import NewEvent
from autotuner.contracts.values import Frozen
from autotuner.store.models import Base, EventEntry, Task
from autotuner.store.wake import note_appended

R = TypeVar("R", bound=Frozen)

PORTIONS = {"yield_per": 500}
"""Execution options of a query with many rows: they are never all in memory as text."""


def select_row(table: type[Base], *, but: Iterable[str] = ()) -> Select[tuple[object, ...]]:
    """SELECT of all columns of a table ``but`` some; rows, not objects, because 10⁵ of them are read at once."""
    return select(*(column for column in table.__table__.columns if column.name not in but))


def record(kind: type[R], row: Mapping[Any, Any]) -> R:
    """The record of a row; columns that the record lacks are left out, fields that the row lacks have their default."""
    return kind.model_validate({name: row[name] for name in kind.model_fields if name in row})


def records(kind: type[R], rows: Iterable[Mapping[Any, Any]]) -> list[R]:
    """The records of many rows."""
    return [record(kind, row) for row in rows]


def lock_task(session: Session, task_id: int) -> None:
    """Keep other writers off a task until the commit (SQLite: BEGIN IMMEDIATE has done so).

    Each unit that changes an existing task takes this lock first, so units never wait for each other in a circle.
    Raises AutotunerError(NOT_FOUND) for an unknown or deleted task.
    """
    query = select(Task.id).where(Task.id == task_id, Task.deleted_at.is_(None)).with_for_update(key_share=True)
    if session.execute(query).first() is None:
        raise not_found("task", task_id)


def append_event(session: Session, task_id: int, event: NewEvent, now: datetime) -> int:
    """Write ``event`` under the task's next number and return that number; the last thing that a unit does.

    The row of the task stays locked until the commit: numbers follow the order of commits, and a unit that is rolled
    back gives its number back.
    """
    next_seq = session.execute(
        update(Task).where(Task.id == task_id).values(next_seq=Task.next_seq + 1).returning(Task.next_seq)
    ).scalar_one()
    seq = next_seq - 1
    session.execute(
        insert(EventEntry).values(
            task_id=task_id,
            seq=seq,
            type=event.type.value,
            experiment_id=event.experiment_id,
            timestamp=now,
            message=event.message,
            data=event.data,
        )
    )
    note_appended(session, task_id, seq)
    return seq


def json_of(value: Frozen | None) -> dict[str, object] | None:
    """A value type as a JSON object."""
    return None if value is None else value.model_dump(mode="json")


def names(statuses: Iterable[StrEnum]) -> list[str]:
    """Statuses as they are stored."""
    return [status.value for status in statuses]


def not_found(noun: str, number: int) -> AutotunerError:
    """The error for an id that doesn't exist."""
    return AutotunerError(
        ErrorCode.NOT_FOUND,
        f"There is no {noun} {number}",
        why="the store has no such number, or it was deleted",
        remedy=f"List the {noun}s that there are",
        place=f"{noun} {number}",
    )
