"""The workload, the estimate and the purity of a plan."""

from __future__ import annotations

import pytest

from autotuner.planning.planner import DRAIN_S
from conformance.toy_engine import ToyEngine, toy_plan


def test_the_estimate_adds_up() -> None:
    plan = toy_plan(
        {"tp": [1, 2, 4], "dp": [1, 2]},
        benchmark={"num_concurrency": [1, 4], "max_time_per_iteration": 10, "repeats": 3},
        optimization={
            "max_iterations": 4,
            "confirm": {"top_k": 1, "starts": 6},
            "references": [{"label": "expert", "parameters": {"seqs": 8}}],
        },
    )
    assert (plan.searched, plan.confirm_top_k, plan.confirm_starts) == (4, 1, 6)
    assert plan.planned_starts == 1 + 1 + 4 + 2 * 6
    assert plan.estimate.per_start_s == ToyEngine().typical_start_s + 2 * 3 * (10 + DRAIN_S)
    assert plan.estimate.total_s == plan.estimate.per_start_s * plan.planned_starts


@pytest.mark.parametrize("confirm", [{"top_k": 0}, {"starts": 0}])
def test_without_confirmation_nothing_is_started_again(confirm: dict[str, int]) -> None:
    plan = toy_plan({"tp": [1, 2]}, optimization={"confirm": confirm})
    assert (plan.confirm_top_k, plan.confirm_starts, plan.planned_starts) == (0, 0, 2)


def test_predictions_take_next_to_no_time() -> None:
    measured, predicted = toy_plan({"tp": [1, 2]}), toy_plan({"tp": [1, 2]}, engine=ToyEngine(predicted=True))
    assert predicted.estimate.starts == measured.estimate.starts
    assert predicted.estimate.total_s < measured.estimate.total_s / 100


def test_the_same_document_gives_the_same_plan() -> None:
    """Even where chance is used: a group too large to list, whose size is estimated."""
    parameters = {
        name: {"type": "int", "low": 1, "high": high} for name, high in (("tp", 64), ("dp", 64), ("seqs", 64))
    }
    first, second = (toy_plan(parameters, gpus=64, seed=7) for _ in range(2))
    for name in ("document", "count", "baseline", "references", "searched", "workload", "estimate", "provenance"):
        assert getattr(first, name) == getattr(second, name), name
    assert [first.space.decode(n) for n in (0, 99, 5000)] == [second.space.decode(n) for n in (0, 99, 5000)]


def test_load_points_and_what_is_scored() -> None:
    plan = toy_plan(
        benchmark={"traffic_scenarios": ["D(100,20)", "D(10,300)"], "num_concurrency": [8, 2]},
        optimization={"seed": 5},
    )
    assert [p.name for p in plan.workload.load_points] == ["D(100,20)@8", "D(100,20)@2", "D(10,300)@8", "D(10,300)@2"]
    assert plan.scored_at == ("D(100,20)@2", "D(10,300)@2")
    assert plan.workload.seed == 5
    assert plan.resolver.context.longest_request == 310
    named = toy_plan(benchmark={"num_concurrency": [8, 2]}, optimization={"score_at": "D(100,100)@8"})
    assert named.scored_at == ("D(100,100)@8",)


def test_the_users_fields_of_requests_win_over_the_engines() -> None:
    plan = toy_plan(benchmark={"additional_params": {"ignore_eos": False, "temperature": 0.0}})
    assert plan.workload.request_body == {"ignore_eos": False, "min_tokens": 1, "temperature": 0.0}


@pytest.mark.parametrize(
    ("asked", "found", "expected"), [(None, None, None), (None, 0, None), (None, 2, 2), (1, 2, 1), (0, 2, 0)]
)
def test_gpus_are_those_of_the_document_else_those_found(
    asked: int | None, found: int | None, expected: int | None
) -> None:
    plan = toy_plan(engine=ToyEngine(rules=()), gpus=found, system_config={"total_gpus": asked})
    assert (plan.gpu_count, plan.resolver.context.total_gpus) == (expected, expected)
