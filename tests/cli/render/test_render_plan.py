"""A plan on the terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from autotuner.cli.render.plan import plan_view
from autotuner.config.load import validate
from autotuner.services.plan_summary import summarise_plan
from autotuner.services.planning import plan_document
from autotuner.services.settings import load_settings


def task(benchmark: dict[str, Any] | None = None, **optimization: Any) -> dict[str, Any]:
    """On predictions, whose loads are 4,000 prompt tokens and 500 of the answer."""
    return {
        "task_name": "planned",
        "base_runtime": "simulated",
        "simulation": {"surface": "qwen3_32b_h200", "backend": "vllm", "isl": 4000, "osl": 500},
        "system_config": {"total_gpus": 8},
        "parameters": {"tp": [2, 4], "replicas": 1},
        "slo": {"tpot": {"threshold": 0.05, "hard_fail": True}},
        "optimization": {"objective": "maximize_throughput", **optimization},
        "benchmark": {"traffic_scenarios": ["D(4000,500)"], "profile": "search", **(benchmark or {})},
    }


def rows(data: dict[str, Any], home: object) -> dict[str, str]:
    """The table of facts: name → text."""
    summary = summarise_plan(plan_document(validate(data), load_settings({"HOME": str(home)})), commands=0)
    out = io.StringIO()
    console = Console(file=out, width=400)
    for part in plan_view(summary, every=False):
        console.print(part)
    lines = [line for line in out.getvalue().splitlines() if not line.startswith("Warning")]
    cells = [[cell.strip() for cell in line.replace("│", "  ").split("   ") if cell.strip()] for line in lines]
    return {row[0]: row[1] for row in cells if len(row) == 2}


def test_a_search_for_a_load_says_where_and_how_long_it_looks(tmp_path: object) -> None:
    found = rows(task({"max_time_per_iteration": 20}), tmp_path)
    assert found["objective"].endswith("at D(4000,500)@max_load_meeting_slo")
    load = found["load"]
    assert load.startswith("searched from 1 to 256 requests in flight, to 5 %")
    assert "at most 25 probes in a start, 12 in one of the confirmation, usually about" in load
    assert load.endswith("20 s or more each")
    assert "load points" not in found


def test_a_search_says_what_is_given_for_it(tmp_path: object) -> None:
    search = {"lowest": 2, "highest": 40, "start": 8, "probes": 6, "tolerance": 0.1}
    found = rows(task({"load_per": "server", "load_search": search}, confirm={"starts": 0}), tmp_path)
    assert found["load"].startswith(
        "searched from 2 to 40 requests in flight, to 10 %; at most 6 probes in a start, usually about 6"
    )
    assert "in one of the confirmation" not in found["load"]
    assert found["confirmation"].startswith("none")
    assert "load per" not in found


@pytest.mark.parametrize("concurrency", [4, [4, 16]])
def test_load_points_are_named(concurrency: Any, tmp_path: object) -> None:
    found = rows(task({"profile": "levels", "num_concurrency": concurrency}), tmp_path)
    names = [f"D(4000,500)@{n}" for n in ([concurrency] if isinstance(concurrency, int) else concurrency)]
    assert found["load points"].startswith(f"{', '.join(names)}; 1 ×")
    assert found["load per"].startswith("GPU: a server gets so many times as much")
    assert "load" not in found
