"""The profile search in the document."""

from __future__ import annotations

import pytest

from autotuner.config.document import TaskDocument
from autotuner.config.load import dump, parse
from autotuner.config.workload import arrival, limits, load_points, load_search, scored_points
from autotuner.contracts.errors import AutotunerError, ErrorCode

SLO = "slo: {ttft: {threshold: 1.0}}\n"
GOODPUT = "optimization: {objective: maximize_goodput}\n"
BOTH = SLO + GOODPUT


def document(benchmark: str = "", more: str = BOTH) -> TaskDocument:
    return parse(f"model: {{id_or_path: m}}\nbenchmark: {{profile: search{benchmark}}}\n{more}")


def test_the_defaults() -> None:
    read = document()
    search = load_search(read)
    assert search is not None
    assert (search.by, search.lowest, search.highest, search.start) == ("concurrency", 1, 256, 4)
    assert (search.probes, search.confirm_probes, search.tolerance) == (25, 12, 0.05)
    assert [point.name for point in load_points(read)] == ["D(100,100)@1", "D(100,100)@256"]
    assert scored_points(read) == ("D(100,100)@max_load_meeting_slo",)
    assert arrival(read) == "closed"
    windows = limits(read)
    assert (windows.window_s, windows.max_window_s, windows.min_requests) == (4, 30, 10)
    assert parse(dump(read)) == read


def test_an_open_loop_searches_a_rate() -> None:
    read = document(", arrival: poisson, load_search: {highest: 50, start: 2.5}")
    search = load_search(read)
    assert search is not None
    assert (search.by, search.lowest, search.highest, search.start) == ("request_rate", 0.1, 50, 2.5)
    assert [point.name for point in load_points(read)] == ["D(100,100)@0.1rps", "D(100,100)@50rps"]
    assert arrival(read) == "poisson"


def test_what_is_given_wins() -> None:
    read = document(
        ", max_time_per_iteration: 9, max_window: 11, min_requests: 70, "
        "load_search: {lowest: 8, highest: 12, probes: 6, confirm_probes: 4, tolerance: 0.1}"
    )
    search = load_search(read)
    assert search is not None
    assert (search.lowest, search.highest, search.start, search.probes) == (8, 12, 8, 6)
    assert (search.confirm_probes, search.tolerance) == (4, 0.1)
    assert (limits(read).window_s, limits(read).max_window_s, limits(read).min_requests) == (9, 11, 70)


def test_a_percentile_has_requests_beyond_it() -> None:
    assert (
        limits(document(more=GOODPUT + "slo: {ttft: {p95: {threshold: 1}, p99: {threshold: 2}}}")).min_requests == 100
    )
    few = document(", max_requests_per_iteration: 40", GOODPUT + "slo: {ttft: {p99: {threshold: 2}}}")
    assert limits(few).min_requests == 40


def test_score_at_may_say_so() -> None:
    said = "optimization: {objective: maximize_throughput, score_at: max_load_meeting_slo}\n"
    assert scored_points(document(more=SLO + said)) == ("D(100,100)@max_load_meeting_slo",)


@pytest.mark.parametrize(
    ("benchmark", "more", "place", "why"),
    [
        ("", GOODPUT, "slo", "no limit on a latency"),
        ("", GOODPUT + "slo: {error_rate: {threshold: 0.1}}", "slo", "no limit on a latency"),
        ("", SLO, "optimization.objective", "minimize_latency tells nothing apart"),
        ("", SLO + "optimization: {objective: [maximize_goodput, minimize_ttft]}", "optimization.objective", "ttft"),
        (", num_concurrency: 4", BOTH, "benchmark.num_concurrency", "chooses the load"),
        (", request_rates: 4", BOTH, "benchmark.request_rates", "chooses the load"),
        (", max_concurrency: 4", BOTH, "benchmark.max_concurrency", "chooses the load"),
        (", repeats: 2", BOTH, "benchmark.repeats", "repeats a measurement where"),
        (", traffic_scenarios: 'D(1,2),D(3,4)'", BOTH, "benchmark.traffic_scenarios", "2 scenarios"),
        (", load_search: {lowest: 9, highest: 9}", BOTH, "benchmark.load_search.highest", "not above the lowest"),
        (", load_search: {highest: 9, start: 10}", BOTH, "benchmark.load_search.start", "not between"),
        (", load_search: {highest: 9.5}", BOTH, "benchmark.load_search.highest", "no number of requests"),
        (", load_search: {lowest: 0.5}", BOTH, "benchmark.load_search.lowest", "no number of requests"),
        (", max_time_per_iteration: 100", BOTH, "optimization.phase_budgets.measure", "25 probes take 2500 s"),
        ("", SLO + "optimization: {objective: maximize_goodput, score_at: 'D(100,100)@4'}", "optimization.score_at",
         "other loads for each"),
        (", dataset: {path: x.csv, replay_speed: 2}", BOTH, "benchmark.dataset.replay_speed", "chooses the load"),
    ],
)  # fmt: skip
def test_what_contradicts_a_search_is_refused(benchmark: str, more: str, place: str, why: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        document(benchmark, more)
    assert (caught.value.code, caught.value.place) == (ErrorCode.CONTRADICTION, place)
    assert why in caught.value.why
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("benchmark: {load_search: {highest: 9}}", "benchmark.load_search", "the profile is levels"),
        ("optimization: {score_at: max_load_meeting_slo}", "optimization.score_at", "only a search finds"),
        ("benchmark: {profile: sweep, load_per: gpu}", "benchmark.load_per", "chooses the load"),
    ],
)
def test_what_only_a_search_has_is_refused_elsewhere(text: str, place: str, why: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        parse(f"model: {{id_or_path: m}}\n{text}")
    assert (caught.value.code, caught.value.place) == (ErrorCode.CONTRADICTION, place)
    assert why in caught.value.why
