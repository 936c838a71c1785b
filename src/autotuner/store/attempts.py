"""Units of work on attempts and their measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, insert, or_, select, update
from sqlalchemy.orm import Session

from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure, Handle, Phase
from autotuner.contracts.event_log import AttemptFolder
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.quality import JudgedAnswers
from autotuner.contracts.store import (
    AttemptRow,
    EventType,
    ExperimentStatus,
    MeasurementRow,
    NewEvent,
    StatusConflictError,
    TaskStatus,
)
from autotuner.store import experiments
from autotuner.store.models import Attempt, Experiment, MeasurementEntry, Task
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

RUNNING = (AttemptStatus.PENDING, AttemptStatus.DEPLOYING, AttemptStatus.BENCHMARKING)
UNENDED_TASKS = (TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING)


def start(
    session: Session,
    experiment_id: int,
    now: datetime,
    *,
    reason: AttemptReason,
    host: Mapping[str, Any],
    block: int | None,
) -> AttemptRow:
    """Store a new attempt; its experiment is deploying from now on, unless it is finished."""
    experiment = experiments.get(session, experiment_id)
    lock_task(session, experiment.task_id)
    last = session.execute(select(func.max(Attempt.number)).where(Attempt.experiment_id == experiment_id)).scalar()
    number = (last or 0) + 1
    attempt_id = session.execute(
        insert(Attempt)
        .values(
            experiment_id=experiment_id,
            task_id=experiment.task_id,
            number=number,
            reason=reason.value,
            block=block,
            status=AttemptStatus.DEPLOYING.value,
            host=dict(host),
            phase_seconds={},
            started_at=now,
        )
        .returning(Attempt.id)
    ).scalar_one()
    experiments.advance(session, experiment_id, ExperimentStatus.DEPLOYING)
    event = NewEvent(
        type=EventType.EXPERIMENT_STARTED,
        experiment_id=experiment_id,
        data={
            "parameters": experiment.parameters,
            "reason": reason.value,
            "number": experiment.number,
            "attempt": number,
        },
    )
    append_event(session, experiment.task_id, event, now)
    return get(session, attempt_id)


def get(session: Session, attempt_id: int) -> AttemptRow:
    """One attempt."""
    row = session.execute(select_row(Attempt).where(Attempt.id == attempt_id)).mappings().one_or_none()
    if row is None:
        raise not_found("attempt", attempt_id)
    return record(AttemptRow, row)


def folders(session: Session, task_id: int, last: int | None) -> list[AttemptFolder]:
    """Where server starts keep their files, in the order of the starts; of the ``last`` few, or all."""
    query = (
        select(Experiment.number, Attempt.number, Attempt.reason, Attempt.job["artefact_dir"].as_string())
        .join(Experiment, Experiment.id == Attempt.experiment_id)
        .where(Attempt.task_id == task_id)
        .order_by(Attempt.id.desc())
        .limit(last)
    )
    return [AttemptFolder(*row) for row in reversed(session.execute(query).all())]


def set_job(session: Session, attempt_id: int, job: AttemptJob) -> None:
    """Store what is going to be run."""
    _set(session, attempt_id, {"job": json_of(job)})


def set_handle(session: Session, attempt_id: int, handle: Handle) -> None:
    """Store where the server runs, also of an attempt that has ended: a server that exists must be found again."""
    _set(session, attempt_id, {"handle": json_of(handle)})


def set_ready(session: Session, attempt_id: int, now: datetime, *, base_url: str, engine_version: str | None) -> None:
    """The server answers."""
    attempt = get(session, attempt_id)
    lock_task(session, attempt.task_id)
    values = {"status": AttemptStatus.BENCHMARKING.value, "base_url": base_url, "engine_version": engine_version}
    _compare_and_set(session, attempt_id, (AttemptStatus.PENDING, AttemptStatus.DEPLOYING), values)
    experiments.advance(session, attempt.experiment_id, ExperimentStatus.BENCHMARKING)
    event = NewEvent(
        type=EventType.BENCHMARK_STARTED,
        experiment_id=attempt.experiment_id,
        data={"reason": attempt.reason.value, "attempt": attempt.number, "engine_version": engine_version},
    )
    append_event(session, attempt.task_id, event, now)


def set_answers(session: Session, attempt_id: int, answers: JudgedAnswers) -> None:
    """Store what the quality guard found, also of an attempt that has ended."""
    _set(session, attempt_id, {"answers": json_of(answers)})


def add_measurement(session: Session, attempt_id: int, now: datetime, measurement: Measurement) -> MeasurementRow:
    """Store a finished measurement, also of an attempt that has ended: finished measurements are never lost."""
    attempt = get(session, attempt_id)
    row = {"attempt_id": attempt_id, "experiment_id": attempt.experiment_id, "task_id": attempt.task_id}
    stored = session.execute(
        insert(MeasurementEntry)
        .values(row | {"measurement": json_of(measurement), "created_at": now})
        .returning(*MeasurementEntry.__table__.columns)
    )
    return record(MeasurementRow, stored.mappings().one())


def finish(
    session: Session,
    attempt_id: int,
    now: datetime,
    *,
    status: AttemptStatus,
    failure: Failure | None,
    phase_seconds: Mapping[Phase, float],
    peak_rss_bytes: int | None,
) -> AttemptRow:
    """Store the end of an attempt."""
    if status in RUNNING:
        raise ValueError(f"{status} is not an end")
    _compare_and_set(
        session,
        attempt_id,
        RUNNING,
        {
            "status": status.value,
            "failure": json_of(failure),
            "phase_seconds": {phase.value: seconds for phase, seconds in phase_seconds.items()},
            "peak_rss_bytes": peak_rss_bytes,
            "finished_at": now,
        },
    )
    return get(session, attempt_id)


def interrupt(session: Session, task_id: int, now: datetime) -> list[AttemptRow]:
    """Mark attempts that never ended, and send back experiments that had begun and not ended.

    Those include an experiment whose attempt did end: the writer may have died between the two.
    """
    lock_task(session, task_id)
    changed = session.execute(
        update(Attempt)
        .where(Attempt.task_id == task_id, Attempt.status.in_(names(RUNNING)))
        .values(status=AttemptStatus.INTERRUPTED.value, finished_at=now)
        .returning(*Attempt.__table__.columns)
    ).mappings()
    interrupted = sorted(records(AttemptRow, changed), key=lambda attempt: attempt.id)
    experiments.send_back(session, task_id)
    return interrupted


def unended(session: Session) -> list[AttemptRow]:
    """Attempts without an end of all tasks that are not deleted and have not ended; verifications also of those."""
    there = select(Task.id).where(Task.deleted_at.is_(None))
    running = there.where(Task.status.in_([status.value for status in UNENDED_TASKS]))
    query = select_row(Attempt).where(
        or_(
            Attempt.task_id.in_(running),
            and_(Attempt.task_id.in_(there), Attempt.reason == AttemptReason.VERIFY.value),
        ),
        Attempt.status.in_(names(RUNNING)),
    )
    return records(AttemptRow, session.execute(query.order_by(Attempt.id)).mappings())


def of_task(
    session: Session, task_id: int, *, experiment_id: int | None, bulk: bool = True, failed: bool = False
) -> list[AttemptRow]:
    """Attempts in the order of their start; without ``bulk`` without job and host.

    ``failed``: only those of experiments that failed, or of which a start failed.
    """
    query = select_row(Attempt, but=() if bulk else ("job", "host"))
    if failed:
        query = query.where(Attempt.experiment_id.in_(experiments.with_failures(task_id))).order_by(Attempt.id)
    else:
        query = _owned(query, Attempt, task_id, experiment_id)
    found = records(AttemptRow, session.execute(query, execution_options=PORTIONS).mappings())
    _require_owner(session, task_id, experiment_id, found)
    return found


def commands(session: Session, task_id: int) -> dict[int, tuple[str, ...]]:
    """By attempt, the arguments of the server that it starts."""
    argv = Attempt.job["command", "argv"]
    rows = session.execute(select(Attempt.id, argv).where(Attempt.task_id == task_id), execution_options=PORTIONS)
    found = {attempt_id: tuple(words) for attempt_id, words in rows if words}
    if not found:
        require_task(session, task_id)
    return found


def measurements_of_task(session: Session, task_id: int, *, experiment_id: int | None) -> list[MeasurementRow]:
    """Measurements in the order in which they were stored."""
    query = _owned(select_row(MeasurementEntry), MeasurementEntry, task_id, experiment_id)
    found = records(MeasurementRow, session.execute(query, execution_options=PORTIONS).mappings())
    _require_owner(session, task_id, experiment_id, found)
    return found


def _owned(
    query: Select[tuple[object, ...]],
    table: type[Attempt] | type[MeasurementEntry],
    task_id: int,
    experiment_id: int | None,
) -> Select[tuple[object, ...]]:
    """What a task or one experiment of it owns, in order.

    Not both conditions at once: SQLite would take the index that is in order already and read the whole task.
    """
    owner = table.task_id == task_id if experiment_id is None else table.experiment_id == experiment_id
    return query.where(owner).order_by(table.id)


def _require_owner(
    session: Session, task_id: int, experiment_id: int | None, found: Sequence[AttemptRow | MeasurementRow]
) -> None:
    """Raise AutotunerError(NOT_FOUND) for an unknown task, and for an experiment that is not one of its own."""
    if not found:
        require_task(session, task_id)
        owner = select(Experiment.task_id).where(Experiment.id == experiment_id)
        if experiment_id is not None and session.execute(owner).scalar() != task_id:
            raise not_found("experiment", experiment_id)
    elif found[0].task_id != task_id and experiment_id is not None:
        raise not_found("experiment", experiment_id)


def _set(session: Session, attempt_id: int, values: Mapping[str, object]) -> None:
    changed = session.execute(
        update(Attempt).where(Attempt.id == attempt_id).values(dict(values)).returning(Attempt.id)
    ).first()
    if changed is None:
        raise not_found("attempt", attempt_id)


def _compare_and_set(
    session: Session, attempt_id: int, expected: Sequence[AttemptStatus], values: Mapping[str, object]
) -> None:
    changed = session.execute(
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.status.in_(names(expected)))
        .values(dict(values))
        .returning(Attempt.id)
    ).first()
    if changed is None:
        raise StatusConflictError(get(session, attempt_id).status.value)
