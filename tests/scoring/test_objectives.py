"""Objectives: what is optimised, from which figures, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.scoring.objectives import (
    OBJECTIVE_NAMES,
    PER_GPU,
    THROUGHPUT_ORDER,
    Objective,
    directions,
    make_objectives,
    throughput_metric,
)

TP2 = {
    "mean_e2e_latency": 2.0,
    "mean_ttft": 0.2,
    "mean_tpot": 0.02,
    "mean_total_throughput": 1322.0,
    PER_GPU: 661.0,
    "goodput": 6.0,
    "energy_per_output_token": 0.4,
}
TP4 = {**TP2, "mean_e2e_latency": 1.5, "mean_total_throughput": 1538.0, PER_GPU: 384.5, "goodput": 8.0}


def one(name: str, **options: Any) -> Objective:
    (objective,) = make_objectives([name], **options)
    return objective


def test_throughput_per_gpu_decides_between_world_sizes() -> None:
    objective = one("maximize_throughput")
    assert objective.value(TP2) == 661.0
    assert objective.value(TP4) == 384.5
    assert objective.direction == "maximize"
    assert objective.unit == "tokens/s/GPU"


def test_goodput_is_per_gpu_where_throughput_is() -> None:
    assert one("maximize_goodput").value(TP2) == pytest.approx(3.0)
    assert one("maximize_goodput").value(TP4) == pytest.approx(2.0)
    assert one("maximize_goodput", throughput_metric="mean_total_throughput").value(TP4) == 8.0


def test_cost_uses_each_configurations_own_gpus() -> None:
    cost = one("minimize_cost", price_per_gpu_hour=3.6)
    assert cost.value(TP2) == pytest.approx(3.6 * 2 / 3600 / 1322 * 1e6)
    assert cost.value(TP4) == pytest.approx(3.6 * 4 / 3600 / 1538 * 1e6)
    fixed = one("minimize_cost", price_per_gpu_hour=3.6, throughput_metric="mean_total_throughput", gpu_count=2)
    assert fixed.value({"mean_total_throughput": 1322.0}) == pytest.approx(cost.value(TP2))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({}, "price"),
        ({"price_per_gpu_hour": 0.0}, "price"),
        ({"price_per_gpu_hour": 2.0, "throughput_metric": "mean_total_throughput"}, "number of GPUs"),
        ({"price_per_gpu_hour": 2.0, "throughput_metric": "mean_total_throughput", "gpu_count": 0}, "number of GPUs"),
    ],
)
def test_cost_without_its_inputs_is_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        one("minimize_cost", **options)
    assert word in caught.value.what


def test_balanced_is_one_for_the_baseline_and_weighs_both_sides() -> None:
    balanced = one("balanced", baseline_metrics=TP2)
    assert balanced.value(TP2) == pytest.approx(1.0)
    assert balanced.value(TP4) == pytest.approx(math.sqrt(2.0 / 1.5 * 384.5 / 661.0))
    only_latency = one("balanced", baseline_metrics=TP2, balance={"latency": 2.0, "throughput": 0.0})
    assert only_latency.value(TP4) == pytest.approx(2.0 / 1.5)


@pytest.mark.parametrize("baseline", [None, {}, {"mean_e2e_latency": 1.0}, {**TP2, PER_GPU: 0.0}])
def test_balanced_without_a_usable_baseline_is_refused(baseline: dict[str, float] | None) -> None:
    with pytest.raises(AutotunerError, match="no baseline"):
        one("balanced", baseline_metrics=baseline)


@pytest.mark.parametrize(
    "balance",
    [{"latency": 1.0}, {"latency": 0.0, "throughput": 0.0}, {"latency": -1.0, "throughput": 2.0}, {"a": 1.0}],
)
def test_balanced_with_unusable_weights_is_refused(balance: dict[str, float]) -> None:
    with pytest.raises(AutotunerError, match="weights"):
        one("balanced", baseline_metrics=TP2, balance=balance)


def test_names_are_checked_and_order_is_kept() -> None:
    both = make_objectives(["minimize_ttft", "maximize_throughput"])
    assert [o.name for o in both] == ["minimize_ttft", "maximize_throughput"]
    assert directions(["minimize_ttft", "maximize_throughput"]) == ("minimize", "maximize")
    with pytest.raises(AutotunerError) as caught:
        make_objectives(["minimise_latency"])
    assert caught.value.code is ErrorCode.UNKNOWN_NAME
    assert "'minimize_latency'" in caught.value.remedy
    with pytest.raises(AutotunerError, match="twice"):
        make_objectives(["minimize_ttft", "minimize_ttft"])
    with pytest.raises(AutotunerError, match="no objective"):
        make_objectives([])


def test_every_name_makes_an_objective_of_its_direction() -> None:
    made = make_objectives(OBJECTIVE_NAMES, baseline_metrics=TP2, price_per_gpu_hour=1.0)
    assert tuple(o.direction for o in made) == directions(OBJECTIVE_NAMES)
    assert all(o.value(TP2) is not None for o in made)


@pytest.mark.parametrize("position", range(len(THROUGHPUT_ORDER)))
def test_throughput_metric_takes_the_first_there_is(position: int) -> None:
    metrics = dict.fromkeys(THROUGHPUT_ORDER[position:], 5.0)
    name, warning = throughput_metric(metrics)
    assert name == THROUGHPUT_ORDER[position]
    assert (warning is None) == (name == PER_GPU)


def test_throughput_metric_must_be_there_in_every_scenario() -> None:
    metrics = {**TP2, "scenarios": [TP2, {"mean_total_throughput": 3.0}]}
    assert throughput_metric(metrics)[0] == "mean_total_throughput"
    with pytest.raises(AutotunerError) as caught:
        throughput_metric({"mean_total_throughput": math.nan})
    assert caught.value.code is ErrorCode.NO_RESULT


def test_the_score_is_the_geometric_mean_over_scenarios() -> None:
    metrics = {**TP2, "scenarios": [{"mean_ttft": 0.1}, {"mean_ttft": 0.4}]}
    assert one("minimize_ttft").value(metrics) == pytest.approx(0.2)


@given(
    name=st.sampled_from(OBJECTIVE_NAMES),
    bad=st.sampled_from([None, math.nan, math.inf, -1.0, True, "12", "absent"]),
    in_second=st.booleans(),
    data=st.data(),
)
def test_a_missing_figure_is_never_a_score(name: str, bad: object, in_second: bool, data: st.DataObject) -> None:
    objective = one(name, baseline_metrics=TP2, price_per_gpu_hour=1.0)
    gone = data.draw(st.sampled_from(objective.needs))
    broken: dict[str, object] = {key: value for key, value in TP2.items() if key != gone}
    if bad != "absent":
        broken[gone] = bad
    metrics: dict[str, Any] = {**TP2, "scenarios": [TP2, broken]} if in_second else broken
    assert objective.value(metrics) is None
    assert objective.missing(metrics) == (gone,)


@pytest.mark.parametrize("name", ["minimize_latency", "minimize_ttft", "minimize_tpot"])
def test_a_time_of_zero_is_no_measurement(name: str) -> None:
    zeros = dict.fromkeys(TP2, 0.0)
    assert one(name).value(zeros) is None
    assert one(name).missing(zeros) == one(name).needs
    assert one("maximize_throughput").value(zeros) == 0.0
    assert one("minimize_cost", price_per_gpu_hour=1.0).value(zeros) is None
