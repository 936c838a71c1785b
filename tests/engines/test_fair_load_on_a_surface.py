"""TP 2 against TP 4 on predictions: what is compared at which load, and the load that each can bear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autotuner.config.load import validate
from autotuner.engines.simulated.prediction import Prediction
from autotuner.services.planning import plan_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from coordinator.loop_world import Watcher

EXCERPT = Path(__file__).parents[1] / "data" / "surfaces" / "qwen3_32b_h200_tp2_tp4.csv"
PER_GPU = {"tp2": {4: 1884 / 8, 8: 2875 / 8}, "tp4": {4: 2315 / 8, 8: 3266 / 8}}
"""output_tok_s_node / 8 of the table at so many requests per GPU: TP 4 gives more at these loads."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


def task(load_per: str | None, concurrency: int, **blocks: Any) -> dict[str, Any]:
    benchmark: dict[str, Any] = {"traffic_scenarios": ["D(4000,500)"], "num_concurrency": [concurrency]}
    if load_per is not None:
        benchmark["load_per"] = load_per
    return {
        "task_name": "tp",
        "base_runtime": "simulated",
        "simulation": {"surface": str(EXCERPT)},
        "system_config": {"total_gpus": 8},
        "parameters": {"tp": [2, 4], "replicas": 1, "max_num_seqs": 512},
        "optimization": {
            "objective": "maximize_throughput",
            "strategy": "grid",
            "baseline": False,
            "max_iterations": 2,
            "confirm": {"starts": 0},
        },
        "benchmark": benchmark,
        **blocks,
    }


async def scores(data: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], Any]:
    result = (await run_task(validate(data), settings, Watcher())).result
    assert result.winner is not None
    return {f"tp{e.parameters['tp']}": e for e in result.experiments}, result.winner.parameters["tp"]


@pytest.mark.parametrize("concurrency", [4, 8])
async def test_with_load_per_gpu_the_verdict_is_the_tables(concurrency: int, settings: Settings) -> None:
    found, winner = await scores(task(None, concurrency), settings)
    assert winner == 4
    for name, experiment in found.items():
        assert experiment.metrics["mean_output_throughput_per_gpu"] == pytest.approx(
            PER_GPU[name][concurrency], rel=0.01
        )
        assert experiment.metrics["scored_load_points"] == [f"D(4000,500)@{concurrency}"]
    assert found["tp2"].metrics["concurrency_levels"] == [2 * concurrency]
    assert found["tp4"].metrics["concurrency_levels"] == [4 * concurrency]


async def test_with_load_per_server_the_smaller_one_has_more_of_it_and_the_plan_says_so(settings: Settings) -> None:
    data = task("server", 16)
    plan = plan_document(validate(data), settings)
    assert any("use 2 or 4 GPUs" in warning and "load_per: gpu" in warning for warning in plan.warnings)
    _, winner = await scores(data, settings)
    assert winner == 2  # at twice the load per GPU: no fair verdict
    assert not any("load_per" in w for w in plan_document(validate(task(None, 16)), settings).warnings)


async def test_each_is_scored_at_the_load_that_it_can_bear(settings: Settings) -> None:
    data = task(
        None,
        1,
        slo={"tpot": {"threshold": 0.05, "hard_fail": True}, "ttft": {"threshold": 2.0, "hard_fail": True}},
    )
    data["benchmark"] = {"traffic_scenarios": ["D(4000,500)"], "profile": "search"}
    found, winner = await scores(data, settings)
    truths = {}
    for tp in (2, 4):
        options = plan_document(validate(data), settings).resolver.options({"tp": tp})
        prediction = Prediction.model_validate(options)
        truths[tp] = max(
            load for load in range(1, 513) if prediction.at(load).tpot_s <= 0.05 and prediction.at(load).ttft_s <= 2.0
        )
        metrics = found[f"tp{tp}"].metrics
        assert abs(metrics["max_load_meeting_slo"] / truths[tp] - 1) <= 0.05
        assert metrics["max_load_meeting_slo_per_gpu"] == metrics["max_load_meeting_slo"] / tp
        assert metrics["max_load_limited_by"] == "mean_tpot"
        at_knee = prediction.at(metrics["max_load_meeting_slo"]).throughput / tp
        assert metrics["mean_output_throughput_per_gpu"] == pytest.approx(at_knee, rel=0.02)
    assert winner == 2
