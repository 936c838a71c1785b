"""Blocks beside parameters: what beats what, where each value comes from, and spaces of many dimensions."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.registry import engine
from autotuner.modelling.config_json import read_config
from engine_plans import ENGINES, all_argv, argv, plan, refused_words

CONFIGS = Path(__file__).parents[1] / "data" / "model_configs"


def test_a_flag_beats_what_a_block_derives_and_the_plan_says_so() -> None:
    made = plan("vllm", parameters={"kv-cache-dtype": "auto"}, quant_config={"presets": ["default", "kv-cache-fp8"]})
    assert all_argv(made) == [""]
    assert any(
        'parameters.kv-cache-dtype ("auto") beats what quant_config.presets makes of it' in warning
        for warning in made.warnings
    )
    sized = plan("vllm", parameters={"tp": [2, 4]}, parallel_config={"tp": 8, "pp": 2})
    assert all_argv(sized) == [
        "--pipeline-parallel-size 2 --tensor-parallel-size 2",
        "--pipeline-parallel-size 2 --tensor-parallel-size 4",
    ]
    assert sized.provenance["tensor_parallel_size"].layer == "document"
    assert any("parameters.tp ([2,4]) beats what parallel_config.tp makes of it" in w for w in sized.warnings)


@pytest.mark.parametrize(
    ("name", "parameters", "blocks"),
    [
        ("vllm", {"max-num-seqs": 8}, {"scheduling_config": {"max_num_seqs": 16}}),
        ("vllm", {"max_num_seqs": [8, 16]}, {"advanced_tuning_config": {"max_batch_size": 16}}),
        ("sglang", {"mem-fraction-static": 0.9}, {"memory_config": {"gpu_memory_utilization": 0.8}}),
        ("sglang", {"chunked-prefill-size": 4096}, {"scheduling_config": {"chunked_prefill_enabled": False}}),
    ],
)
def test_other_blocks_must_not_contradict_parameters(
    name: str, parameters: dict[str, Any], blocks: dict[str, Any]
) -> None:
    with pytest.raises(AutotunerError) as caught:
        plan(name, parameters=parameters, **blocks)
    assert caught.value.code is ErrorCode.CONTRADICTION
    (spelling,), (block,) = parameters, blocks
    assert f"parameters.{spelling}" in str(caught.value)
    assert block in str(caught.value)


def test_the_same_value_twice_is_no_contradiction() -> None:
    made = plan("vllm", parameters={"max-num-seqs": 16}, scheduling_config={"max_num_seqs": 16})
    assert argv(made, {}) == ("--max-num-seqs", "16")


def test_neutral_names_under_parameters() -> None:
    made = plan("sglang", parameters={"gemm_dtype": ["auto", "fp8"], "prefix_caching": False, "max_num_seqs": 8})
    flags = "--disable-radix-cache --max-running-requests 8"
    assert all_argv(made) == [flags, f"{flags} --quantization fp8"]
    assert [dimension.name for dimension in made.space.dimensions] == ["__quant__gemm_dtype"]


def test_an_unknown_parameter_has_the_nearest_name() -> None:
    with pytest.raises(AutotunerError) as caught:
        plan("vllm", parameters={"max-num-seq": 8})
    assert caught.value.code is ErrorCode.UNKNOWN_PARAMETER
    assert "max_num_seqs" in caught.value.remedy
    made = plan("vllm", parameters={"--brand-new": 8}, runtime={"allow_unknown_flags": True})
    assert argv(made, {}) == ("--brand-new", "8")


def test_provenance_names_one_layer_per_key() -> None:
    made = plan(
        "vllm",
        parameters={"max-num-seqs": [8, 16]},
        parallel_config={"tp": [1, 2], "pp": 2},
        quant_config={"presets": ["default", "dynamic-fp8"]},
        memory_config={"max_model_len": 4096},
        runtime={"env": {"A": "b"}},
    )
    found = made.provenance
    assert {name: entry.layer for name, entry in found.items() if entry.layer == "document"} == dict.fromkeys(
        ["max_num_seqs", "__parallel__tp", "__parallel__pp", "max_model_len", "__quant__preset", "__env__A"], "document"
    )
    derived = {name: (entry.value, entry.source) for name, entry in found.items() if entry.layer == "derived"}
    assert derived == {
        "tensor_parallel_size": ([1, 2], "parallel_config.tp"),
        "pipeline_parallel_size": (2, "parallel_config.pp"),
        "quantization": ("fp8", "quant_config.presets"),
        "kv_cache_dtype": ("fp8_e5m2", "quant_config.presets"),
    }
    names = {parameter.name for parameter in engine("vllm").catalogue.parameters}
    assert names <= found.keys()
    assert {entry.layer for name, entry in found.items() if name in names} == {"document", "derived", "engine default"}


def test_settings_may_be_references() -> None:
    made = plan(
        "vllm",
        parallel_config={"tp": [1, 2]},
        optimization={"references": [{"label": "wide", "parameters": {"__parallel__tp": 8, "max-num-seqs": 64}}]},
    )
    (wide,) = made.references
    assert argv(made, wide.configuration) == ("--max-num-seqs", "64", "--tensor-parallel-size", "8")


BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "parallel_config": st.fixed_dictionaries(
            {},
            optional={
                "tp": st.sampled_from([1, [1, 2], [2, 4, 8]]),
                "pp": st.sampled_from([[1, 2], 2]),
                "dp": st.sampled_from([[1, 2, 3], 2]),
                "presets": st.sampled_from([["single-gpu"], ["large-model-tp", "large-model-tp-pp"]]),
            },
        ),
        "quant_config": st.fixed_dictionaries(
            {},
            optional={
                "gemm_dtype": st.sampled_from(["auto", ["auto", "bfloat16"]]),
                "presets": st.sampled_from([["default", "kv-cache-fp8"], ["aggressive-moe", "bf16-stable", "default"]]),
            },
        ),
        "memory_config": st.fixed_dictionaries(
            {}, optional={"gpu_memory_utilization": st.sampled_from([0.8, [0.8, 0.9]])}
        ),
        "scheduling_config": st.fixed_dictionaries(
            {},
            optional={
                "max_num_seqs": st.sampled_from([8, [8, 16]]),
                "max_num_batched_tokens": st.sampled_from([4096, [2048, 8192]]),
                "chunked_prefill_enabled": st.sampled_from([True, False, [True, False]]),
            },
        ),
    },
)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(ENGINES), blocks=BLOCKS, gpus=st.sampled_from([None, 4, 8]), seed=st.integers(0, 99))
def test_no_plan_yields_words_outside_the_catalogue(
    name: str, blocks: dict[str, dict[str, Any]], gpus: int | None, seed: int
) -> None:
    blocks = {block: fields for block, fields in blocks.items() if fields}
    try:
        made = plan(name, gpus=gpus, **blocks)
    except AutotunerError as error:
        assert error.why
        assert error.code in (ErrorCode.EMPTY_SPACE, ErrorCode.UNSUPPORTED, ErrorCode.CONTRADICTION)
        return
    rng = random.Random(seed)
    for _ in range(5):
        configuration = made.space.sample(rng)
        if configuration is None:
            continue
        assert refused_words(made, configuration) == []
        words = made.resolver.command(configuration).argv
        assert not {"None", "True", "False"} & set(words)
        size = made.resolver.world_size(configuration)
        assert size is not None
        assert gpus is None or size <= gpus


TWELVE: dict[str, Any] = {
    "parallel_config": {"tp": [1, 2, 4, 8], "pp": [1, 2, 4], "dp": [1, 2, 3, 4]},
    "quant_config": {"gemm_dtype": ["auto", "bfloat16", "fp8"], "kvcache_dtype": ["auto", "fp8_e4m3", "fp8_e5m2"]},
    "parameters": {
        "max-num-seqs": [8, 16, 32, 64, 128, 256, 512, 1024],
        "max-num-batched-tokens": [2048, 4096, 8192, 16384, 32768, 65536],
        "gpu-memory-utilization": [0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
        "block-size": [16, 32, 64, 128],
        "enable-prefix-caching": [True, False],
        "stream-interval": [1, 2, 4, 8, 16, 32, 64, 128],
        "long-prefill-token-threshold": [0, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144],
    },
}


def test_a_joint_space_of_twelve_parameters_is_counted_and_sampled() -> None:
    made = plan("vllm", gpus=8, **TWELVE)
    assert len(made.space.dimensions) == 12
    assert made.count.combinations is not None
    assert made.count.combinations > 10**8
    assert made.count.valid is not None
    # tp · pp · dp ≤ 8 holds for 23 of 48 layouts.
    layouts = sum(tp * pp * dp <= 8 for tp in (1, 2, 4, 8) for pp in (1, 2, 4) for dp in (1, 2, 3, 4))
    assert made.count.valid == made.count.combinations // 48 * layouts
    rng = random.Random(1)
    drawn = [made.space.sample(rng) for _ in range(300)]
    identities = {made.space.identity(configuration) for configuration in drawn if configuration is not None}
    assert len(identities) > 290


def test_the_joint_space_is_counted_exactly_where_the_rule_of_memory_looks_at_most_of_it() -> None:
    """The rule stands between the groups: 23 layouts, 9 precisions and 8 · 6 · 6 values of flags are judged."""
    config = json.loads((CONFIGS / "qwen3-32b.json").read_text(encoding="utf-8"))
    made = plan("vllm", gpus=8, gpu="h100_sxm", model=read_config("owner/model", config), **TWELVE)
    without = plan("vllm", gpus=8, **TWELVE)
    assert "memory" in {rule.name for rule in made.resolver.rules or ()}
    assert (made.count.combinations, made.count.exact) == (without.count.combinations, True)
    assert made.count.valid is not None
    assert without.count.valid is not None
    assert 0 < made.count.valid < without.count.valid
    assert any(reason.startswith("one GPU would need ") for reason in made.count.excluded)
    assert sum(made.count.excluded.values()) == (made.count.combinations or 0) - made.count.valid
    rng = random.Random(1)
    drawn = [configuration for _ in range(100) if (configuration := made.space.sample(rng)) is not None]
    assert len({made.space.identity(configuration) for configuration in drawn}) > 95
    assert not [configuration for configuration in drawn if made.space.violation(configuration) is not None]
