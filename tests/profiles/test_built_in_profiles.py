"""The six profiles: the values of their table, what they are for, and what combining them gives."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.config.layers import LayerContext, assemble
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.profiles.built_in import built_in_profiles

HAS_ALL = LayerContext()
WITHOUT_GPUS = LayerContext(has=lambda name: name not in ("tp-size", "mem-fraction-static"))


def sets(*names: str, context: LayerContext = HAS_ALL) -> dict[str, Any]:
    book = built_in_profiles()
    return assemble([layer for name in names for layer in book.get(name).layers_for(context)]).data


def optimization(**keys: object) -> dict[str, Any]:
    return {"optimization": keys}


TABLE: dict[str, dict[str, Any]] = {
    "quick-test": {
        **optimization(max_iterations=2),
        "benchmark": {"traffic_scenarios": ["D(100,100)"], "num_concurrency": [1]},
        "parameters": {"tp-size": [1], "mem-fraction-static": [0.85]},
    },
    "balanced": {
        **optimization(max_iterations=15, timeout_per_iteration=600),
        "benchmark": {"num_concurrency": [4, 8, 16]},
        "parameters": {"tp-size": [1, 2, 4], "mem-fraction-static": [0.8, 0.85, 0.9]},
    },
    "low-latency": {
        **optimization(objective="minimize_latency", max_iterations=15),
        "benchmark": {"num_concurrency": [1, 4, 8]},
        "parameters": {"tp-size": [1, 2], "mem-fraction-static": [0.7, 0.8]},
    },
    "high-throughput": {
        **optimization(objective="maximize_throughput", max_iterations=20),
        "benchmark": {"num_concurrency": [16, 32, 64]},
        "parameters": {
            "tp-size": [4, 8],
            "mem-fraction-static": [0.95],
            # Two sizes and one fraction would be two configurations.
            "max_num_batched_tokens": [8192, 16384],
        },
    },
    "cost-optimization": {
        **optimization(objective="minimize_latency", max_iterations=12),
        "benchmark": {"num_concurrency": [4, 8, 16]},
        "parameters": {"tp-size": [1, 2], "mem-fraction-static": [0.75, 0.85]},
    },
    "production": {
        **optimization(max_iterations=30, timeout_per_iteration=900),
        "slo": {
            "ttft": {"mean": {"threshold": 1.0, "weight": 2.0}},
            "tpot": {"mean": {"threshold": 0.05, "weight": 2.0}},
            "latency": {"p90": {"threshold": 5.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.2}},
        },
    },
}

PURPOSES = {
    "quick-test": (
        "minimal experiments to validate a set-up",
        "validation, CI",
        ("testing", "development", "quick"),
        ("development", "debugging", "ci-cd"),
    ),
    "balanced": (
        "explores common ranges without bias",
        "first try or no idea",
        ("balanced", "general", "exploration"),
        ("general", "exploration", "baseline"),
    ),
    "low-latency": (
        "interactive serving",
        "chat, one GPU",
        ("latency", "real-time", "interactive"),
        ("production", "interactive", "single-gpu"),
    ),
    "high-throughput": (
        "batch and high traffic",
        "batch, many GPUs",
        ("throughput", "batch", "high-concurrency"),
        ("production", "multi-gpu", "high-traffic"),
    ),
    "cost-optimization": (
        "little hardware",
        "limited budget, development",
        ("cost", "efficiency", "budget"),
        ("development", "startup", "single-gpu"),
    ),
    "production": (
        "readiness with SLOs",
        "launch",
        ("production", "slo", "comprehensive"),
        ("production", "deployment", "slo-critical"),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_profile_sets_what_its_row_says(name: str) -> None:
    assert sets(name) == TABLE[name]


def test_the_list_has_the_six_in_order_with_their_purpose() -> None:
    found = built_in_profiles().summaries()
    assert [one.name for one in found] == list(TABLE)
    for one in found:
        assert (one.description, one.use_case, one.tags, one.recommended_for) == PURPOSES[one.name]
        assert one.layers_count == 1


@pytest.mark.parametrize("name", TABLE)
def test_each_has_one_layer_that_is_named_after_it(name: str) -> None:
    details = built_in_profiles().details(name)
    assert details.layer_names == (f"{name}-params",)
    book = built_in_profiles()
    assert [layer.name for layer in book.get(name).layers_for(HAS_ALL)] == [f"profile:{name}:{name}-params"]


def test_low_latency_then_production() -> None:
    made = sets("low-latency", "production")
    assert made["optimization"] == {
        "objective": "minimize_latency",
        "max_iterations": 30,
        "timeout_per_iteration": 900,
    }
    assert made["parameters"]["tp-size"] == [1, 2]
    assert made["slo"] == TABLE["production"]["slo"]


def test_the_order_of_profiles_counts() -> None:
    assert sets("production", "low-latency")["optimization"]["max_iterations"] == 15


@pytest.mark.parametrize("name", [name for name in TABLE if "parameters" in TABLE[name]])
def test_an_engine_without_gpu_sizes_gets_others(name: str) -> None:
    made = sets(name, context=WITHOUT_GPUS)
    assert made["parameters"].keys() == {"n_parallel", "n_ubatch"}
    assert made["optimization"] == TABLE[name]["optimization"]
    assert made["benchmark"] == TABLE[name]["benchmark"]
    if name != "quick-test":
        assert made["quant_config"] == {"kvcache_dtype": ["auto", "int8"]}


def test_an_engine_without_a_memory_fraction_limits_its_requests() -> None:
    made = sets("balanced", context=LayerContext(has=lambda name: name != "mem-fraction-static"))
    assert made["parameters"] == {"tp-size": [1, 2, 4], "max_num_seqs": [4, 8, 16]}


def test_an_unknown_profile_is_not_found() -> None:
    with pytest.raises(AutotunerError) as caught:
        built_in_profiles().get("low_latncy")
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert caught.value.what == "Profile not found"
    assert caught.value.remedy == "Did you mean 'low-latency'?"
