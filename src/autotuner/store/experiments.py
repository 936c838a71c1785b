"""Units of work on experiments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, func, insert, select, text, union, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from autotuner.contracts.attempt import Failure
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import ExperimentLine
from autotuner.contracts.store import (
    EventType,
    ExperimentOrigin,
    ExperimentRecord,
    ExperimentStatus,
    NewEvent,
    StatusConflictError,
)
from autotuner.contracts.values import Scalar
from autotuner.store.columns import Json, without_key
from autotuner.store.models import Attempt, Experiment
from autotuner.store.rows import (
    PORTIONS,
    append_event,
    json_of,
    lock_task,
    names,
    not_found,
    record,
    records,
    select_row,
)
from autotuner.store.tasks import state as require_task

RAW = "raw_results"
"""The metrics' copy of all measurements of a start."""

UNFINISHED = (ExperimentStatus.PENDING, ExperimentStatus.DEPLOYING, ExperimentStatus.BENCHMARKING)


def add(
    session: Session,
    task_id: int,
    now: datetime,
    *,
    origin: ExperimentOrigin,
    parameters: Mapping[str, Scalar],
    identity: str,
    label: str | None,
) -> ExperimentRecord:
    """Store a pending experiment with the next number."""
    lock_task(session, task_id)
    other = session.execute(
        select(Experiment.number).where(Experiment.task_id == task_id, Experiment.identity == identity)
    ).scalar()
    if other is not None:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"Experiment {other} of task {task_id} has this configuration already",
            why="a configuration is one experiment of its task, however often it is run",
            remedy="Use that experiment, or start another attempt of it",
            place=identity,
        )
    last = session.execute(select(func.max(Experiment.number)).where(Experiment.task_id == task_id)).scalar()
    experiment_id = session.execute(
        insert(Experiment)
        .values(
            task_id=task_id,
            number=0 if last is None else last + 1,
            origin=origin.value,
            label=label,
            status=ExperimentStatus.PENDING.value,
            parameters=dict(parameters),
            identity=identity,
            created_at=now,
        )
        .returning(Experiment.id)
    ).scalar_one()
    return get(session, experiment_id)


def get(session: Session, experiment_id: int) -> ExperimentRecord:
    """One experiment."""
    row = session.execute(select_row(Experiment).where(Experiment.id == experiment_id)).mappings().one_or_none()
    if row is None:
        raise not_found("experiment", experiment_id)
    return record(ExperimentRecord, row)


def of_task(session: Session, task_id: int, *, bulk: bool = True, failed: bool = False) -> list[ExperimentRecord]:
    """All experiments of a task, by number; without ``bulk`` their metrics lack ``raw_results``.

    ``failed``: only those of ``with_failures``.
    """
    query = (
        select_row(Experiment)
        if bulk
        else select_row(Experiment, but=["metrics"]).add_columns(lean_metrics(session.get_bind().dialect.name))
    )
    query = query.where(Experiment.task_id == task_id).order_by(Experiment.number)
    if failed:
        query = query.where(Experiment.id.in_(with_failures(task_id)))
    rows = session.execute(query, execution_options=PORTIONS).mappings()
    found = records(ExperimentRecord, rows if bulk else map(lean, rows))
    if not found:
        require_task(session, task_id)
    return found


def with_failures(task_id: int) -> CompoundSelect[int]:
    """Ids of the experiments of a task that failed, or of which a start failed."""
    # Spelt out: with a parameter SQLite does not see that the index of failed attempts holds them all.
    starts = select(Attempt.experiment_id).where(Attempt.task_id == task_id, text("attempts.status = 'failed'"))
    own = select(Experiment.id).where(Experiment.task_id == task_id, Experiment.status == ExperimentStatus.FAILED.value)
    return union(starts, own)


def lean_metrics(dialect: str) -> ColumnElement[Any]:
    """The metrics without RAW where the database can do that without sorting their names; ``lean`` does the rest."""
    if dialect != "sqlite":
        return Experiment.__table__.columns.metrics
    return func.json_remove(Experiment.metrics, f"$.{RAW}", type_=Json).label("metrics")


