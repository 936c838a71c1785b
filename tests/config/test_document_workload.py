"""Load points, limits and what is scored."""

from __future__ import annotations

import pytest

from autotuner.config.load import parse
from autotuner.config.workload import arrival, limits, load_points, phase_budgets, scored_points
from autotuner.contracts.errors import AutotunerError, ErrorCode

TWO = "model: {id_or_path: m}\nbenchmark: {traffic_scenarios: 'D(1,2),D(3,4)', num_concurrency: [1, 8]}\n"


def test_scenarios_times_loads() -> None:
    assert [p.name for p in load_points(parse(TWO))] == ["D(1,2)@1", "D(1,2)@8", "D(3,4)@1", "D(3,4)@8"]
    rates = parse("model: {id_or_path: m}\nbenchmark: {request_rates: [0.5, 2]}")
    assert [p.name for p in load_points(rates)] == ["D(100,100)@0.5rps", "D(100,100)@2rps"]
    assert (arrival(rates), arrival(parse(TWO))) == ("poisson", "closed")


def test_the_last_load_is_scored_in_every_scenario() -> None:
    assert scored_points(parse(TWO)) == ("D(1,2)@8", "D(3,4)@8")
    rates = parse("model: {id_or_path: m}\nbenchmark: {request_rates: [4, 2]}")
    assert scored_points(rates) == ("D(100,100)@2rps",)


def test_a_named_load_is_scored_in_every_scenario() -> None:
    assert scored_points(parse(TWO + "optimization: {score_at: 'D( 3, 4)@1'}")) == ("D(1,2)@1", "D(3,4)@1")


@pytest.mark.parametrize(
    ("name", "code"), [("D(1,2)@4", ErrorCode.UNKNOWN_NAME), ("max_load_meeting_slo", ErrorCode.UNSUPPORTED)]
)
def test_unknown_names_are_refused(name: str, code: ErrorCode) -> None:
    with pytest.raises(AutotunerError) as caught:
        parse(TWO + f"optimization: {{score_at: '{name}'}}")
    assert (caught.value.code, caught.value.place) == (code, "optimization.score_at")
    if code is ErrorCode.UNKNOWN_NAME:
        assert "D(1,2)@1, D(1,2)@8, D(3,4)@1, D(3,4)@8" in caught.value.why


def test_limits_follow_the_document() -> None:
    document = parse(
        "model: {id_or_path: m}\n"
        "benchmark: {max_time_per_iteration: 200, min_requests: 3, max_requests_per_iteration: 9, max_errors: 2,\n"
        "  max_error_rate: 0.5, warmup_requests: 0, request_timeout: 7}\n"
        "optimization: {phase_budgets: {start: 1, warm_up: 4, measure: 2, stop: 3}}"
    )
    found = limits(document)
    assert (found.window_s, found.max_window_s, found.min_requests, found.max_requests) == (200, 200, 3, 9)
    assert (found.max_errors, found.max_error_rate, found.warmup_requests, found.request_timeout_s) == (2, 0.5, 0, 7)
    budgets = phase_budgets(document)
    assert (budgets.start_s, budgets.warm_up_s, budgets.measure_s, budgets.stop_s) == (1, 4, 2, 3)
    assert limits(parse(TWO)).max_window_s == 120
