"""Units of work that read lists: filtered, sorted and cut into pages by the database.

Each list first takes the numbers of a page from an index that has all that is filtered and sorted by, then reads the
rows of the page. A document, a result or a raw figure of another row is never read. The bounds on keys that hold for
every row (``> 0``) tell SQLite to search an index from there instead of scanning the table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, Text, and_, cast, func, literal, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import (
    MAX_DEPTH,
    ExperimentItem,
    ExperimentLine,
    ExperimentLines,
    ExperimentQuery,
    Page,
    TaskQuery,
    TaskSummary,
)
from autotuner.contracts.store import ExperimentStatus
from autotuner.store.columns import storable_text
from autotuner.store.experiments import lean, lean_line, lean_metrics
from autotuner.store.models import Attempt, Base, Experiment, Task
from autotuner.store.rows import names, not_found, record, select_row
from autotuner.store.shown import outcome_of
from autotuner.store.tasks import state

BULK_OF_TASK = ("document", "parameters", "identity", "result")
BULK_OF_EXPERIMENT = ("metrics", "identity", "penalised_score")
OUTCOME = ("verdict", "unit", "direction", "predicted", "gain")
"""Keys of a result that its list shows."""
FIRST = datetime(1, 1, 2, tzinfo=UTC)
"""Before every stored time, in every time zone."""

Ids = Select[int]


def query_tasks(session: Session, query: TaskQuery) -> Page[TaskSummary]:
    """A page of tasks."""
    _require_depth(query.page, query.size)
    wanted = _tasks(query)
    order = _task_order(query)
    ids = session.execute(wanted.order_by(*order).offset((query.page - 1) * query.size).limit(query.size)).scalars()
    found = _tasks_by_id(session, ids.all())
    total = _count(session, [wanted])
    return Page(
        items=tuple(found),
        total=min(total, MAX_DEPTH),
        total_exact=total <= MAX_DEPTH,
        page=query.page,
        size=query.size,
    )


def query_experiments(session: Session, query: ExperimentQuery) -> Page[ExperimentItem]:
    """A page of experiments, of one task or of all that are not deleted."""
    ids, total = _experiments(session, query)
    return Page(
        items=tuple(get_experiments(session, ids)),
        total=min(total, MAX_DEPTH),
        total_exact=total <= MAX_DEPTH,
        page=query.page,
        size=query.size,
    )


def experiment_lines(session: Session, query: ExperimentQuery, reasons: Collection[AttemptReason]) -> ExperimentLines:
    """The same, with JSON as text."""
    ids, total = _experiments(session, query)
    lines: dict[int, ExperimentLine] = {}
    if ids:
        columns = dict(Experiment.__table__.columns) | {"metrics": lean_metrics(session)}
        chosen = (columns[name] for name in ExperimentLine._fields)
        texts = select(*(cast(one, Text) if isinstance(one.type, JSON) else one for one in chosen))
        made = map(ExperimentLine._make, session.execute(texts.where(Experiment.id.in_(set(ids)))))
        lines = {line.id: lean_line(line) for line in made}
    tasks = list({line.task_id for line in lines.values()})
    return ExperimentLines(
        lines=[lines[number] for number in ids],
        total=min(total, MAX_DEPTH),
        total_exact=total <= MAX_DEPTH,
        optimization_of=optimization_of(session, tasks),
        names_of=names_of(session, tasks),
        seconds_of=seconds_of(session, ids, reasons),
    )


def _experiments(session: Session, query: ExperimentQuery) -> tuple[Sequence[int], int]:
    """The numbers of a page, and how many there are on all pages."""
    _require_depth(query.page, query.size)
    offset = (query.page - 1) * query.size
    if query.task_id is None:
        _require_no_task_needed(query)
        parts = [_of_all(status) for status in query.status or (None,)]
        ids = session.execute(_merged(parts, query, offset)).scalars().all()
    else:
        state(session, query.task_id)
        parts = _of_task(query, query.task_id)
        ids = _one_after_the_other(session, parts, query, offset)
    return ids, _count(session, parts)


def get_experiments(session: Session, ids: Sequence[int]) -> list[ExperimentItem]:
    """Some experiments, in the order of ``ids``."""
    if not ids:
        return []
    query = select_row(Experiment, but=BULK_OF_EXPERIMENT).add_columns(lean_metrics(session))
    rows = session.execute(query.where(Experiment.id.in_(set(ids)))).mappings()
    found = {row["id"]: record(ExperimentItem, lean(row)) for row in rows}
    missing = next((number for number in ids if number not in found), None)
    if missing is not None:
        raise not_found("experiment", missing)
    return [found[number] for number in ids]


def tasks_before(session: Session, task_id: int) -> int:
    """How many queued tasks come before a queued one."""
    one = session.execute(select(Task.priority, Task.queued_at).where(Task.id == task_id)).first()
    if one is None:
        raise not_found("task", task_id)
    if one.queued_at is None:
        return 0
    same = Task.priority == one.priority
    earlier = or_(Task.queued_at < one.queued_at, and_(Task.queued_at == one.queued_at, Task.id < task_id))
    first = select(func.count()).where(
        Task.queued_at.is_not(None), Task.deleted_at.is_(None), or_(Task.priority > one.priority, and_(same, earlier))
    )
    return session.execute(_by_index(first, Task, "ix_tasks_queue")).scalar_one()


def optimization_of(session: Session, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The block ``optimization`` of some tasks' documents; tasks that are not there are left out."""
    rows = session.execute(select(Task.id, Task.document["optimization"]).where(Task.id.in_(set(ids))))
    return {task_id: block or {} for task_id, block in rows}