def lean(row: RowMapping) -> dict[str, Any]:
    """A row of ``lean_metrics`` without RAW."""
    without: dict[str, Any] = dict(row)
    if without["metrics"] is not None:
        without["metrics"].pop(RAW, None)
    return without


def lean_line(line: ExperimentLine) -> ExperimentLine:
    """The same of a row whose JSON is text."""
    if line.metrics is None or f'"{RAW}"' not in line.metrics:
        return line
    return line._replace(metrics=without_key(line.metrics, RAW))


def counts(session: Session, task_id: int) -> dict[ExperimentStatus, int]:
    """How many experiments have each status."""
    rows = session.execute(
        select(Experiment.status, func.count()).where(Experiment.task_id == task_id).group_by(Experiment.status)
    ).all()
    if not rows:
        require_task(session, task_id)
    return {ExperimentStatus(status): count for status, count in rows}


def finish(
    session: Session,
    experiment_id: int,
    event: NewEvent,
    now: datetime,
    *,
    status: ExperimentStatus,
    metrics: Mapping[str, Any] | None,
    objective_score: float | None,
    penalised_score: float | None,
    slo: Mapping[str, Any] | None,
    failure: Failure | None,
) -> ExperimentRecord:
    """Store the outcome, of an unfinished experiment or anew of one that ended the same way."""
    if status in UNFINISHED:
        raise ValueError(f"{status} is not an end")
    task_id = get(session, experiment_id).task_id
    lock_task(session, task_id)
    changed = session.execute(
        update(Experiment)
        .where(Experiment.id == experiment_id, Experiment.status.in_(names([*UNFINISHED, status])))
        .values(
            status=status.value,
            metrics=None if metrics is None else dict(metrics),
            objective_score=objective_score,
            penalised_score=penalised_score,
            slo=None if slo is None else dict(slo),
            slo_violation=None if slo is None else slo.get("slo_violation"),
            failure=json_of(failure),
            finished_at=now,
        )
        .returning(Experiment.id)
    ).first()
    if changed is None:
        raise StatusConflictError(get(session, experiment_id).status.value)
    append_event(session, task_id, event.model_copy(update={"experiment_id": experiment_id}), now)
    return get(session, experiment_id)


def reopen(session: Session, experiment_id: int, now: datetime) -> ExperimentRecord:
    """Make a failed experiment pending again."""
    experiment = get(session, experiment_id)
    lock_task(session, experiment.task_id)
    changed = session.execute(
        update(Experiment)
        .where(Experiment.id == experiment_id, Experiment.status == ExperimentStatus.FAILED.value)
        .values(status=ExperimentStatus.PENDING.value, metrics=None, failure=None, finished_at=None)
        .returning(Experiment.id)
    ).first()
    if changed is None:
        raise StatusConflictError(get(session, experiment_id).status.value)
    event = NewEvent(type=EventType.EXPERIMENT_RETRIED, experiment_id=experiment_id, data={"number": experiment.number})
    append_event(session, experiment.task_id, event, now)
    return get(session, experiment_id)


def advance(session: Session, experiment_id: int, status: ExperimentStatus) -> None:
    """Set the status of an experiment that isn't finished; a finished one keeps its status."""
    session.execute(
        update(Experiment)
        .where(Experiment.id == experiment_id, Experiment.status.in_(names(UNFINISHED)))
        .values(status=status.value)
    )


def send_back(session: Session, task_id: int) -> None:
    """Make all experiments that had begun and not ended pending again."""
    session.execute(
        update(Experiment)
        .where(
            Experiment.task_id == task_id,
            Experiment.status.in_(names([ExperimentStatus.DEPLOYING, ExperimentStatus.BENCHMARKING])),
        )
        .values(status=ExperimentStatus.PENDING.value)
    )
