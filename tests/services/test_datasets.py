"""Datasets of a task: found before anything starts, shown in the plan, part of what a task is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.mock_server import MockOptions, MockServer
from autotuner.services.documents import demo_document
from autotuner.services.plan_summary import summarise_plan
from autotuner.services.planning import plan_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from autotuner.store import open_store


class Silent:
    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: object) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})


def endpoint(url: str = "http://127.0.0.1:9", **benchmark: Any) -> TaskDocument:
    return validate(
        {
            "task_name": "traffic",
            "deployment_mode": "endpoint",
            "deployment": {"endpoint_url": url},
            "model": {"served_name": "mock"},
            "optimization": {"objective": "maximize_throughput"},
            "benchmark": {"max_time_per_iteration": 0.3, "warmup_requests": 2, **benchmark},
        }
    )


def requests(path: Path, *times: float, prompt: str = "hello") -> Path:
    rows = [{"prompt": prompt, "output_tokens": 3 + n, "timestamp": at} for n, at in enumerate(times)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_plan_shows_what_a_dataset_holds(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests(tmp_path / "requests.jsonl", 0, 1, 4)
    monkeypatch.chdir(tmp_path)
    plan = plan_document(endpoint(dataset={"path": "requests.jsonl", "replay_speed": [1, 2]}), settings)
    summary = summarise_plan(plan, commands=0)
    assert summary.load_points == ("dataset@1x", "dataset@2x")
    assert summary.arrivals == "at the dataset's timestamps"
    assert summary.dataset is not None
    assert summary.dataset.path == str(tmp_path / "requests.jsonl")
    assert (summary.dataset.requests, summary.dataset.duration_s) == (3, 4.0)
    assert summary.dataset.output_tokens.model_dump() == {"least": 3, "median": 4, "mean": 4.0, "greatest": 5}
    assert plan.resolver.context.longest_request == 3 + 5


def test_a_dataset_that_cannot_be_used_is_found_before_anything_starts(settings: Settings, tmp_path: Path) -> None:
    def why(**dataset: Any) -> AutotunerError:
        with pytest.raises(AutotunerError) as caught:
            plan_document(endpoint(dataset=dataset), settings)
        return caught.value

    assert why(path=str(tmp_path / "nowhere.csv")).code is ErrorCode.MISSING_FILE
    untimed = tmp_path / "untimed.jsonl"
    untimed.write_text('{"prompt": "a", "output_tokens": 1}\n')
    assert "no timestamps" in why(path=str(untimed), replay_speed=1).why
    assert "at one time" in why(path=str(requests(tmp_path / "same.jsonl", 5, 5)), replay_speed=1).why
    untimed.write_text('{"prompt": "a", "output_tokens": 1}\n{"prompt": "a"}\n')
    error = why(path=str(untimed))
    assert (error.code, error.place) == (ErrorCode.INVALID_VALUE, "benchmark.dataset.path")
    assert "line 2" in error.why


async def test_another_content_is_another_task_and_another_place_is_not(settings: Settings, tmp_path: Path) -> None:
    path = requests(tmp_path / "requests.jsonl", 0, 0.05, 0.1)
    replay = {"path": str(path), "replay_speed": 1}
    async with MockServer(MockOptions(ttft_s=0.005, token_s=0.001)) as server:
        outcome = await run_task(endpoint(server.base_url, dataset=replay), settings, Silent())
        assert outcome.result.scored_at == ("dataset@1x",)
        assert {truth.prompt for truth in server.truth if truth.asked_tokens > 2} == {"hello"}
        moved = path.rename(tmp_path / "moved.jsonl")
        again = await run_task(endpoint(server.base_url, dataset={**replay, "path": str(moved)}), settings, Silent())
        assert again.task.id == outcome.task.id
        requests(moved, 0, 0.05, 0.1, prompt="other")
        with pytest.raises(AutotunerError) as caught:
            await run_task(endpoint(server.base_url, dataset={**replay, "path": str(moved)}), settings, Silent())
    assert caught.value.code is ErrorCode.TASK_CHANGED
    assert "dataset was" in caught.value.why


async def test_a_sweep_runs_to_its_end(settings: Settings) -> None:
    sweep = endpoint(profile="sweep", max_concurrency=6, traffic_scenarios="D(20,4)", max_requests_per_iteration=20)
    async with MockServer(MockOptions(ttft_s=0.005, token_s=0.001, max_batch=3)) as server:
        document = sweep.model_copy(
            update={"deployment": sweep.deployment.model_copy(update={"endpoint_url": server.base_url})}
        )
        outcome = await run_task(document, settings, Silent())
    assert outcome.result.scored_at == ("D(20,4)@6",)
    async with open_store(settings.database) as store:
        rows = [row.measurement for row in await store.list_measurements(outcome.task.id)]
    assert [m.load_point for m in rows][:3] == ["D(20,4)@1", "D(20,4)@6", "D(20,4)@sweep1"]
    rates = [m.request_rate or 0.0 for m in rows[2:]]
    assert len(rates) == 10
    assert rates == sorted(rates)
    assert rows[0].requests_per_second < rates[0] < rates[-1] < rows[1].requests_per_second


@pytest.mark.parametrize("change", ["traffic_scenarios=P(3000,1000)/500", "profile=sweep", "request_rates=2"])
def test_predictions_know_no_such_load(settings: Settings, change: str) -> None:
    sets = [f"benchmark.{change}"]
    if not change.startswith("traffic"):
        sets.append("benchmark.num_concurrency=[]")
    with pytest.raises(AutotunerError, match="no predictions for"):
        plan_document(demo_document(sets=sets), settings)
