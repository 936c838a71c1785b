"""Units of work that read lists: filtered, sorted and cut into pages by the database.

Each list first takes the numbers of a page from an index that has all that is filtered and sorted by, then reads the
rows of the page. A document, a result or a raw figure of another row is never read. The bounds on keys that hold for
every row (``> 0``) tell SQLite to search an index from there instead of scanning the table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import (
    MAX_DEPTH,
    ExperimentItem,
    ExperimentLines,
    ExperimentQuery,
    Page,
    TaskQuery,
    TaskSummary,
)
from autotuner.contracts.store import ExperimentStatus
from autotuner.store.columns import storable_text
from autotuner.store.experiment_rows import facts_of, get_experiments, lines_by_id, seconds_of
from autotuner.store.models import Base, Experiment, Task
from autotuner.store.rows import names, not_found, record, select_row
from autotuner.store.tasks import state

BULK_OF_TASK = ("document", "parameters", "identity", "result")
FIRST = datetime(1, 1, 2, tzinfo=UTC)
"""Before every stored time, in every time zone."""

Ids = Select[int]
Q = TypeVar("Q", TaskQuery, ExperimentQuery)
KEPT = 64
"""Statements of each kind that are kept."""
OFFSET, SIZE, END = (bindparam(name, type_=Integer) for name in ("offset", "size", "end"))
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_SUMMARIES = select_row(Task, but=BULK_OF_TASK).where(Task.id.in_(_IDS))
_COUNTS = (
    select(Experiment.task_id, Experiment.status, func.count())
    .where(Experiment.task_id.in_(_IDS))
    .group_by(Experiment.task_id, Experiment.status)
)


def query_tasks(session: Session, query: TaskQuery) -> Page[TaskSummary]:
    """A page of tasks."""
    _require_depth(query.page, query.size)
    ids, total = _page(session, _tasks_page(_shape(query)), query)
    return Page(
        items=tuple(_tasks_by_id(session, ids)),
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
    lines = lines_by_id(session, ids)
    return ExperimentLines(
        lines=lines,
        total=min(total, MAX_DEPTH),
        total_exact=total <= MAX_DEPTH,
        facts_of=facts_of(session, [line.task_id for line in lines]),
        seconds_of=seconds_of(session, ids, reasons),
    )


def _experiments(session: Session, query: ExperimentQuery) -> tuple[Sequence[int], int]:
    """The numbers of a page, and how many there are on all pages."""
    _require_depth(query.page, query.size)
    if query.task_id is None:
        _require_no_task_needed(query)
        return _page(session, _experiments_page(_shape(query)), query)
    ids, total = _page(session, _task_page(_shape(query)), query)
    if not ids:
        state(session, query.task_id)
    return ids, total


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


# ---- pages


@dataclass(frozen=True)
class Parts:
    """Lists that follow on each other, each with the total of all in its rows, by the parameters of ``_page``."""

    pages: Sequence[Select[int, int]]
    counts: Sequence[Select[int]]
    """How many each of them has."""
    total: Select[int]


def _shape(query: Q) -> Q:
    """The query without what differs from page to page. Statements are kept by it: to make one takes longer than to run
    it. The task is a parameter as well.
    """
    changed: dict[str, Any] = {"page": 1, "size": 1}
    if isinstance(query, ExperimentQuery) and query.task_id is not None:
        changed["task_id"] = 1
    return query.model_copy(update=changed)


def _page(session: Session, parts: Parts, query: TaskQuery | ExperimentQuery) -> tuple[Sequence[int], int]:
    """The numbers of a page of lists that follow on each other, and how many there are in all of them."""
    connection = session.connection()
    asked: dict[str, Any] = {"task": query.task_id} if isinstance(query, ExperimentQuery) else {}
    offset = (query.page - 1) * query.size
    ids: list[int] = []
    total: int | None = None
    for place, page in enumerate(parts.pages):
        wanted = query.size - len(ids)
        rows = connection.execute(page, asked | {"offset": offset, "size": wanted, "end": offset + wanted}).all()
        ids += [row[0] for row in rows]
        total = rows[0][1] if rows else total
        if len(ids) == query.size or place == len(parts.pages) - 1:
            break
        # The page may begin beyond this list.
        offset = 0 if ids else offset - (connection.execute(parts.counts[place], asked).scalar_one() if offset else 0)
    if total is None:
        total = connection.execute(parts.total, asked).scalar_one() if query.page > 1 else 0
    return ids, total


def _following(lists: Sequence[Ids], pages: Sequence[Ids] | None = None) -> Parts:
    """``pages``: the same from OFFSET on, so many as SIZE, where they are not made of the lists by these alone."""
    total = _count(lists)
    cut = [one.offset(OFFSET).limit(SIZE) for one in lists] if pages is None else pages
    return Parts([page.add_columns(total.scalar_subquery()) for page in cut], [_count([one]) for one in lists], total)


@lru_cache(KEPT)
def _tasks_page(shape: TaskQuery) -> Parts:
    chosen = _tasks(shape)
    return _following([chosen], [chosen.order_by(*_task_order(shape)).offset(OFFSET).limit(SIZE)])


@lru_cache(KEPT)
def _experiments_page(shape: ExperimentQuery) -> Parts:
    lists = [_of_all(status) for status in dict.fromkeys(shape.status) or (None,)]
    return _following(lists, [_merged(lists, shape)])


@lru_cache(KEPT)
def _task_page(shape: ExperimentQuery) -> Parts:
    return _following(_of_task(shape))


# ---- which


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
    connection, asked = session.connection(), {"ids": list(ids)}
    counts: dict[int, dict[str, int]] = {}
    for task_id, status, count in connection.execute(_COUNTS, asked):
        counts.setdefault(task_id, {})[status] = count
    rows = connection.execute(_SUMMARIES, asked).mappings()
    found = {row["id"]: record(TaskSummary, {**row, "experiments": counts.get(row["id"], {})}) for row in rows}
    return [found[number] for number in ids]


def _of_all(status: ExperimentStatus | None) -> Ids:
    """The experiments of all tasks that are not deleted, with a status or with any."""
    deleted = select(Task.id).where(Task.deleted_at.is_not(None))
    chosen = select(Experiment.id).where(Experiment.id > 0, Experiment.task_id.not_in(deleted))
    chosen = chosen.order_by(Experiment.id.desc())
    if status is None:
        return _by_index(chosen, Experiment, "ix_experiments_of_all")
    return _by_index(chosen.where(Experiment.status == status.value), Experiment, "ix_experiments_of_status")


def _merged(lists: Sequence[Ids], query: ExperimentQuery) -> Ids:
    """A page of several lists in order of number; no more of each is read than the page may need."""
    order = _directed(Experiment.id, query)
    if len(lists) == 1:
        return lists[0].order_by(None).order_by(order).offset(OFFSET).limit(SIZE)
    ends = [one.order_by(None).order_by(order).limit(END).subquery() for one in lists]
    whole = union_all(*(select(end.c.id) for end in ends)).subquery()
    return select(whole.c.id).order_by(_directed(whole.c.id, query)).offset(OFFSET).limit(SIZE)


def _of_task(query: ExperimentQuery) -> list[Ids]:
    """The experiments of the task that is a parameter, as lists that follow on each other; by score those without one
    come last.
    """
    wanted = [Experiment.task_id == bindparam("task")]
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


def _count(lists: Sequence[Ids]) -> Select[int]:
    """How many there are in all lists together, at most one more than MAX_DEPTH."""
    some = [one.limit(MAX_DEPTH + 1).subquery() for one in lists]
    if len(some) == 1:
        return select(func.count()).select_from(some[0])
    whole = union_all(*(select(literal(1)).select_from(one) for one in some)).limit(MAX_DEPTH + 1).subquery()
    return select(func.count()).select_from(whole)


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
