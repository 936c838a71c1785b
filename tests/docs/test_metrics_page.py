"""docs/guide/metrics.md names what is computed."""

import re
from typing import get_args

from documented import ROOT

from autotuner.contracts.measurement import RequestRecord
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic
from autotuner.metrics import aggregate, summarise
from autotuner.scoring.objectives import OBJECTIVE_NAMES
from autotuner.scoring.slo import SEVERE, SloMetric

PAGE = (ROOT / "docs" / "guide" / "metrics.md").read_text(encoding="utf-8")


def computed() -> set[str]:
    """Names of all aggregated metrics of a start."""
    length = Length(mean=2)
    traffic = Traffic(text="D(2,2)", parts=((1.0, Scenario(text="D(2,2)", prompt=length, output=length)),))
    record = RequestRecord(
        started=0.0, first_token=0.1, last_token=0.2, finished=0.2, arrivals=(0.1, 0.2), output_tokens=2, asked_tokens=2
    )
    point = LoadPoint(traffic=traffic, concurrency=1)
    measured = summarise([record], load_point=point, repeat=0, window_s=1.0, slo_limits={"ttft": 1.0})
    return set(aggregate([measured], scored=[point.name], gpu_count=1, percentiles={"ttft": {"p50"}}))


def test_every_metric_is_on_the_page() -> None:
    names = {re.sub(r"^p\d+_", "p50_", name).removesuffix("_per_gpu") for name in computed()}
    assert len(names) > 20
    missing = sorted(name for name in names if f"`{name}`" not in PAGE and name != "p50_e2e_latency")
    assert missing == []


def test_every_objective_and_limit_is_on_the_page() -> None:
    assert [name for name in OBJECTIVE_NAMES if f"| `{name}` |" not in PAGE] == []
    guide = (ROOT / "docs" / "guide" / "first-task.md").read_text(encoding="utf-8")
    assert [metric for metric in get_args(SloMetric) if f"  {metric}: " not in guide] == []
    assert f"below r = {SEVERE}" in PAGE


def test_no_metric_on_the_page_is_invented() -> None:
    figures = r"`((?:mean|max|min|p\d+|total)_\w+)`"
    known = computed()
    assert [name for name in re.findall(figures, PAGE) if name not in known and not name.startswith("p")] == []
