"""The pages about metrics name what is computed."""

import re
from typing import get_args

import pytest
from documented import ROOT
from pydantic import BaseModel

from autotuner.contracts.load_search import LoadLimit, LoadSearch
from autotuner.contracts.measurement import Distribution, Measurement, RequestRecord
from autotuner.contracts.quality import AnswerFigures
from autotuner.contracts.server_metrics import GpuFigures, Level, ServerFigures
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic, Workload
from autotuner.coordinator.found_load import found_load
from autotuner.engines.metric_names import METRIC_NAMES
from autotuner.metrics import aggregate, summarise
from autotuner.metrics.names import AGGREGATED
from autotuner.scoring.answers import answer_metrics
from autotuner.scoring.objectives import OBJECTIVE_NAMES
from autotuner.scoring.slo import SEVERE, LoadMetric
from autotuner.services.report.wording import METRICS, SERVER_METRICS
from autotuner.telemetry.reading import COUNTERS, GAUGES

GUIDE = ROOT / "docs" / "guide"
PAGE = (GUIDE / "metrics.md").read_text(encoding="utf-8")
OTHERS = (GUIDE / "other-clients.md").read_text(encoding="utf-8")


def computed() -> set[str]:
    """Names of all aggregated metrics of a start."""
    length = Length(mean=2)
    traffic = Traffic(text="D(2,2)", parts=((1.0, Scenario(text="D(2,2)", prompt=length, output=length)),))
    record = RequestRecord(
        started=0.0, first_token=0.1, last_token=0.2, finished=0.2, arrivals=(0.1, 0.2), output_tokens=2, asked_tokens=2
    )
    point = LoadPoint(traffic=traffic, concurrency=1)
    measured = summarise([record], load_point=point, repeat=0, window_s=1.0, slo_limits={"ttft": 1.0})
    level = Level(mean=1, max=2)
    told = ServerFigures(
        pages=1, **dict.fromkeys(GAUGES, level), **dict.fromkeys(COUNTERS, 1), counted_from_s=0, counted_to_s=1
    )
    percentiles = {metric: {"p50"} for metric in ("ttft", "tpot", "itl", "e2e")}
    gpu = GpuFigures(
        index=0, readings=1, utilization=level, memory_used=level, power=level, temperature=level, sm_clock=level
    )
    whole = measured.model_copy(update={"server": told, "gpus": (gpu,)})
    search = LoadSearch(by="concurrency", lowest=1, highest=2, start=1)
    limits = (LoadLimit(figure="mean_ttft", metric="ttft", threshold=1.0),)
    load = found_load([whole], Workload(load_points=(point,), load_search=search), limits)
    assert load is not None
    figures = aggregate([whole], scored=[point.name], gpu_count=1, percentiles=percentiles, at_load=load.at)
    answers = AnswerFigures(difference=0.1, unit="tokens", distance=0.1, prompts=1)
    return set(load.into(figures, 1)) | set(answer_metrics(answers))


def described() -> set[str]:
    names = {entry.name for entry in AGGREGATED}
    return names | {f"{entry.name}_per_gpu" for entry in AGGREGATED if entry.per_gpu}


def test_what_is_computed_is_described_and_nothing_else() -> None:
    assert {re.sub(r"^p\d+_", "pNN_", name) for name in computed()} == described()
    assert len({entry.name for entry in AGGREGATED}) == len(AGGREGATED)


def test_what_displays_show_is_computed() -> None:
    names = {re.sub(r"^p\d+_", "pNN_", name) for name, _, _ in METRICS + SERVER_METRICS}
    assert names <= described()


@pytest.mark.parametrize("model", [Measurement, Distribution, RequestRecord, ServerFigures, GpuFigures, Level])
def test_every_field_has_a_meaning(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_every_objective_and_limit_is_on_the_page() -> None:
    assert [name for name in OBJECTIVE_NAMES if f"| `{name}` |" not in PAGE] == []
    guide = (GUIDE / "first-task.md").read_text(encoding="utf-8")
    assert [metric for metric in get_args(LoadMetric) if f"  {metric}: " not in guide] == []
    assert f"below r = {SEVERE}" in PAGE


def test_no_metric_on_the_page_is_invented() -> None:
    figures = r"`((?:mean|max|min|p\d+|total)_\w+)`"
    assert [name for name in re.findall(figures, PAGE) if name not in computed() and not name.startswith("p")] == []


def test_the_comparison_with_others_starts_from_our_names() -> None:
    table = OTHERS.split("## Names")[1].split("\n\n")[1]
    names = [line.split("|")[1].strip().strip("`") for line in table.splitlines()[2:]]
    assert len(names) > 10
    assert [name for name in names if name not in described()] == []


def test_every_name_of_an_engine_is_on_the_page() -> None:
    """Of the ways to get a figure the first; the page leaves out the engine's prefix."""
    firsts = [way for names in METRIC_NAMES for field in (*GAUGES, *COUNTERS) for way in getattr(names, field)[:1]]
    series = {name.partition(":")[2] or name for way in firsts for name in way}
    assert len(series) > 15
    assert [name for name in series if f"`{name}`" not in PAGE and name != "prefix_cache_queries_total"] == []
