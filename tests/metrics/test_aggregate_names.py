"""Aggregated metrics: names, populations, and how repeats are put together."""

from __future__ import annotations

import pytest

from autotuner.contracts.measurement import Measurement, RequestRecord
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic
from autotuner.metrics import aggregate, summarise


def point(concurrency: int) -> LoadPoint:
    scenario = Scenario(text="D(10,4)", prompt=Length(mean=10), output=Length(mean=4))
    return LoadPoint(traffic=Traffic(text="D(10,4)", parts=((1.0, scenario),)), concurrency=concurrency)


def requests(latencies: list[float], errors: int = 0) -> list[RequestRecord]:
    good = [
        RequestRecord(
            started=0.0,
            first_token=latency / 2,
            last_token=latency,
            finished=latency,
            arrivals=(latency / 2, latency),
            output_tokens=4,
            prompt_tokens=10,
            asked_tokens=4,
        )
        for latency in latencies
    ]
    bad = RequestRecord(started=0.0, finished=1.0, asked_tokens=4, outcome="error", error="timeout")
    return [*good, *[bad] * errors]


def measured(
    records: list[RequestRecord], *, concurrency: int = 4, repeat: int = 0, window_s: float = 10
) -> Measurement:
    return summarise(records, load_point=point(concurrency), repeat=repeat, window_s=window_s, slo_limits={"e2e": 2.0})


def test_flat_figures_are_those_of_the_scored_point_and_maxima_of_all() -> None:
    low = measured(requests([1.0]), concurrency=1)
    high = measured(requests([2.0, 4.0], errors=1), concurrency=4)
    found = aggregate([low, high], scored=[low.load_point], gpu_count=None)
    assert found["mean_e2e_latency"] == pytest.approx(1.0)
    assert found["total_requests"] == 1
    assert found["mean_output_throughput"] == pytest.approx(0.4)
    assert found["max_output_throughput"] == pytest.approx(0.8)
    assert found["max_total_throughput"] == pytest.approx(2.8)
    assert found["concurrency_levels"] == [1, 4]
    assert "mean_total_throughput_per_gpu" not in found
    other = aggregate([low, high], scored=[high.load_point], gpu_count=None)
    assert other["success_rate"] == pytest.approx(2 / 3)
    assert other["error_rate"] == pytest.approx(1 / 3)
    assert other["total_error_requests"] == 1
    assert other["total_completed_requests"] == 2
    assert other["goodput"] == pytest.approx(0.1)


def test_throughput_per_gpu_is_divided_before_anything_is_scored() -> None:
    only = measured(requests([1.0, 1.0]))
    found = aggregate([only], scored=[only.load_point], gpu_count=2)
    for name in ("mean_output_throughput", "mean_total_throughput", "max_output_throughput", "max_total_throughput"):
        assert found[f"{name}_per_gpu"] == pytest.approx(found[name] / 2)
    raw = found["raw_results"][0]
    assert raw["mean_output_throughput_tokens_per_s"] == pytest.approx(only.output_throughput)
    assert raw["mean_total_tokens_throughput_tokens_per_s"] == pytest.approx(only.total_throughput)
    assert raw["mean_output_throughput_per_gpu"] == pytest.approx(only.output_throughput / 2)
    assert raw["mean_total_throughput_per_gpu"] == pytest.approx(only.total_throughput / 2)
    assert Measurement.model_validate({k: raw[k] for k in Measurement.model_fields}) == only
    assert "mean_total_throughput_per_gpu" not in aggregate([only], scored=[only.load_point], gpu_count=0)


def test_repeats_are_weighted_by_their_requests_and_windows() -> None:
    one = measured(requests([1.0]), repeat=0)
    three = measured(requests([3.0, 3.0, 3.0]), repeat=1, window_s=30)
    found = aggregate([one, three], scored=[one.load_point], gpu_count=None)
    assert found["mean_e2e_latency"] == pytest.approx(2.5)
    assert found["mean_output_throughput"] == pytest.approx(16 / 40)
    assert found["requests_per_second"] == pytest.approx(4 / 40)
    assert found["min_e2e_latency"] == pytest.approx(1.0)
    assert found["max_e2e_latency"] == pytest.approx(3.0)
    assert found["total_completed_requests"] == 4


def test_percentiles_are_pooled_from_samples_or_taken_from_the_worst_repeat_but_never_averaged() -> None:
    fast, slow = requests([1.0] * 9), requests([3.0])
    repeats = [measured(fast, repeat=0), measured(slow, repeat=1)]
    name = repeats[0].load_point
    worst = aggregate(repeats, scored=[name], gpu_count=None, percentiles={"ttft": {"p95"}})
    assert worst["percentile_source"] == "worst_repeat"
    assert worst["p50_e2e_latency"] == pytest.approx(3.0)
    assert worst["p95_ttft"] == pytest.approx(1.5)
    pooled = aggregate(repeats, scored=[name], gpu_count=None, records={name: [fast, slow]})
    assert pooled["percentile_source"] == "pooled"
    assert pooled["p50_e2e_latency"] == pytest.approx(1.0)
    single = aggregate(repeats[:1], scored=[name], gpu_count=None)
    assert single["percentile_source"] == "single"


def test_a_scored_point_without_success_has_no_figures_rather_than_zeros() -> None:
    failed = measured(requests([], errors=3))
    found = aggregate([failed], scored=[failed.load_point], gpu_count=None)
    assert found["mean_e2e_latency"] is None
    assert found["p99_e2e_latency"] is None
    assert found["error_rate"] == pytest.approx(1.0)
    rates = ("mean_output_throughput", "max_total_throughput", "requests_per_second", "goodput")
    assert [found[name] for name in rates] == [None] * 4
    (raw,) = found["raw_results"]
    assert [raw[name] for name in ("output_throughput", "mean_output_throughput_tokens_per_s")] == [None] * 2
    missing = aggregate([failed], scored=["D(1,1)@9"], gpu_count=None)
    assert missing["mean_output_throughput"] is None
    assert missing["success_rate"] is None


def test_each_scored_scenario_has_its_figures() -> None:
    low = measured(requests([1.0]), concurrency=1)
    high = measured(requests([2.0]), concurrency=4)
    found = aggregate([low, high], scored=[low.load_point, high.load_point], gpu_count=1)
    assert found["scored_load_points"] == [low.load_point, high.load_point]
    assert [flat["load_point"] for flat in found["scenarios"]] == [low.load_point, high.load_point]
    assert found["scenarios"][1]["mean_e2e_latency"] == pytest.approx(2.0)
    assert found["scenarios"][1]["mean_total_throughput_per_gpu"] == pytest.approx(1.4)


def test_unknown_percentiles_and_metrics_are_refused() -> None:
    only = measured(requests([1.0]))
    with pytest.raises(ValueError, match="p42"):
        aggregate([only], scored=[only.load_point], gpu_count=None, percentiles={"ttft": {"p42"}})
    with pytest.raises(ValueError, match="latency"):
        aggregate([only], scored=[only.load_point], gpu_count=None, percentiles={"latency": {"p90"}})
    with pytest.raises(ValueError, match="scored"):
        aggregate([only], scored=[], gpu_count=None)
