"""The figures at a load that a search found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.metrics.aggregate import aggregate
from autotuner.metrics.at_load import AtLoad, interpolated
from metrics.test_aggregate_names import measured, requests

LOW, HIGH = "D(10,4)@4", "D(10,4)@8"
BOTH = [measured(requests([1.0, 1.0])), measured(requests([2.0] * 4, errors=1), concurrency=8)]


def at(**given: object) -> dict[str, object]:
    found = AtLoad(**{"name": "D(10,4)@6", "below": LOW, "above": HIGH, "share": 0.25, **given})  # type: ignore[arg-type]
    return aggregate(BOTH, scored=(), gpu_count=2, at_load=found)


def test_figures_lie_between_the_two_loads() -> None:
    found = at()
    assert found["scored_load_points"] == ["D(10,4)@6"]
    assert found["mean_e2e_latency"] == pytest.approx(0.75 * 1.0 + 0.25 * 2.0)
    assert found["mean_output_throughput"] == pytest.approx(0.75 * 0.8 + 0.25 * 1.6)
    assert found["mean_output_throughput_per_gpu"] == pytest.approx((0.75 * 0.8 + 0.25 * 1.6) / 2)
    assert found["error_rate"] == pytest.approx(0.25 * 0.2)
    assert found["max_e2e_latency"] == 2.0
    assert found["min_e2e_latency"] == 1.0
    assert found["total_requests"] == 7  # of both windows
    assert found["interpolated"] is True


def test_those_of_all_windows_are_of_all_windows() -> None:
    found = at()
    assert found["concurrency_levels"] == [4, 8]
    assert found["max_output_throughput"] == pytest.approx(1.6)
    assert [raw["load_point"] for raw in found["raw_results"]] == [LOW, HIGH]


def test_a_fitted_figure_takes_the_place_of_the_measured_one() -> None:
    found = at(fitted={"mean_ttft": 0.5, "p95_ttft": 0.9})
    assert found["mean_ttft"] == 0.5
    assert "p95_ttft" not in found  # no window measured it


def test_at_a_measured_load_nothing_is_interpolated() -> None:
    found = at(name=HIGH, below=HIGH, above=None, share=0.0)
    assert found["interpolated"] is False
    assert found["mean_e2e_latency"] == pytest.approx(2.0)
    assert found["scored_load_points"] == [HIGH]


figure = st.floats(0, 1e6, allow_nan=False)


@given(st.dictionaries(st.sampled_from(["mean_ttft", "p90_ttft", "goodput"]), st.tuples(figure, figure)), st.data())
def test_between_is_between(both: dict[str, tuple[float, float]], data: st.DataObject) -> None:
    share = data.draw(st.floats(0, 1))
    found = interpolated({n: low for n, (low, _) in both.items()}, {n: high for n, (_, high) in both.items()}, share)
    for name, (low, high) in both.items():
        slack = 1e-9 * max(low, high)
        assert min(low, high) - slack <= found[name] <= max(low, high) + slack


def test_what_one_of_them_lacks_is_that_of_the_lower_load() -> None:
    low = {"mean_ttft": 1.0, "goodput": None, "percentile_source": "single", "disturbed": True}
    high = {"mean_ttft": None, "goodput": 3.0, "percentile_source": "pooled", "disturbed": False}
    assert interpolated(low, high, 0.5) == low
    assert interpolated({"only_here": 1.0}, {}, 0.5) == {"only_here": 1.0}
