"""A task that searches the highest load on a server that really slows down."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotuner.config.load import validate
from autotuner.mock_server import MockOptions, MockServer
from autotuner.services.report.wording import load_text
from autotuner.services.settings import load_settings
from autotuner.services.tasks import run_task
from coordinator.loop_world import Watcher

SLOWER_BY = 0.1
TOKEN_S = 0.005
KNEE = 20
LIMIT_S = TOKEN_S * (1 + SLOWER_BY * (KNEE - 0.5))
"""Between the mean times of 20 and of 21 requests in flight."""


@pytest.mark.slow
async def test_the_highest_load_is_found_and_scored(tmp_path: Path) -> None:
    """How near it comes is for `benchmarks/load_search.py` to say, on a quiet machine; here it need only be near."""
    document = {
        "task_name": "searched-load",
        "deployment_mode": "endpoint",
        "model": {"served_name": "mock"},
        "slo": {"tpot": {"threshold": LIMIT_S, "hard_fail": True}},
        "optimization": {"objective": "maximize_throughput", "score_at": "max_load_meeting_slo"},
        "benchmark": {
            "traffic_scenarios": ["D(20,16)"],
            "profile": "search",
            "load_search": {"highest": 64},
            "max_time_per_iteration": 1,
        },
    }
    async with MockServer(MockOptions(ttft_s=0.02, token_s=TOKEN_S, slowdown=SLOWER_BY)) as server:
        document["deployment"] = {"endpoint_url": server.base_url}
        settings = load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)})
        result = (await run_task(validate(document), settings, Watcher())).result
    (experiment,) = result.experiments
    metrics = experiment.metrics
    assert result.scored_at == ("D(20,16)@max_load_meeting_slo",)
    load = metrics["max_load_meeting_slo"]
    assert 0.6 * KNEE <= load <= 1.2 * KNEE
    assert metrics["max_load_low"] <= load <= metrics["max_load_high"]
    assert metrics["max_load_limited_by"] == "mean_tpot"
    assert 0.7 * LIMIT_S <= metrics["mean_tpot"] <= LIMIT_S  # at the load itself the SLO is kept
    assert len(metrics["concurrency_levels"]) <= metrics["max_load_probes"] <= 25
    assert max(metrics["concurrency_levels"]) <= 64
    assert metrics["scored_load_points"] == [f"D(20,16)@{load:g}"]
    assert experiment.score == pytest.approx(metrics["mean_total_throughput"])
    assert (load_text(metrics) or "").startswith(f"{load:g} requests in flight")
