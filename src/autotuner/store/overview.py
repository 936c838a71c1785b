"""Units of work that count over all tasks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, case, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from autotuner.contracts.attempt import AttemptStatus
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.overview import Hour, Overview, StartPhases
from autotuner.contracts.store import ExperimentStatus, TaskStatus
from autotuner.store.models import Attempt, Experiment, Task, Worker
from autotuner.store.rows import names

_PRESENT = (Task.deleted_at.is_(None), Task.archived_at.is_(None))
_AT_WORK = names((TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING))
_UNENDED = frozenset({AttemptStatus.PENDING, AttemptStatus.DEPLOYING, AttemptStatus.BENCHMARKING})


def overview(session: Session) -> Overview:
    """How much there is of everything."""
    tasks = session.execute(select(Task.status, func.count()).where(*_PRESENT).group_by(Task.status))
    experiments = session.execute(select(Experiment.status, func.count()).group_by(Experiment.status))
    kind = Experiment.failure["kind"].as_string()
    failures = session.execute(
        select(kind, func.count()).where(Experiment.status == ExperimentStatus.FAILED.value).group_by(kind)
    )
    unclaimed = Task.worker_id.is_(None)
    claimed, waiting, since = session.execute(
        select(
            func.count(Task.worker_id),
            func.count(case((unclaimed, 1))),
            func.min(case((unclaimed, Task.queued_at))),
        ).where(Task.queued_at.is_not(None), Task.deleted_at.is_(None))
    ).one()
    events = session.execute(select(func.coalesce(func.sum(Task.next_seq - 1), 0))).scalar_one()
    return Overview(
        tasks={TaskStatus(status): number for status, number in tasks},
        experiments={ExperimentStatus(status): number for status, number in experiments},
        failures={reason or "unknown": number for reason, number in failures},
        waiting=waiting,
        claimed=claimed,
        waiting_since=since,
        events=int(events),
    )


def finished_by_hour(session: Session, since: datetime) -> list[Hour]:
    """Hours in which experiments ended; only those of tasks that were at work since then are looked at."""
    recent = select(Task.id).where(*_PRESENT, or_(Task.updated_at >= since, Task.status.in_(_AT_WORK)))
    found = session.execute(
        select(Experiment.finished_at, Experiment.status).where(
            Experiment.task_id.in_(recent), Experiment.finished_at >= since
        )
    )
    hours: defaultdict[datetime, Counter[ExperimentStatus]] = defaultdict(Counter)
    for finished_at, status in found:
        if finished_at is not None:
            hours[finished_at.replace(minute=0, second=0, microsecond=0)][ExperimentStatus(status)] += 1
    return [Hour(begin=begin, experiments=dict(counts)) for begin, counts in sorted(hours.items())]


def newest_attempt(session: Session) -> int:
    """Number of the newest attempt."""
    return session.execute(select(func.max(Attempt.id))).scalar() or 0


def start_phases(session: Session, *, after: int, also: Sequence[int], limit: int) -> list[StartPhases]:
    """Attempts and how long their phases took."""
    rows = session.execute(
        select(Attempt.id, Attempt.status, Attempt.phase_seconds)
        .where(or_(Attempt.id > after, and_(Attempt.id <= after, Attempt.id.in_(also))))
        .order_by(Attempt.id)
        .limit(limit)
    )
    return [
        StartPhases(id=number, ended=AttemptStatus(status) not in _UNENDED, phase_seconds=seconds)
        for number, status, seconds in rows
    ]


def probe(session: Session, now: datetime) -> None:
    """Write a row, read it and remove it. AutotunerError(STORE_UNAVAILABLE) if it is not what was written."""
    row = {
        "name": "probe",
        "host": "",
        "pid": 0,
        "version": "",
        "state": "idle",
        "started_at": now,
        "heartbeat_at": now,
    }
    number = session.execute(insert(Worker).values(row).returning(Worker.id)).scalar_one()
    read = session.execute(select(Worker.started_at).where(Worker.id == number)).scalar()
    session.execute(delete(Worker).where(Worker.id == number))
    if read != now:
        raise AutotunerError(
            ErrorCode.STORE_UNAVAILABLE,
            "The database does not keep what is written",
            why=f"{now} was written and {read} was read",
            remedy="Look at the database's disk",
        )
