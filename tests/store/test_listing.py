"""Lists: the right items in the right order, and no statement that looks at every row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from filled import fill
from sqlalchemy import Connection, Engine, event

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import MAX_DEPTH, ExperimentQuery, TaskOutcome, TaskQuery
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, NewEvent, TaskRecord, TaskStatus
from autotuner.store import SqlStore
from conformance.store_suite import add_experiment, new_task

DONE = NewEvent(type=EventType.EXPERIMENT_COMPLETED)


async def tasks_of(store: SqlStore, **query: Any) -> list[str]:
    """The names that a query of tasks answers with."""
    return [task.name for task in (await store.query_tasks(TaskQuery(**query))).items]


async def numbers_of(store: SqlStore, **query: Any) -> list[int]:
    """The experiments that a query answers with, by their number in the task."""
    return [one.number for one in (await store.query_experiments(ExperimentQuery(**query))).items]


async def ended(store: SqlStore, task: TaskRecord, status: TaskStatus) -> None:
    await store.change_task(
        task.id, NewEvent(type=EventType.TASK_UPDATED), expected=[TaskStatus.PENDING], status=status
    )


class TestTasks:
    """Lists of tasks."""

    async def test_a_list_shows_what_a_task_is_about_without_its_document(self, each_store: SqlStore) -> None:
        document = {"model": {"id_or_path": ["a", "b"]}, "optimization": {"objective": "minimize_latency"}}
        task = await each_store.create_task(new_task(document=document, identity={"engine": "e"}))
        experiments = [await add_experiment(each_store, task, f"i{number}") for number in range(3)]
        gain = {"gain": 0.2, "low": 0.1, "high": 0.3, "significant": True}
        await each_store.finish_experiment(experiments[0].id, DONE, status=ExperimentStatus.SUCCESS)
        await each_store.change_task(
            task.id,
            NewEvent(type=EventType.TASK_COMPLETED),
            expected=[TaskStatus.PENDING],
            status=TaskStatus.COMPLETED,
            fields={"result": {"winner": {"score": 2.5}, "unit": "s", "direction": "minimize", "gain": gain}},
        )
        [shown] = (await each_store.query_tasks(TaskQuery())).items
        assert (shown.engine, shown.model, shown.objective, shown.best_score) == ("e", "a, b", "minimize_latency", 2.5)
        assert shown.experiments == {ExperimentStatus.SUCCESS: 1, ExperimentStatus.PENDING: 2}
        assert shown.outcome == TaskOutcome(
            unit="s", direction="minimize", gain=0.2, gain_low=0.1, gain_high=0.3, significant=True
        )
        whole = await each_store.get_task(task.id)
        assert (shown.id, shown.name, shown.status) == (task.id, "job", TaskStatus.COMPLETED)
        assert (shown.next_seq, shown.updated_at) == (whole.next_seq, whole.updated_at)

    @pytest.mark.parametrize("result", [{"unit": 7}, {"unit": "s", "direction": "up"}, {"gain": [1]}, {}])
    async def test_a_result_of_another_version_has_no_outcome(
        self, each_store: SqlStore, result: dict[str, Any]
    ) -> None:
        task = await each_store.create_task(new_task())
        await each_store.change_task(
            task.id,
            NewEvent(type=EventType.TASK_COMPLETED),
            expected=[TaskStatus.PENDING],
            status=TaskStatus.COMPLETED,
            fields={"result": result},
        )
        [shown] = (await each_store.query_tasks(TaskQuery())).items
        assert shown.outcome is None

    async def test_filters_and_orders(self, each_store: SqlStore) -> None:
        tasks = [
            await each_store.create_task(new_task(name)) for name in ("Beta", "älpha", "gamma 1", "gamma 2", "gone")
        ]
        await each_store.delete_task(tasks[4].id)
        await ended(each_store, tasks[2], TaskStatus.COMPLETED)
        await ended(each_store, tasks[1], TaskStatus.FAILED)
        assert await tasks_of(each_store) == ["gamma 2", "gamma 1", "älpha", "Beta"]
        assert await tasks_of(each_store, descending=False) == ["Beta", "älpha", "gamma 1", "gamma 2"]
        assert await tasks_of(each_store, status=(TaskStatus.FAILED, TaskStatus.COMPLETED)) == ["gamma 1", "älpha"]
        assert await tasks_of(each_store, search="MMA") == ["gamma 2", "gamma 1"]
        assert await tasks_of(each_store, search="ÄL") == ["älpha"]
        assert await tasks_of(each_store, search="%") == []
        assert (await tasks_of(each_store, sort="updated_at"))[:2] == ["älpha", "gamma 1"]
        assert (await tasks_of(each_store, sort="name", descending=False))[:3] == ["Beta", "gamma 1", "gamma 2"]
        assert await tasks_of(each_store, sort="status") == ["gamma 2", "Beta", "älpha", "gamma 1"]
        assert await tasks_of(each_store, deleted=True) == ["gone"]
        assert await tasks_of(each_store, archived=True) == []
        assert await tasks_of(each_store, queued=True) == []
        assert len(await tasks_of(each_store, queued=False)) == 4

    async def test_pages_and_totals(self, each_store: SqlStore) -> None:
        for number in range(5):
            await each_store.create_task(new_task(f"t{number}"))
        page = await each_store.query_tasks(TaskQuery(page=2, size=2))
        assert ([task.name for task in page.items], page.total, page.total_exact) == (["t2", "t1"], 5, True)
        assert (page.page, page.size) == (2, 2)
        assert await tasks_of(each_store, page=4, size=2) == []
        with pytest.raises(AutotunerError) as caught:
            await each_store.query_tasks(TaskQuery(page=MAX_DEPTH, size=2))
        assert caught.value.code is ErrorCode.INVALID_VALUE


class TestExperiments:
    """Lists of experiments."""

    async def test_one_task_by_number_and_by_score(self, each_store: SqlStore) -> None:
        task = await each_store.create_task(new_task())
        for number, score in enumerate((2.0, None, 3.0, 1.0, None)):
            experiment = await add_experiment(each_store, task, f"i{number}")
            if score is not None:
                await each_store.finish_experiment(
                    experiment.id,
                    DONE,
                    status=ExperimentStatus.SUCCESS,
                    objective_score=score,
                    metrics={"a": score, "raw_results": [1]},
                    slo={"slo_violation": score > 2},
                )
        mine = {"task_id": task.id}
        assert await numbers_of(each_store, **mine) == [0, 1, 2, 3, 4]
        assert await numbers_of(each_store, **mine, descending=True) == [4, 3, 2, 1, 0]
        scores = {**mine, "sort": "objective_score"}
        assert await numbers_of(each_store, **scores) == [3, 0, 2, 1, 4]
        assert await numbers_of(each_store, **scores, descending=True) == [2, 0, 3, 4, 1]
        assert [await numbers_of(each_store, **scores, size=2, page=page) for page in (1, 2, 3, 4)] == [
            [3, 0],
            [2, 1],
            [4],
            [],
        ]
        assert await numbers_of(each_store, **mine, slo_violation=True) == [2]
        assert await numbers_of(each_store, **mine, slo_violation=False) == [0, 3]
        assert await numbers_of(each_store, **mine, status=(ExperimentStatus.PENDING,)) == [1, 4]
        assert await numbers_of(each_store, **mine, origin=ExperimentOrigin.BASELINE) == []
        whole = await each_store.query_experiments(ExperimentQuery(**mine))
        assert (whole.total, whole.total_exact) == (5, True)
        assert whole.items[2].metrics == {"a": 3.0}
        assert await each_store.get_experiments([whole.items[3].id, whole.items[0].id]) == [
            whole.items[3],
            whole.items[0],
        ]

    async def test_all_tasks_but_the_deleted_ones(self, each_store: SqlStore) -> None:
        tasks = [await each_store.create_task(new_task(name)) for name in ("a", "b", "gone")]
        made = [await add_experiment(each_store, task, f"i{n}") for n in range(3) for task in tasks]
        await each_store.delete_task(tasks[2].id)
        await each_store.finish_experiment(made[0].id, DONE, status=ExperimentStatus.SUCCESS)
        left = [one.id for one in made if one.task_id != tasks[2].id]
        page = await each_store.query_experiments(ExperimentQuery(page=2, size=4, descending=True))
        assert ([one.id for one in page.items], page.total) == (left[::-1][4:], 6)
        assert [one.id for one in (await each_store.query_experiments(ExperimentQuery())).items] == left
        failed = ExperimentQuery(status=(ExperimentStatus.FAILED, ExperimentStatus.SUCCESS))
        assert [one.id for one in (await each_store.query_experiments(failed)).items] == [made[0].id]

    async def test_what_needs_a_task_and_what_is_not_there(self, each_store: SqlStore) -> None:
        wrong: tuple[dict[str, Any], ...] = (
            {"sort": "number"},
            {"sort": "objective_score"},
            {"slo_violation": True},
            {"origin": ExperimentOrigin.SEARCH},
            {"page": MAX_DEPTH},
        )
        for query in wrong:
            with pytest.raises(AutotunerError) as caught:
                await each_store.query_experiments(ExperimentQuery(**query))
            assert caught.value.code is ErrorCode.INVALID_VALUE
        for missing in (each_store.query_experiments(ExperimentQuery(task_id=9)), each_store.get_experiments([9])):
            with pytest.raises(AutotunerError) as caught:
                await missing
            assert caught.value.code is ErrorCode.NOT_FOUND
        assert await each_store.get_experiments([]) == []


TASK_QUERIES = [
    {"sort": sort, "descending": descending, **filters}
    for sort in ("id", "name", "updated_at", "status")
    for descending in (False, True)
    for filters in (
        {},
        {"status": (TaskStatus.FAILED,)},
        {"status": (TaskStatus.FAILED, TaskStatus.COMPLETED)},
        {"queued": True},
        {"queued": False},
        {"search": "no such task"},
        {"search": "the fill"},
        {"archived": True},
        {"deleted": True},
        {"deleted": True, "search": "7"},
        {"run_of": 1},
        {"page": 5},
    )
]
EXPERIMENT_QUERIES = [
    {"descending": descending, **query}
    for descending in (False, True)
    for query in (
        {},
        {"status": (ExperimentStatus.FAILED,)},
        {"status": (ExperimentStatus.DEPLOYING, ExperimentStatus.SUCCESS)},
        *(
            {"task_id": 7, "sort": sort, **filters}
            for sort in ("id", "number", "objective_score")
            for filters in (
                {},
                {"status": (ExperimentStatus.FAILED,)},
                {"origin": ExperimentOrigin.BASELINE},
                {"slo_violation": True},
                {"slo_violation": False, "status": (ExperimentStatus.SUCCESS, ExperimentStatus.PRUNED)},
                {"page": 2, "size": 5},
            )
        ),
    )
]

FULL_SCANS = {
    # SQLite says SCAN for each whole table or index; PostgreSQL says Seq Scan for a table, and reads an index as a
    # whole when it has no condition on it.
    "sqlite": re.compile(r"\bSCAN (tasks|experiments|events|attempts|measurements)\b"),
    "postgresql": re.compile(r"Seq Scan on (tasks|experiments|events|attempts|measurements)\b"),
}


async def test_no_list_looks_at_every_row(each_url: str, each_store: SqlStore) -> None:
    fill(each_url, tasks=600, experiments=20)
    seen: set[str] = set()
    with explained(each_store._database._readers.engine) as plans:  # type: ignore[attr-defined]
        for query in TASK_QUERIES:
            await each_store.query_tasks(TaskQuery(**query))
        for query in EXPERIMENT_QUERIES:
            await each_store.query_experiments(ExperimentQuery(**query))
        await each_store.get_experiments([5, 3, 11])
    for dialect, statement, plan in plans:
        assert not FULL_SCANS[dialect].search(plan), f"{statement}\n{plan}"
        seen.add(statement)
    assert len(seen) > 20


@contextmanager
def explained(engine: Engine) -> Iterator[list[tuple[str, str, str]]]:
    """Collects the database's plan of every SELECT, as (dialect, statement, plan)."""
    plans: list[tuple[str, str, str]] = []

    def explain(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            dialect = connection.dialect.name
            word = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
            cursor.execute(word + statement, parameters)
            plans.append((dialect, statement, "\n".join(str(row[-1]) for row in cursor.fetchall())))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)
