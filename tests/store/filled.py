"""A store with many tasks and experiments, written past the units of work because it is faster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, text

from autotuner.contracts.store import ExperimentStatus, TaskStatus
from autotuner.store.database import sync_engine
from autotuner.store.location import parse_location
from autotuner.store.models import EventEntry, Experiment, Task

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = (TaskStatus.COMPLETED, TaskStatus.COMPLETED, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)
RAW = 20
"""Figures of one experiment's raw results."""


def fill(url: str, *, tasks: int, experiments: int) -> None:
    """Write so many tasks with so many experiments each, all with documents and metrics of the usual size, and let
    the database look at them. Every 50th task is deleted, every 50th an archived run of the first.
    """
    engine = sync_engine(parse_location(url))
    try:
        with engine.begin() as connection:
            first = (connection.execute(text("SELECT max(id) FROM tasks")).scalar() or 0) + 1
            for portion in _portions(_tasks(first, tasks)):
                connection.execute(insert(Task), portion)
            for portion in _portions(_experiments(first, tasks, experiments)):
                connection.execute(insert(Experiment), portion)
            for portion in _portions(_events(first, tasks)):
                connection.execute(insert(EventEntry), portion)
            _follow_the_numbers(connection)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("VACUUM (ANALYZE)"))
    finally:
        engine.dispose()


def _tasks(first: int, count: int) -> Iterator[dict[str, Any]]:
    document = {"model": {"id_or_path": "org/model"}, "text": "word " * 300}
    for number in range(count):
        queued = number % 40 == 39
        yield {
            "id": first + number,
            "name": f"Task {first + number} of the Fill",
            "name_folded": f"task {first + number} of the fill",
            "status": TaskStatus.PENDING.value if queued else ENDS[number % len(ENDS)].value,
            "document": document,
            "parameters": {"max_num_seqs": [8, 16, 32]},
            "fingerprint": "f" * 64,
            "identity": document,
            "next_seq": 3,
            "created_at": BEGIN + timedelta(minutes=number),
            "updated_at": BEGIN + timedelta(minutes=count - number),
            "elapsed_s": 10.0,
            "result": None if queued else {"text": "word " * 1000},
            "priority": 0,
            "queued_at": BEGIN if queued else None,
            "run": 1,
            "run_of": first if number % 50 == 49 else None,
            "archived_at": BEGIN if number % 50 == 49 else None,
            "deleted_at": BEGIN if number % 50 == 48 else None,
            "engine": "an engine",
            "model": "org/model",
            "objective": "maximize_throughput",
            "best_score": 1.0,
        }


def _experiments(first: int, tasks: int, count: int) -> Iterator[dict[str, Any]]:
    raw = [{"name": f"figure {number}", "value": number / 7} for number in range(RAW)]
    metrics = {f"metric_{number}": number / 3 for number in range(20)} | {"raw_results": raw}
    for task in range(first, first + tasks):
        for number in range(count):
            ended = number % 10 != 9
            yield {
                "task_id": task,
                "number": number,
                "origin": "baseline" if number == 0 else "search",
                "status": (ExperimentStatus.SUCCESS if ended else ExperimentStatus.FAILED).value,
                "parameters": {"max_num_seqs": number},
                "identity": f"i{number}",
                "metrics": metrics if ended else None,
                "objective_score": float((number * 7919) % 1000) if ended else None,
                "slo": {"slo_violation": number % 3 == 0} if ended else None,
                "slo_violation": number % 3 == 0 if ended else None,
                "created_at": BEGIN,
            }


def _events(first: int, tasks: int) -> Iterator[dict[str, Any]]:
    for task in range(first, first + tasks):
        for seq in (1, 2):
            yield {"task_id": task, "seq": seq, "type": "task_updated", "timestamp": BEGIN, "data": {}}


def _portions(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    portion: list[dict[str, Any]] = []
    for row in rows:
        portion.append(row)
        if len(portion) == 500:
            yield portion
            portion = []
    if portion:
        yield portion


def _follow_the_numbers(connection: Connection) -> None:
    """PostgreSQL gives numbers by a sequence, which does not see those that were given by hand."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval(pg_get_serial_sequence('tasks', 'id'), max(id)) FROM tasks"))
