"""Lists of experiments as JSON that is handed on as it is stored."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.listing import ExperimentQuery, Page
from autotuner.contracts.store import EventType, ExperimentStatus, NewEvent, NewTask
from autotuner.services.experiment_view import ExperimentShown, list_json, shown
from autotuner.store import SqlStore, open_store, upgrade
from conformance.store_suite import add_experiment

FIGURES: list[dict[str, Any]] = [
    {"mean_ttft": 0.25, "raw_results": [{"figures": [1, 2]}], "scenarios": [{"mean_ttft": 0.25}]},
    {"mean_ttft": math.inf, "worst": [math.nan, {"deep": -math.inf}], "name": "$float"},
    {"name": 'Töne, "quoted", \ud800 \u0001 </script>', "mean_total_throughput": 12.0},
    {},
]
"""What stands in metrics: raw results, what JSON has no number for, what needs escapes."""


@pytest.fixture(params=["sqlite", "postgres"])
async def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    url = str(tmp_path / "x.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    await upgrade(url)
    async with open_store(url) as opened:
        yield opened


@pytest.mark.parametrize(
    "objective", ["minimize_ttft", "maximize_throughput", ["minimize_ttft", "minimize_cost"], "none"]
)
async def test_a_list_is_what_the_model_of_its_rows_says(each_store: SqlStore, objective: str | list[str]) -> None:
    document = {"optimization": {"objective": objective, "price_per_gpu_hour": 2.0}}
    task = await each_store.create_task(NewTask(name="a", document=document, fingerprint="f"))
    for number, metrics in enumerate(FIGURES):
        made = await add_experiment(each_store, task, f"i{number}", {"n": number, "x": math.nan, "word": "ä"})
        await each_store.finish_experiment(
            made.id,
            NewEvent(type=EventType.EXPERIMENT_COMPLETED),
            status=ExperimentStatus.SUCCESS,
            metrics=metrics,
            objective_score=math.inf if number else 1.5,
            slo={"slo_violation": number == 1, "size": math.nan},
        )
    failed = await add_experiment(each_store, task, "failed")
    await each_store.finish_experiment(
        failed.id,
        NewEvent(type=EventType.EXPERIMENT_FAILED),
        status=ExperimentStatus.FAILED,
        failure=Failure(kind=FailureClass.OOM, diagnosis='no room, "really"', hint="less"),
    )
    await add_experiment(each_store, task, "pending")
    query = ExperimentQuery(task_id=task.id, sort="number")
    page = await each_store.query_experiments(query)
    modelled = Page(items=tuple(await shown(each_store, page.items)), total=page.total, page=1, size=50)
    listed = json.loads(await list_json(each_store, query), parse_constant=pytest.fail)
    assert listed == modelled.model_dump(mode="json")
    assert "raw_results" not in json.dumps(listed)
    Page[ExperimentShown].model_validate(listed)


async def test_a_page_without_experiments_is_a_page(each_store: SqlStore) -> None:
    task = await each_store.create_task(NewTask(name="a", document={}, fingerprint="f"))
    listed = json.loads(await list_json(each_store, ExperimentQuery(task_id=task.id, page=3, size=7)))
    assert listed == {"items": [], "total": 0, "total_exact": True, "page": 3, "size": 7}
