"""All rows of one task, out of a database and into another one. Blocking functions, for a thread of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from autotuner.contracts.store import NewEvent
from autotuner.store.database import BUSY_TIMEOUT_S, sync_engine, translated
from autotuner.store.location import Location, parse_location
from autotuner.store.models import Attempt, Base, EventEntry, Experiment, MeasurementEntry, Task
from autotuner.store.rows import PORTIONS, append_event, not_found, select_row
from autotuner.store.schema import ensure_schema
from autotuner.store.sealed import sealed
from autotuner.store.shown import best_score, engine_of, outcome, shown_of_document
from autotuner.store.tasks import folded

Part = Literal["experiments", "attempts", "measurements", "events"]
"""What a task owns, in the order in which rows refer to each other."""
PARTS: tuple[Part, ...] = get_args(Part)

_TABLES: Mapping[Part, type[Base]] = {
    "experiments": Experiment,
    "attempts": Attempt,
    "measurements": MeasurementEntry,
    "events": EventEntry,
}


class StoredRows:
    """The rows of one task as they are on one snapshot of the database; made by ``reading``."""

    def __init__(self, session: Session, task_id: int) -> None:
        self._session = session
        self._task_id = task_id

    def task(self) -> dict[str, Any]:
        """The task. AutotunerError(NOT_FOUND) for one that is unknown or deleted."""
        query = select_row(Task).where(Task.id == self._task_id, Task.deleted_at.is_(None))
        row = self._session.execute(query).mappings().one_or_none()
        if row is None:
            raise not_found("task", self._task_id)
        return dict(row)

    def rows(self, part: Part) -> Iterator[dict[str, Any]]:
        """Its rows of one table: experiments by number, events by seq, the others in the order of their storing."""
        table = _TABLES[part]
        order = {"experiments": "number", "events": "seq"}.get(part, "id")
        owned = table.__table__.columns
        query = select_row(table).where(owned.task_id == self._task_id).order_by(owned[order])
        for row in self._session.execute(query, execution_options=PORTIONS).mappings():
            yield dict(row)


class NewRows:
    """Rows that are put into a database in one transaction; made by ``writing``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def is_free(self, name: str) -> bool:
        """Whether no task that is not deleted has the name."""
        query = select(Task.id).where(Task.name == name, Task.deleted_at.is_(None))
        return self._session.execute(query).first() is None

    def add_task(self, values: Mapping[str, Any]) -> int:
        """Store a task with these columns; its number."""
        document, engine = values["document"], engine_of(values["document"], values["identity"])
        row = {**values, "name_folded": folded(values["name"]), "run": 1, "engine": engine}
        row |= shown_of_document(document)
        task_id: int = self._session.execute(insert(Task).values(row).returning(Task.id)).scalar_one()
        return task_id

    def add(self, part: Part, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Store rows of one table in their order; the numbers that they have got (of events: their seq)."""
        if not rows:
            return []
        table = _TABLES[part]
        number = EventEntry.seq if part == "events" else table.__table__.columns.id
        statement = insert(table).returning(number, sort_by_parameter_order=True)
        values = [dict(row) for row in rows]
        if part == "experiments":
            values = [row | {"slo_violation": (row["slo"] or {}).get("slo_violation")} for row in values]
        return list(self._session.execute(statement, values).scalars())

    def set_jobs(self, jobs: Mapping[int, Mapping[str, Any]]) -> None:
        """Store the jobs of attempts by their numbers: a job holds the number, which follows from the storing."""
        if jobs:
            self._session.execute(update(Attempt), [{"id": number, "job": dict(job)} for number, job in jobs.items()])

    def set_result(self, task_id: int, result: Mapping[str, Any]) -> None:
        """Store the result of a task, which holds the numbers of its experiments."""
        values = {"result": dict(result), "best_score": best_score(result), "outcome": outcome(result)}
        self._session.execute(update(Task).where(Task.id == task_id).values(values))

    def append_event(self, task_id: int, event: NewEvent, now: datetime) -> None:
        """Write an event under the task's next number."""
        append_event(self._session, task_id, event, now)


@contextmanager
def reading(database: str, task_id: int, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[StoredRows]:
    """One snapshot of the store at that address. AutotunerError: STORE_UNAVAILABLE, STORE_SCHEMA, MISSING_EXTRA."""
    location = parse_location(database)
    location = sealed(location) or location
    with translated(location, busy_timeout_s), _session(location, busy_timeout_s, read_only=True) as session:
        yield StoredRows(session, task_id)


@contextmanager
def writing(database: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[NewRows]:
    """One transaction on the store at that address: committed at the end, rolled back when the body raises.

    AutotunerError: CONFLICT, STORE_SCHEMA, MISSING_EXTRA, STORE_UNAVAILABLE (``mend`` is None when it is not certain
    that nothing was stored).
    """
    location = parse_location(database)
    with translated(location, busy_timeout_s), _session(location, busy_timeout_s, read_only=False) as session:
        yield NewRows(session)
        with translated(location, busy_timeout_s, committing=True):
            session.commit()


def refers_to_folder(database: str, folder: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> bool:
    """Whether any attempt has its files in ``folder`` or below it."""
    location = parse_location(database)
    place = Attempt.job["artefact_dir"].as_string()
    with translated(location, busy_timeout_s), _session(location, busy_timeout_s, read_only=True) as session:
        query = select(func.count()).select_from(Attempt)
        query = query.where(or_(place == folder, place.startswith(f"{folder}/", autoescape=True)))
        return session.execute(query).scalar_one() > 0


@contextmanager
def _session(location: Location, busy_timeout_s: float, *, read_only: bool) -> Iterator[Session]:
    ensure_schema(location, create=not read_only, busy_timeout_s=busy_timeout_s)
    engine = sync_engine(location, busy_timeout_s=busy_timeout_s, read_only=read_only)
    try:
        with Session(engine, expire_on_commit=False, autoflush=False) as session:
            yield session
    finally:
        engine.dispose()
