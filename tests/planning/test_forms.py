"""Flat and structured documents: what becomes what, what stays, and that nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.config.load import check_part
from autotuner.config.parameters import dump_spec
from autotuner.config.structured import settings as settings_of
from autotuner.engines.registry import engine
from autotuner.planning.forms import Converted, to_flat, to_structured
from autotuner.planning.neutral import Neutral
from engine_plans import ENGINES, all_argv, plan


def structured(name: str, **data: Any) -> Converted:
    found = engine(name)
    return to_structured(data, Neutral(found.neutral, found.catalogue), found.catalogue)


def flat(name: str, **data: Any) -> Converted:
    found = engine(name)
    return to_flat(data, Neutral(found.neutral, found.catalogue), found.catalogue)


def test_flags_become_fields() -> None:
    made = structured(
        "vllm",
        model={"id_or_path": "m"},
        parameters={"tensor-parallel-size": [1, 2], "gpu-memory-utilization": 0.9, "max-num-seqs": [64, 128]},
    )
    assert made.data == {
        "model": {"id_or_path": "m"},
        "parallel_config": {"tp": [1, 2]},
        "memory_config": {"gpu_memory_utilization": 0.9},
        "scheduling_config": {"max_num_seqs": [64, 128]},
        "metadata": {"config_format": "structured"},
    }
    assert made.stays == ()


def test_fields_become_flags() -> None:
    made = flat(
        "sglang",
        parallel_config={"tp": [1, 2], "moe_ep": 2},
        memory_config={"mem_fraction_static": 0.9, "max_model_len": None},
        advanced_tuning_config={"max_batch_size": [8]},
        metadata={"config_format": "structured", "kept": 1},
    )
    assert made.data == {
        "parameters": {"tp_size": [1, 2], "ep_size": 2, "mem_fraction_static": 0.9, "max_running_requests": [8]},
        "metadata": {"kept": 1},
    }


def test_other_words_for_a_precision_become_neutral_names() -> None:
    made = flat(
        "vllm",
        quantization_config={"gemm_quant_mode": "fp8", "kvcache_quant_mode": "float16", "weight_quant_mode": "fp8"},
    )
    assert made.data == {"parameters": {"gemm_dtype": "fp8", "kvcache_dtype": "fp16"}}


@pytest.mark.parametrize(
    ("name", "data", "stays"),
    [
        ("vllm", {"parameters": {"kv-cache-dtype": ["auto", "fp8_e5m2"]}}, "parameters.kv-cache-dtype"),
        ("vllm", {"parameters": {"block-size": [16]}}, "parameters.block-size"),
        ("vllm", {"parameters": {"tensor-parallel-size": [3]}}, "parameters.tensor-parallel-size"),
        ("vllm", {"parameters": {"max-num-seqs": None}}, "parameters.max-num-seqs"),
        ("vllm", {"parameters": {"no-such-flag": 1}}, "parameters.no-such-flag"),
        (
            "vllm",
            {"parameters": {"tp": 2}, "parallel_config": {"presets": ["balanced"]}},
            "parameters.tp",
        ),
        ("llamacpp", {"parameters": {"n_ubatch": [128]}}, "parameters.n_ubatch"),
    ],
)
def test_what_has_no_field_stays_a_flag(name: str, data: dict[str, Any], stays: str) -> None:
    made = structured(name, **data)
    assert made.stays == (stays,)
    assert made.data == {**data, "metadata": {"config_format": "structured"}}


@pytest.mark.parametrize(
    ("name", "data", "stays"),
    [
        ("vllm", {"parallel_config": {"presets": ["balanced"]}}, "parallel_config.presets"),
        ("sglang", {"parallel_config": {"strict_dp": False}}, "parallel_config.strict_dp"),
        (
            "sglang",
            {"quant_config": {"presets": ["default"]}, "quantization_config": {"gemm_quant_mode": "fp8"}},
            ("quant_config.presets", "quantization_config.gemm_quant_mode"),
        ),
        ("llamacpp", {"parallel_config": {"tp": 2}}, "parallel_config.tp"),
        ("vllm", {"parameters": {"tensor_parallel_size": 4}, "parallel_config": {"tp": 2}}, "parallel_config.tp"),
        (
            "vllm",
            {"quantization_config": {"weight_quant_mode": "fp8"}},
            "quantization_config.weight_quant_mode",
        ),
    ],
)
def test_what_has_no_flag_stays_a_field(name: str, data: dict[str, Any], stays: str | tuple[str, ...]) -> None:
    made = flat(name, **data)
    assert made.stays == ((stays,) if isinstance(stays, str) else stays)
    assert made.data == data


def test_the_origin_of_a_value_moves_with_it() -> None:
    there = structured(
        "vllm", parameters={"max-num-seqs": [8]}, assembled={"origins": {"parameters.max-num-seqs": "p", "labels": "q"}}
    ).data
    assert there["assembled"] == {"origins": {"scheduling_config.max_num_seqs": "p", "labels": "q"}}
    assert flat("vllm", **there).data["assembled"] == {"origins": {"parameters.max_num_seqs": "p", "labels": "q"}}


def test_a_document_is_not_changed_by_its_conversion() -> None:
    given_data = {"parameters": {"tp": [1]}, "memory_config": {"max_model_len": 8}}
    before = str(given_data)
    structured("vllm", **given_data)
    flat("vllm", **given_data)
    assert str(given_data) == before


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "data",
    [
        {"parallel_config": {"tp": [1, 2], "pp": [1, 2]}},
        {"parallel_config": {"presets": ["single-gpu", "large-model-tp"]}},
        {"memory_config": {"gpu_memory_utilization": [0.7, 0.9], "max_model_len": 4096}},
        {"scheduling_config": {"max_num_seqs": [8, 16], "max_num_batched_tokens": 4096}},
        {"advanced_tuning_config": {"enable_chunked_prefill": True, "max_batch_size": [8, 16]}},
        {"quant_config": {"kvcache_dtype": ["auto", "fp8_e4m3"]}},
        {"parameters": {"max_model_len": [2048, 4096]}, "parallel_config": {"tp": 2}},
    ],
)
def test_both_forms_start_the_same_servers(name: str, data: dict[str, Any]) -> None:
    expected = sorted(all_argv(plan(name, **data)))
    assert sorted(all_argv(plan(name, **flat(name, **data).data))) == expected
    assert sorted(all_argv(plan(name, **structured(name, **data).data))) == expected


# ---- nothing is lost

SIZES = st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=3, unique=True) | st.sampled_from([1, 2])
COUNTS = (
    st.integers(1, 64)
    | st.lists(st.integers(1, 64), min_size=1, max_size=3, unique=True)
    | st.just({"type": "int", "low": 1, "high": 64})
)
SHARES = st.sampled_from([0.5, 0.9]) | st.just([0.5, 0.75]) | st.just({"type": "float", "low": 0.5, "high": 0.9})
SWITCHES = st.booleans() | st.just([True, False])


def block(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields).filter(bool)


BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "parallel_config": block(
            tp=SIZES, pp=st.sampled_from([1, [1, 2]]), dp=SIZES, ep=SIZES, strict_dp=st.booleans()
        ),
        "quant_config": block(
            gemm_dtype=st.sampled_from(["auto", ["auto", "fp8"], "bfloat16"]),
            kvcache_dtype=st.sampled_from(["auto", ["auto", "fp8"], "fp16"]),
            presets=st.just(["default"]),
        ),
        "memory_config": block(gpu_memory_utilization=SHARES, kv_cache_bytes=COUNTS, max_model_len=COUNTS),
        "scheduling_config": block(
            max_num_batched_tokens=COUNTS, max_num_seqs=COUNTS, chunked_prefill_enabled=SWITCHES
        ),
        "advanced_tuning_config": block(max_prefill_batch_size=COUNTS, enable_prefix_caching=SWITCHES),
        "description": st.text("ab", max_size=3),
    },
)
FLAGS = {
    "vllm": ["tensor_parallel_size", "max_num_seqs", "kv_cache_dtype", "block_size", "gpu_memory_utilization", "tp9"],
    "sglang": ["tp_size", "max_running_requests", "kv_cache_dtype", "page_size", "mem_fraction_static", "tp9"],
    "tensorrt-llm": ["tensor_parallel_size", "max_batch_size", "kv_cache_dtype", "beam", "max_seq_len", "tp9"],
}
VALUES = {"max_seq_len": COUNTS, "max_num_seqs": COUNTS, "max_running_requests": COUNTS, "max_batch_size": COUNTS}
PARAMETERS = {
    name: st.fixed_dictionaries(
        {},
        optional={
            flag: VALUES.get(flag, SHARES if flag.startswith(("gpu", "mem")) else SIZES | st.none()) for flag in flags
        },
    )
    for name, flags in FLAGS.items()
}


def said(data: dict[str, Any]) -> dict[tuple[str, str], object]:
    return {(one.group, one.name): dump_spec(one.spec) for one in settings_of(check_part(data))}


@settings(max_examples=60)
@given(st.sampled_from(ENGINES), BLOCKS)
def test_structured_flat_structured(name: str, data: dict[str, Any]) -> None:
    there = flat(name, **data)
    back = structured(name, **there.data).data
    assert said(back) == said(data)
    assert back.get("parameters") is None
    assert back.get("description") == data.get("description")
    for field in ("parallel_config", "quant_config"):
        assert back.get(field, {}).get("presets") == data.get(field, {}).get("presets")


@settings(max_examples=60)
@given(st.sampled_from(ENGINES), st.data())
def test_flat_structured_flat(name: str, drawn: st.DataObject) -> None:
    parameters = drawn.draw(PARAMETERS[name])
    data = {"parameters": parameters, "labels": ["a"]} if parameters else {"labels": ["a"]}
    there = structured(name, **data)
    back = flat(name, **there.data).data
    assert back.get("parameters", {}) == parameters
    assert back["labels"] == ["a"]
    # Converting twice changes nothing more.
    assert structured(name, **there.data).data == there.data
