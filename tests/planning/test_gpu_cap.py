"""What the number of GPUs leaves of the parallel sizes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.engines.registry import engine
from autotuner.planning.gpu_cap import SKIPPED, cap_sizes


def capped(gpus: int | None, name: str = "sglang", **data: Any) -> dict[str, Any]:
    return cap_sizes(data, engine(name), gpus).data


def notes(gpus: int | None, name: str = "sglang", **data: Any) -> tuple[str, ...]:
    return cap_sizes(data, engine(name), gpus).notes


def test_sizes_above_the_cap_are_dropped() -> None:
    assert capped(2, parameters={"tp-size": [1, 2, 4]}) == {"parameters": {"tp-size": [1, 2]}}
    assert notes(2, parameters={"tp-size": [1, 2, 4]}) == (
        "parameters.tp-size is [1,2] in place of [1,2,4], for 2 GPUs",
    )


@pytest.mark.parametrize(("gpus", "left"), [(1, 1), (2, 2), (3, 2), (4, 4)])
def test_if_none_is_left_tp_is_the_largest_that_fits(gpus: int, left: int) -> None:
    assert capped(gpus, parameters={"tp-size": [8]}) == {"parameters": {"tp-size": [left]}}


def test_the_other_sizes_count() -> None:
    asked = {"tp": [4, 8], "pp": 2}
    assert capped(4, parallel_config=asked) == {"parallel_config": {"tp": [2]}}
    assert capped(16, parallel_config=asked) == {}
    assert capped(8, parallel_config={"tp": [1, 4], "dp": [1, 4]}) == {}  # 4 × 4 is left out by the planner
    assert capped(3, "vllm", parallel_config={"tp": [1, 2], "dp": [1, 4]}) == {"parallel_config": {"dp": [1]}}


def test_attention_that_is_data_parallel_shares_its_gpus() -> None:
    asked = {"tp": [4], "dp": [4], "enable_dp_attention": True}
    assert capped(4, parallel_config=asked) == {}
    assert capped(4, parallel_config={"tp": [4], "dp": [4]}) == {"parallel_config": {"tp": [1]}}
    assert capped(4, parameters={"tp-size": [4], "dp-size": [4], "enable-dp-attention": True}) == {}


def test_a_fixed_size_stays_fixed() -> None:
    assert capped(2, "vllm", parameters={"tensor-parallel-size": 8}) == {"parameters": {"tensor-parallel-size": 2}}


def test_without_a_known_number_nothing_is_left_out_and_it_is_said() -> None:
    assert capped(None, parameters={"tp-size": [4, 8]}) == {}
    assert notes(None, parameters={"tp-size": [4, 8]}) == (SKIPPED,)
    assert notes(None, parameters={"tp-size": [1]}) == ()


def test_engines_that_take_no_gpus_have_no_cap() -> None:
    assert notes(None, "llamacpp", parameters={"n_parallel": [4]}) == ()
    assert notes(1, "llamacpp", parameters={"n_parallel": [4]}) == ()


def test_what_cannot_fit_at_all_is_left_to_the_planner() -> None:
    assert capped(2, "vllm", parallel_config={"pp": [4, 8]}) == {}


SIZES = st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=3, unique=True)


@given(st.integers(1, 16), SIZES, SIZES)
def test_what_is_left_fits_somehow(gpus: int, tp: list[int], pp: list[int]) -> None:
    left = {"tp": tp, "pp": pp, **capped(gpus, "vllm", parallel_config={"tp": tp, "pp": pp}).get("parallel_config", {})}
    if gpus < min(pp):
        return  # no tp helps: the planner refuses
    for size in left["tp"]:
        assert size * min(left["pp"]) <= gpus
    for size in left["pp"]:
        assert size * min(left["tp"]) <= gpus
    if set(left["tp"]) <= set(tp):
        assert {t * p for t in left["tp"] for p in left["pp"]} <= {t * p for t in tp for p in pp}
    else:
        assert min(tp) * min(pp) > gpus
        assert left["tp"] == [max(size for size in (1, 2, 4, 8, 16) if size * min(pp) <= gpus)]
