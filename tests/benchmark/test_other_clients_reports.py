"""What guidellm and genai-bench recorded becomes the figures that they should have reported, faults included."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest

from autotuner.benchmark.external import loads
from autotuner.benchmark.genai_bench import report as genai_bench
from autotuner.benchmark.guidellm import report as guidellm
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import LoadPoint
from benchmark_data import recorded
from conformance.client_suite import fixed, job, load

TTFT_S, TOKEN_S, TOKENS = 0.050, 0.010, 64


def point(concurrency: int) -> LoadPoint:
    return load((1.0, fixed(100, TOKENS)), concurrency=concurrency)


def by_guidellm(name: str, folder: Path, *, concurrency: int = 4, **limits: Any) -> Measurement:
    usual: dict[str, Any] = {"window_s": 5.0, "min_requests": 0, "warmup_requests": 0}
    work = job(point(concurrency), **{**usual, **limits})
    asked = guidellm.Asked(TOKENS, TOKENS)
    where = work.workload.load_points[0]
    return guidellm.measurement(
        recorded(name), job=work, point=where, repeat=0, asked=asked, drain_s=1.0, artefacts=folder
    )


def by_genai_bench(name: str, folder: Path, *, concurrency: int, **limits: Any) -> Measurement:
    work = job(point(concurrency), **{"min_requests": 0, **limits})
    where = work.workload.load_points[0]
    return genai_bench.measurement(recorded(name), job=work, point=where, repeat=0, seconds=9.0, artefacts=folder)


def test_guidellm_figures_are_ours_of_its_requests(tmp_path: Path) -> None:
    found = by_guidellm("guidellm-16-streams", tmp_path, concurrency=16, warmup_requests=16)
    theirs = recorded("guidellm-16-streams")["benchmarks"][0]
    assert found.ttft is not None
    assert found.tpot is not None
    assert found.e2e is not None
    # Of 176 requests the first 16 warm up; those after the window and the 16 cut off at the end are not counted.
    assert found.total_requests == found.completed_requests == 121
    assert found.warmup_s == pytest.approx(0.68, abs=0.1)
    inside = [
        request
        for request in theirs["requests"]["successful"]
        if 0 <= request["request_start_time"] - theirs["start_time"] - found.warmup_s < found.window_s
    ]
    assert found.ttft.p50 == pytest.approx(median(r["time_to_first_token_ms"] for r in inside) / 1e3, abs=1e-5)
    assert found.tpot.mean == pytest.approx(fmean(r["inter_token_latency_ms"] for r in inside) / 1e3, rel=1e-6)
    assert TTFT_S < found.ttft.p50 < TTFT_S + 0.003
    assert found.output_throughput == pytest.approx(16 * TOKENS / (TTFT_S + (TOKENS - 1) * TOKEN_S), rel=0.05)
    assert found.output_tokens == found.asked_output_tokens == 121 * TOKENS
    assert found.itl is None, "guidellm tells no gaps, and none are made up"
    assert found.stopped is None
    assert found.samples_path is not None
    header, records = read_samples(tmp_path / found.samples_path)
    assert header["client"] == "guidellm"
    assert sum(record.in_window for record in records) == 121
    assert all(record.arrivals == () for record in records)


def test_guidellm_a_run_of_errors_has_no_figures(tmp_path: Path) -> None:
    theirs = recorded("guidellm-all-500")["benchmarks"][0]["metrics"]
    assert theirs["time_to_first_token_ms"]["total"]["mean"] == 0.0, "what it reports itself: a perfect figure"
    found = by_guidellm("guidellm-all-500", tmp_path)
    assert (found.ttft, found.tpot, found.e2e) == (None, None, None)
    assert (found.total_requests, found.completed_requests) == (24, 0)
    assert found.error_codes == {"http_500": 24}
    assert found.success_rate == 0.0


def test_guidellm_errors_are_counted_and_the_limits_on_them_heeded(tmp_path: Path) -> None:
    found = by_guidellm("guidellm-quarter-500", tmp_path, max_error_rate=0.2)
    assert (found.completed_requests, found.error_requests) == (18, 6)
    assert found.error_codes == {"http_500": 6}
    assert found.stopped == "max_error_rate"
    assert by_guidellm("guidellm-quarter-500", tmp_path, max_errors=7).stopped != "max_errors"
    assert by_guidellm("guidellm-quarter-500", tmp_path, max_errors=6).stopped == "max_errors"


def test_guidellm_streams_that_end_early_are_no_successes(tmp_path: Path) -> None:
    theirs = recorded("guidellm-clean-early-end")["benchmarks"][0]
    assert theirs["metrics"]["request_totals"]["successful"] == 24, "what it reports itself"
    assert {request["output_tokens"] for request in theirs["requests"]["successful"]} == {TOKENS}
    found = by_guidellm("guidellm-clean-early-end", tmp_path)
    assert found.error_codes == {"truncated": 24}
    assert found.completed_requests == found.output_tokens == 0
    assert found.tpot is None


def test_guidellm_an_answer_of_another_length_is_an_error(tmp_path: Path) -> None:
    work = job(point(16), window_s=5.0, min_requests=0, warmup_requests=16)
    found = guidellm.measurement(
        recorded("guidellm-16-streams"),
        job=work,
        point=work.workload.load_points[0],
        repeat=0,
        asked=guidellm.Asked(TOKENS - 1, TOKENS - 1),
        drain_s=1.0,
        artefacts=tmp_path,
    )
    assert found.error_codes == {"wrong_length": found.total_requests}


def test_guidellm_the_window_ends_at_its_number_of_requests(tmp_path: Path) -> None:
    found = by_guidellm("guidellm-16-streams", tmp_path, concurrency=16, warmup_requests=16, max_requests=40)
    assert found.total_requests == 40
    assert found.stopped == "max_requests"
    assert found.window_s < 5.0


def test_guidellm_the_window_waits_for_its_requests_as_long_as_the_load_is_up(tmp_path: Path) -> None:
    more = by_guidellm(
        "guidellm-16-streams", tmp_path, concurrency=16, warmup_requests=16, window_s=2.0, min_requests=100
    )
    assert more.completed_requests >= 100
    assert more.window_s > 2.0
    short = by_guidellm("guidellm-16-streams", tmp_path, concurrency=16, warmup_requests=16, window_s=60.0)
    assert short.stopped == "load_ended"
    assert short.window_s < 8.0
    assert short.error_requests == short.incomplete_requests == 0


def test_guidellm_drawn_lengths_are_checked_against_its_requests(tmp_path: Path) -> None:
    report = recorded("guidellm-quarter-500")
    first, second, *_ = report["benchmarks"][0]["requests"]["successful"]
    first["request_args"] = json.dumps({"body": {"max_completion_tokens": TOKENS}})
    second["request_args"] = json.dumps({"body": {"max_tokens": TOKENS + 1}})
    records = guidellm.requests(report["benchmarks"][0], guidellm.Asked(None, TOKENS), scheduled=False)
    outcomes = [(record.asked_tokens, record.error) for record in records if record.error != "http_500"]
    assert outcomes.count((TOKENS + 1, "wrong_length")) == 1
    assert outcomes.count((TOKENS, None)) == 17


def test_genai_bench_figures_are_ours_of_its_requests(tmp_path: Path) -> None:
    found = by_genai_bench("genai-bench-ok", tmp_path, concurrency=8)
    theirs = recorded("genai-bench-ok")["aggregated_metrics"]
    assert found.ttft is not None
    assert found.tpot is not None
    assert found.ttft.mean == pytest.approx(theirs["stats"]["ttft"]["mean"])
    assert found.ttft.p99 == pytest.approx(theirs["stats"]["ttft"]["p99"])
    assert found.tpot.mean == pytest.approx(theirs["stats"]["tpot"]["mean"])
    assert found.output_throughput == pytest.approx(theirs["mean_output_throughput_tokens_per_s"])
    assert found.requests_per_second == pytest.approx(40 / theirs["run_duration"])
    assert (found.total_requests, found.error_requests) == (40, 0)
    assert found.itl is None
    assert found.goodput == found.requests_per_second


def test_genai_bench_errors_are_counted_though_it_says_none(tmp_path: Path) -> None:
    assert recorded("genai-bench-quarter-500")["aggregated_metrics"]["error_rate"] == 0, "what it reports itself"
    found = by_genai_bench("genai-bench-quarter-500", tmp_path, concurrency=4, max_error_rate=0.2)
    assert (found.total_requests, found.completed_requests, found.error_requests) == (43, 32, 11)
    assert found.error_codes == {"http_500": 11}
    assert found.error_rate == pytest.approx(11 / 43)
    assert found.stopped == "max_error_rate"


def test_genai_bench_an_answer_of_another_length_is_an_error(tmp_path: Path) -> None:
    result = recorded("genai-bench-ok")
    result["individual_request_metrics"][0]["num_output_tokens"] = TOKENS // 2
    work = job(point(8), min_requests=0)
    where = work.workload.load_points[0]
    found = genai_bench.measurement(result, job=work, point=where, repeat=0, seconds=9.0, artefacts=tmp_path)
    assert found.error_codes == {"wrong_length": 1}
    assert found.output_tokens == 39 * TOKENS


def test_another_kind_of_file_is_an_error_that_can_be_told(tmp_path: Path) -> None:
    work = job(point(8))
    where = work.workload.load_points[0]
    with pytest.raises(KeyError):
        genai_bench.measurement({}, job=work, point=where, repeat=0, seconds=1.0, artefacts=tmp_path)
    with pytest.raises(KeyError):
        asked = guidellm.Asked(TOKENS, TOKENS)
        guidellm.measurement({}, job=work, point=where, repeat=0, asked=asked, drain_s=1.0, artefacts=tmp_path)


def test_what_is_not_known_of_a_load_is_refused() -> None:
    assert loads.refusal(job().workload) is None
    mixed = job(load((0.7, fixed(10, 2)), (0.3, fixed(30, 4)))).workload
    assert "mixture" in (loads.refusal(mixed) or "")
