"""Load points, limits and what is scored."""

from __future__ import annotations

import pytest

from autotuner.config.document import TaskDocument
from autotuner.config.load import dump, parse
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
    ("name", "code"), [("D(1,2)@4", ErrorCode.UNKNOWN_NAME), ("max_load_meeting_slo", ErrorCode.CONTRADICTION)]
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


def document(benchmark: str, more: str = "") -> TaskDocument:
    return parse(f"model: {{id_or_path: m}}\nbenchmark: {{{benchmark}}}\n{more}")


@pytest.mark.parametrize(
    ("benchmark", "names", "when"),
    [
        ("profile: synchronous", ["D(100,100)@1"], "closed"),
        ("profile: throughput", ["D(100,100)@256"], "closed"),
        ("profile: throughput, max_concurrency: 64, traffic_scenarios: 'P(9,1)/2,D(1,2)x3'",
         ["P(9,1)/2@64", "D(1,2)x3@64"], "closed"),
        ("profile: sweep, max_concurrency: 8",
         ["D(100,100)@1", "D(100,100)@8", *(f"D(100,100)@sweep{n}" for n in range(1, 11))], "poisson"),
        ("dataset: x.jsonl, num_concurrency: 3", ["dataset@3"], "closed"),
        ("dataset: {path: x.csv, replay_speed: [1, 2.5]}", ["dataset@1x", "dataset@2.5x"], "closed"),
        ("arrival: gamma, burstiness: 0.5, request_rates: 2", ["D(100,100)@2rps"], "gamma"),
        ("profile: sweep, arrival: gamma, max_concurrency: 2, dataset: x.csv",
         ["dataset@1", "dataset@2", *(f"dataset@sweep{n}" for n in range(1, 11))], "gamma"),
    ],
)  # fmt: skip
def test_load_points_of_profiles_and_datasets(benchmark: str, names: list[str], when: str) -> None:
    read = document(benchmark)
    assert [point.name for point in load_points(read)] == names
    assert arrival(read) == when
    again = parse(dump(read))
    assert again == read


def test_a_sweep_is_scored_at_a_load_that_all_configurations_have() -> None:
    sweep = "profile: sweep, max_concurrency: 8, traffic_scenarios: 'D(1,2),D(3,4)'"
    assert scored_points(document(sweep)) == ("D(1,2)@8", "D(3,4)@8")
    assert scored_points(document(sweep, "optimization: {score_at: 'D(1,2)@1'}")) == ("D(1,2)@1", "D(3,4)@1")
    with pytest.raises(AutotunerError, match="differs between configurations"):
        document(sweep, "optimization: {score_at: 'D(1,2)@sweep3'}")


@pytest.mark.parametrize(
    ("benchmark", "place", "why"),
    [
        ("traffic_scenarios: dataset", "benchmark.dataset", "needs a file"),
        ("dataset: x.csv, traffic_scenarios: 'D(1,2)'", "benchmark.traffic_scenarios", "no scenario draws from it"),
        ("dataset: {path: x.csv, replay_speed: 1}, traffic_scenarios: '0.5*dataset+0.5*D(1,2)'",
         "benchmark.dataset.replay_speed", "only the dataset's own"),
        ("dataset: {path: x.csv, replay_speed: 1}, num_concurrency: 2", "benchmark.dataset.replay_speed", "both given"),
        ("dataset: {path: x.csv, replay_speed: 1}, request_rates: 2", "benchmark.dataset.replay_speed", "both given"),
        ("dataset: {path: x.csv, replay_speed: 1}, arrival: poisson", "benchmark.arrival", "times of its dataset"),
        ("dataset: {path: x, replay_speed: 1}, profile: sweep", "benchmark.dataset.replay_speed", "chooses the load"),
        ("profile: synchronous, num_concurrency: 2", "benchmark.num_concurrency", "chooses the load"),
        ("profile: sweep, request_rates: 2", "benchmark.request_rates", "chooses the load"),
        ("profile: synchronous, max_concurrency: 2", "benchmark.max_concurrency", "chooses the load"),
        ("max_concurrency: 2", "benchmark.max_concurrency", "the profile is levels"),
        ("profile: synchronous, arrival: poisson", "benchmark.arrival", "does not go with the profile synchronous"),
        ("profile: sweep, arrival: closed", "benchmark.arrival", "does not go with the profile sweep"),
        ("request_rates: 2, arrival: closed", "benchmark.arrival", "does not go with request_rates"),
        ("arrival: gamma", "benchmark.arrival", "does not go with num_concurrency"),
        ("request_rates: 2, burstiness: 2", "benchmark.burstiness", "only gamma"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(benchmark: str, place: str, why: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        document(benchmark)
    assert caught.value.place == place
    assert why in caught.value.why
    assert caught.value.remedy
