"""Units of work that read experiments as they are shown, with what other tables hold of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import JSON, BindParameter, Select, Text, bindparam, cast, select
from sqlalchemy.orm import Session

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.listing import ExperimentItem, ExperimentLine, ExperimentParts, TaskFacts
from autotuner.contracts.store import AttemptRow, MeasurementRow
from autotuner.store.experiments import lean, lean_line, lean_metrics
from autotuner.store.models import Attempt, Experiment, MeasurementEntry, Task
from autotuner.store.rows import names, not_found, record, records, select_row

BULK = ("metrics", "identity", "penalised_score")
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_FACTS = select(Task.id, Task.name, Task.document["optimization"]).where(Task.id.in_(_IDS))
_SECONDS = select(Attempt.experiment_id, Attempt.phase_seconds).where(
    Attempt.experiment_id.in_(_IDS),
    Attempt.reason.in_(bindparam("reasons", expanding=True)),
    Attempt.finished_at.is_not(None),
)
_ATTEMPTS = select_row(Attempt).where(Attempt.experiment_id == bindparam("id")).order_by(Attempt.id)
_MEASUREMENTS = (
    select_row(MeasurementEntry).where(MeasurementEntry.experiment_id == bindparam("id")).order_by(MeasurementEntry.id)
)


def get_experiments(session: Session, ids: Sequence[int]) -> list[ExperimentItem]:
    """Some experiments, in the order of ``ids``."""
    if not ids:
        return []
    connection = session.connection()
    rows = connection.execute(_items(connection.dialect.name), {"ids": list(set(ids))}).mappings()
    found = {row["id"]: record(ExperimentItem, lean(row)) for row in rows}
    missing = next((number for number in ids if number not in found), None)
    if missing is not None:
        raise not_found("experiment", missing)
    return [found[number] for number in ids]


def lines_by_id(session: Session, ids: Sequence[int]) -> list[ExperimentLine]:
    """The lines of experiments that are there, in the order of ``ids``."""
    if not ids:
        return []
    connection = session.connection()
    rows = connection.execute(_lines(connection.dialect.name), {"ids": list(ids)})
    found = {row[0]: lean_line(ExperimentLine._make(row)) for row in rows}
    return [found[number] for number in ids]


def experiment_parts(session: Session, experiment_id: int) -> ExperimentParts:
    """One experiment with all that is shown of it."""
    (item,) = get_experiments(session, [experiment_id])
    connection, asked = session.connection(), {"id": experiment_id}
    started = records(AttemptRow, connection.execute(_ATTEMPTS, asked).mappings())
    measured = records(MeasurementRow, connection.execute(_MEASUREMENTS, asked).mappings()) if started else []
    return ExperimentParts(item, facts_of(session, [item.task_id])[item.task_id], started, measured)


def facts_of(session: Session, ids: Sequence[int]) -> dict[int, TaskFacts]:
    """What experiments show of their tasks; tasks that are not there are left out."""
    if not ids:
        return {}
    rows = session.connection().execute(_FACTS, {"ids": list(set(ids))})
    return {task_id: TaskFacts(name, optimization or {}) for task_id, name, optimization in rows}


def seconds_of(session: Session, ids: Sequence[int], reasons: Collection[AttemptReason]) -> dict[int, float]:
    """How long the ended server starts of some experiments took."""
    if not ids:
        return {}
    rows = session.connection().execute(_SECONDS, {"ids": list(set(ids)), "reasons": names(reasons)})
    took: dict[int, float] = {}
    for experiment_id, phases in rows:
        took[experiment_id] = took.get(experiment_id, 0.0) + sum(phases.values())
    return took


@cache
def _items(dialect: str) -> Select[*tuple[Any, ...]]:
    chosen = select_row(Experiment, but=BULK).add_columns(lean_metrics(dialect))
    return chosen.where(Experiment.id.in_(_IDS))


@cache
def _lines(dialect: str) -> Select[*tuple[Any, ...]]:
    columns = dict(Experiment.__table__.columns) | {"metrics": lean_metrics(dialect)}
    chosen = (columns[name] for name in ExperimentLine._fields)
    texts = select(*(cast(one, Text) if isinstance(one.type, JSON) else one for one in chosen))
    return texts.where(Experiment.id.in_(_IDS))