def names_of(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Names of some tasks."""
    rows = session.execute(select(Task.id, Task.name).where(Task.id.in_(set(ids))))
    return {row.id: row.name for row in rows}


def seconds_of(session: Session, ids: Sequence[int], reasons: Collection[AttemptReason]) -> dict[int, float]:
    """How long the ended server starts of some experiments took."""
    rows = session.execute(
        select(Attempt.experiment_id, Attempt.phase_seconds).where(
            Attempt.experiment_id.in_(set(ids)), Attempt.reason.in_(names(reasons)), Attempt.finished_at.is_not(None)
        )
    )
    took: dict[int, float] = {}
    for experiment_id, phases in rows:
        took[experiment_id] = took.get(experiment_id, 0.0) + sum(phases.values())
    return took


def _tasks(query: TaskQuery) -> Ids:
    """The numbers of the tasks that are wanted."""
    chosen = select(Task.id)
    if query.run_of is not None:
        chosen = chosen.where(Task.run_of == query.run_of, Task.deleted_at.is_(None))
    elif query.deleted:
        chosen = _by_index(
            chosen.where(Task.deleted_at > FIRST, Task.archived_at.is_(None)), Task, "ix_tasks_deleted_at"
        )
    elif query.archived:
        chosen = chosen.where(Task.run_of > 0, Task.archived_at.is_not(None), Task.deleted_at.is_(None))
        chosen = _by_index(chosen, Task, "ix_tasks_run_of_id")
    else:
        chosen = _present(chosen, query)
    if query.status:
        chosen = chosen.where(Task.status.in_(names(query.status)))
    if query.queued is not None:
        chosen = chosen.where(Task.queued_at.is_not(None) if query.queued else Task.queued_at.is_(None))
    if query.search:
        chosen = chosen.where(Task.name_folded.contains(storable_text(query.search).casefold(), autoescape=True))
    return chosen


def _present(chosen: Ids, query: TaskQuery) -> Ids:
    """Those neither deleted nor archived, by the index that knows what is asked."""
    chosen = chosen.where(Task.deleted_at.is_(None), Task.archived_at.is_(None))
    if query.search or query.sort == "name":
        # Who searches a part of a name looks at all names, in their index.
        index, bound = "name", Task.name_folded >= ""
    elif query.sort == "updated_at":
        index, bound = "updated", Task.updated_at > FIRST
    elif query.sort == "status" or query.status:
        index, bound = "status", Task.status > ""
    else:
        index, bound = "id", Task.id > 0
    return _by_index(chosen.where(bound), Task, f"ix_tasks_present_{index}")


def _by_index(chosen: Ids, table: type[Base], index: str) -> Ids:
    """The same by this index on SQLite, which knows little of how many rows a condition leaves."""
    return chosen.with_hint(table, f"INDEXED BY {index}", "sqlite")


def _task_order(query: TaskQuery) -> list[ColumnElement[Any]]:
    columns: Mapping[str, InstrumentedAttribute[Any]] = {
        "id": Task.id,
        "name": Task.name_folded,
        "updated_at": Task.updated_at,
        "status": Task.status,
    }
    chosen = list(dict.fromkeys([columns[query.sort], Task.id]))
    return [column.desc() if query.descending else column.asc() for column in chosen]


def _tasks_by_id(session: Session, ids: Sequence[int]) -> list[TaskSummary]:
    if not ids:
        return []
    outcome = [Task.result[name].label(f"result_{name}") for name in OUTCOME]
    chosen = select_row(Task, but=BULK_OF_TASK).add_columns(*outcome)
    rows = session.execute(chosen.where(Task.id.in_(ids))).mappings()
    counts: dict[int, dict[str, int]] = {}
    counted = (
        select(Experiment.task_id, Experiment.status, func.count())
        .where(Experiment.task_id.in_(ids))
        .group_by(Experiment.task_id, Experiment.status)
    )
    for task_id, status, count in session.execute(counted):
        counts.setdefault(task_id, {})[status] = count
    found = {
        row["id"]: record(
            TaskSummary, {**row, "experiments": counts.get(row["id"], {}), "outcome": outcome_of(row, "result_")}
        )
        for row in rows
    }
    return [found[number] for number in ids]


def _of_all(status: ExperimentStatus | None) -> Ids:
    """The experiments of all tasks that are not deleted, with a status or with any."""
    deleted = select(Task.id).where(Task.deleted_at.is_not(None))
    chosen = select(Experiment.id).where(Experiment.id > 0, Experiment.task_id.not_in(deleted))
    chosen = chosen.order_by(Experiment.id.desc())
    if status is None:
        return _by_index(chosen, Experiment, "ix_experiments_of_all")
    return _by_index(chosen.where(Experiment.status == status.value), Experiment, "ix_experiments_of_status")


def _merged(parts: Sequence[Ids], query: ExperimentQuery, offset: int) -> Ids:
    """A page of several lists in order of number; no more of each is read than the page may need."""
    order = _directed(Experiment.id, query)
    if len(parts) == 1:
        return parts[0].order_by(None).order_by(order).offset(offset).limit(query.size)
    ends = [part.order_by(None).order_by(order).limit(offset + query.size).subquery() for part in parts]
    whole = union_all(*(select(end.c.id) for end in ends)).subquery()
    return select(whole.c.id).order_by(_directed(whole.c.id, query)).offset(offset).limit(query.size)


def _of_task(query: ExperimentQuery, task_id: int) -> list[Ids]:
    """The experiments of a task, as lists that follow on each other; by score those without one come last."""
    wanted = [Experiment.task_id == task_id]
    if query.status:
        wanted.append(Experiment.status.in_(names(query.status)))
    if query.origin is not None:
        wanted.append(Experiment.origin == query.origin.value)
    if query.slo_violation is not None:
        wanted.append(Experiment.slo_violation.is_(query.slo_violation))
    number, score = _directed(Experiment.number, query), _directed(Experiment.objective_score, query)
    whole = select(Experiment.id).where(*wanted)
    if query.sort != "objective_score":  # numbers are given in the order of ids
        return [_by_index(whole.order_by(number), Experiment, "ix_experiments_of_task")]
    by_score = _by_index(whole, Experiment, "ix_experiments_by_score")
    return [
        by_score.where(Experiment.objective_score.is_not(None)).order_by(score, number),
        by_score.where(Experiment.objective_score.is_(None)).order_by(number),
    ]


def _one_after_the_other(session: Session, parts: Sequence[Ids], query: ExperimentQuery, offset: int) -> list[int]:
    """A page of lists that follow on each other."""
    ids: list[int] = []
    for place, part in enumerate(parts):
        ids += session.execute(part.offset(offset).limit(query.size - len(ids))).scalars().all()
        if len(ids) == query.size or place == len(parts) - 1:
            break
        if not ids:
            offset -= _count(session, [part])
        else:
            offset = 0
    return ids


def _count(session: Session, parts: Sequence[Ids]) -> int:
    """How many there are in all lists together, at most one more than MAX_DEPTH."""
    some = [part.limit(MAX_DEPTH + 1).subquery() for part in parts]
    if len(some) == 1:
        return session.execute(select(func.count()).select_from(some[0])).scalar_one()
    whole = union_all(*(select(literal(1)).select_from(one) for one in some)).limit(MAX_DEPTH + 1).subquery()
    return session.execute(select(func.count()).select_from(whole)).scalar_one()


def _directed(column: ColumnElement[Any] | InstrumentedAttribute[Any], query: ExperimentQuery) -> ColumnElement[Any]:
    return column.desc() if query.descending else column.asc()


def _require_depth(page: int, size: int) -> None:
    if page * size > MAX_DEPTH:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"page {page} of {size} items each lies too deep",
            why=f"a list is shown up to item {MAX_DEPTH}",
            remedy="Filter the list, or turn its order around",
            place="page",
        )


def _require_no_task_needed(query: ExperimentQuery) -> None:
    asked = {
        "sort": query.sort != "id",
        "origin": query.origin is not None,
        "slo_violation": query.slo_violation is not None,
    }
    place = next((name for name, needed in asked.items() if needed), None)
    if place is not None:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "this list needs a task",
            why="experiments of several tasks can be sorted by their number alone, and filtered by their status",
            remedy="Name a task",
            place=place,
        )
