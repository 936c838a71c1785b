"""Blocks that say what is wanted whatever the engine: values, aliases, contradictions, identity."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.config.identity import changed, fingerprint, identity
from autotuner.config.load import dump, parse, validate
from autotuner.config.parameters import dump_spec
from autotuner.config.problems import DocumentError
from autotuner.config.structured import presets, settings
from autotuner.contracts.errors import ErrorCode


def document(**blocks: Any) -> Any:
    return validate({"model": {"id_or_path": "m"}, **blocks})


def given(**blocks: Any) -> dict[str, object]:
    return {setting.name: dump_spec(setting.spec) for setting in settings(document(**blocks))}


def refused(**blocks: Any) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        document(**blocks)
    return caught.value


def test_every_field_takes_a_value_or_a_list() -> None:
    assert given(parallel_config={"tp": 2, "dp": [1, 2], "pp": {"type": "int", "low": 1, "high": 2}}) == {
        "tp": 2,
        "dp": [1, 2],
        "pp": {"type": "int", "low": 1, "high": 2},
    }
    assert given(quant_config={"gemm_dtype": ["auto", "fp8"], "kvcache_dtype": "fp8_e5m2"}) == {
        "gemm_dtype": ["auto", "fp8"],
        "kvcache_dtype": "fp8_e5m2",
    }
    assert given(memory_config={"enforce_eager": [False, True]}) == {"enforce_eager": [False, True]}


@pytest.mark.parametrize(
    ("block", "field", "neutral"),
    [
        ("parallel_config", "moe_ep", "ep"),
        ("memory_config", "gpu_memory_utilization", "memory_fraction"),
        ("memory_config", "mem_fraction_static", "memory_fraction"),
        ("scheduling_config", "chunked_prefill_enabled", "chunked_prefill"),
        ("advanced_tuning_config", "enable_chunked_prefill", "chunked_prefill"),
        ("advanced_tuning_config", "max_batch_size", "max_num_seqs"),
    ],
)
def test_aliases_mean_one_setting(block: str, field: str, neutral: str) -> None:
    value = True if "chunked" in field else 0.5 if "mem" in field else 4
    assert given(**{block: {field: value}}) == {neutral: value}


@pytest.mark.parametrize(
    "blocks",
    [
        {"parallel_config": {"ep": 4, "moe_ep": 8}},
        {"memory_config": {"mem_fraction_static": 0.8, "gpu_memory_utilization": 0.9}},
        {
            "scheduling_config": {"chunked_prefill_enabled": True},
            "advanced_tuning_config": {"enable_chunked_prefill": [True, False]},
        },
        {"scheduling_config": {"max_num_seqs": 8}, "advanced_tuning_config": {"max_batch_size": 16}},
        {"quant_config": {"gemm_dtype": "fp8"}, "quantization_config": {"gemm_quant_mode": "float16"}},
    ],
)
def test_two_values_of_one_setting_are_an_error_that_names_both(blocks: dict[str, dict[str, object]]) -> None:
    error = refused(**blocks)
    assert error.code is ErrorCode.CONTRADICTION
    for block, fields in blocks.items():
        for field in fields:
            assert f"{block}.{field}" in str(error)
    (first, *_), *_ = ((value for value in fields.values()) for fields in blocks.values())
    same = {block: dict.fromkeys(fields, first) for block, fields in blocks.items()}
    if "quantization_config" not in same:
        assert len(given(**same)) == 1, "the same value twice is no contradiction"


def test_the_words_of_other_tools() -> None:
    adapted = {"gemm_quant_mode": "fp8", "kvcache_quant_mode": "float16", "fmha_quant_mode": "fp8"}
    assert given(quantization_config=adapted) == {
        "gemm_dtype": "fp8",
        "kvcache_dtype": "fp16",
        "attention_dtype": "fp8",
    }
    both = {"gemm_quant_mode": "int8", "weight_quant_mode": "int8", "activation_quant_mode": "int8"}
    assert given(quantization_config=both) == {"gemm_dtype": "int8"}
    error = refused(quantization_config={"gemm_quant_mode": "fp8", "weight_quant_mode": "int4"})
    assert error.place == "quantization_config.weight_quant_mode"


@pytest.mark.parametrize(
    ("block", "field", "value", "said"),
    [
        ("parallel_config", "tp", 0, "0 is not a whole number, at least 1"),
        ("parallel_config", "tp", [1, "2"], '"2" is not a whole number'),
        ("memory_config", "gpu_memory_utilization", 1.5, "1.5 is not a number, 0 to 1"),
        ("quant_config", "gemm_dtype", ["auto", "fp9"], "is none of auto"),
        ("parallel_config", "enable_dp_attention", "yes", "is none of true, false"),
        ("scheduling_config", "schedule_policy", 1, "is not text"),
    ],
)
def test_wrong_values_are_refused_where_they_stand(block: str, field: str, value: object, said: str) -> None:
    error = refused(**{block: {field: value}})
    assert error.place == f"{block}.{field}"
    assert said in error.why


def test_unknown_keys_name_the_nearest() -> None:
    error = refused(parallel_config={"moe_tpp": 2})
    assert error.code is ErrorCode.UNKNOWN_KEY
    assert "parallel_config.moe_tp" in error.remedy
    assert "preset" in refused(quant_config={"preset": "default"}).remedy, "there is only the list"


def test_null_is_not_given_and_presets_count_once() -> None:
    made = document(parallel_config={"tp": None, "presets": ["balanced", "balanced"]}, quant_config=None)
    assert list(settings(made)) == []
    assert presets(made) == {"parallel": ("balanced",)}


def test_blocks_survive_a_round_trip() -> None:
    made = document(
        parallel_config={"tp": [1, 2], "strict_dp": False, "presets": ["balanced"]},
        memory_config={"kv_cache_bytes": 10},
    )
    assert parse(dump(made)) == made


def test_added_values_continue_a_task() -> None:
    old = identity(document(parallel_config={"tp": [1, 2], "presets": ["balanced"]}))
    more = identity(document(parallel_config={"tp": [1, 2, 4], "presets": ["balanced", "single-gpu"]}))
    assert changed(old, more) == []
    assert fingerprint(old) == fingerprint(more)
    assert changed(more, old)
    assert changed(old, identity(document(parallel_config={"tp": 2, "presets": ["balanced"]})))


def test_an_endpoint_has_nothing_to_set() -> None:
    error = refused(
        deployment_mode="endpoint", deployment={"endpoint_url": "http://127.0.0.1:1"}, parallel_config={"tp": 2}
    )
    assert error.place == "parallel_config"
