"""A stronger layer wins under whatever name of the engine it says a setting."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.config.layers import Layer, assemble
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.registry import engine
from autotuner.planning.claims import engine_claims
from autotuner.planning.neutral import Neutral


def merged(name: str, *layers: dict[str, Any]) -> dict[str, Any]:
    found = engine(name)
    claims = engine_claims(Neutral(found.neutral, found.catalogue), found.catalogue)
    return assemble([Layer(str(number), layer) for number, layer in enumerate(layers)], None, claims).data


@pytest.mark.parametrize(
    ("name", "weak", "strong"),
    [
        ("vllm", {"parameters": {"tensor-parallel-size": [1, 2]}}, {"parameters": {"-tp": [4]}}),
        ("vllm", {"parameters": {"tensor-parallel-size": [1, 2]}}, {"parallel_config": {"tp": [4]}}),
        ("vllm", {"parameters": {"tensor-parallel-size": [1]}}, {"parallel_config": {"presets": ["balanced"]}}),
        ("vllm", {"parallel_config": {"presets": ["balanced"]}}, {"parallel_config": {"tp": [4]}}),
        ("vllm", {"parallel_config": {"tp": [4], "pp": 2}}, {"parallel_config": {"presets": ["balanced"]}}),
        ("sglang", {"memory_config": {"gpu_memory_utilization": 0.8}}, {"parameters": {"mem-fraction-static": [0.9]}}),
        ("sglang", {"parameters": {"mem-fraction-static": [0.9]}}, {"memory_config": {"mem_fraction_static": 0.8}}),
        (
            "sglang",
            {"scheduling_config": {"chunked_prefill_enabled": False}},
            {"parameters": {"chunked-prefill-size": 8}},
        ),
        ("sglang", {"parameters": {"chunked-prefill-size": 8}}, {"scheduling_config": {"max_num_batched_tokens": 16}}),
        ("llamacpp", {"parameters": {"cache-type-k": "q8_0"}}, {"quant_config": {"kvcache_dtype": "auto"}}),
        ("vllm", {"quantization_config": {"kvcache_quant_mode": "fp8"}}, {"quant_config": {"presets": ["default"]}}),
        ("vllm", {"quant_config": {"gemm_dtype": "fp8"}}, {"quantization_config": {"gemm_quant_mode": "float16"}}),
        ("vllm", {"parameters": {"gemm_dtype": "fp8"}}, {"quant_config": {"gemm_dtype": "auto"}}),
    ],
)
def test_the_weaker_name_gives_way(name: str, weak: dict[str, Any], strong: dict[str, Any]) -> None:
    assert merged(name, weak, strong) == strong


def test_other_settings_stay() -> None:
    weak = {"parameters": {"dp-size": [2], "tp-size": [4]}, "parallel_config": {"ep": 2}}
    strong = {"parallel_config": {"tp": [8]}}
    assert merged("sglang", weak, strong) == {"parameters": {"dp-size": [2]}, "parallel_config": {"ep": 2, "tp": [8]}}


def test_inside_a_layer_a_flag_may_beat_a_layout() -> None:
    data = {"parameters": {"tp": [2, 4]}, "parallel_config": {"tp": 8}}
    assert merged("vllm", data) == data  # the planner says what beats what


def test_inside_a_layer_a_flag_and_another_block_contradict() -> None:
    with pytest.raises(AutotunerError) as caught:
        merged("sglang", {"parameters": {"mem-fraction-static": 0.9}, "memory_config": {"gpu_memory_utilization": 0.8}})
    assert caught.value.code is ErrorCode.CONTRADICTION
    assert "parameters.mem-fraction-static and memory_config.gpu_memory_utilization" in caught.value.what
