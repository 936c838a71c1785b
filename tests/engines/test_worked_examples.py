"""The documented examples: what blocks become on each engine, counted and word by word."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.registry import engine
from engine_plans import ENGINES, all_argv, argv, facts, plan, refused_words

QUANT = ("default", "kv-cache-fp8", "dynamic-fp8", "bf16-stable", "aggressive-moe")

PARALLEL = {
    "vllm": {
        "single-gpu": "",
        "high-throughput": "--data-parallel-size 8",
        "large-model-tp": "--tensor-parallel-size 8",
        "large-model-tp-pp": "--pipeline-parallel-size 2 --tensor-parallel-size 8",
        "moe-optimized": "--data-parallel-size 8 --enable-expert-parallel --tensor-parallel-size 2",
        "long-context": "--decode-context-parallel-size 4 --tensor-parallel-size 4",
        "balanced": "--data-parallel-size 4 --tensor-parallel-size 2",
    },
    "sglang": {
        "single-gpu": "",
        "high-throughput": "--dp-size 8",
        "large-model-tp": "--tp-size 8",
        "large-model-tp-pp": "--pp-size 2 --tp-size 8",
        "moe-optimized": "--attn-dp-size 8 --ep-size 16 --tp-size 16",
        "balanced": "--dp-size 4 --tp-size 2",
    },
    "tensorrt-llm": {
        "single-gpu": "",
        "large-model-tp": "--tp_size 8",
        "large-model-tp-pp": "--pp_size 2 --tp_size 8",
        "moe-optimized": "--ep_size 8 --tp_size 16 --config {file:trtllm.yaml}",
        "long-context": "--cp_size 2 --tp_size 8",
    },
}
"""Words of each layout, in the order of the catalogue (alphabetic by parameter)."""

MANY_GPUS = {
    "vllm": {"large-model-tp-pp", "moe-optimized"},
    "sglang": {"large-model-tp-pp", "moe-optimized"},
    "tensorrt-llm": {"large-model-tp-pp", "moe-optimized", "long-context"},
}

PRECISION = {
    "vllm": {
        "default": "",
        "kv-cache-fp8": "--kv-cache-dtype fp8_e5m2",
        "dynamic-fp8": "--kv-cache-dtype fp8_e5m2 --quantization fp8",
        "bf16-stable": "--dtype bfloat16 --kv-cache-dtype fp8_e5m2",
        "aggressive-moe": "--dtype bfloat16 --kv-cache-dtype fp8_e5m2",
    },
    "sglang": {
        "default": "",
        "kv-cache-fp8": "--kv-cache-dtype fp8_e5m2",
        "dynamic-fp8": "--kv-cache-dtype fp8_e5m2 --quantization fp8",
        "bf16-stable": "--dtype bfloat16 --kv-cache-dtype fp8_e5m2",
        "aggressive-moe": "--dtype bfloat16 --kv-cache-dtype fp8_e5m2 --quantization w4afp8",
    },
    "tensorrt-llm": {
        "default": "",
        "kv-cache-fp8": "--kv_cache_dtype fp8",
        "dynamic-fp8": None,
        "bf16-stable": "--kv_cache_dtype fp8",
        "aggressive-moe": "--kv_cache_dtype fp8",
    },
}


def test_every_engine_has_its_presets() -> None:
    for name in ENGINES:
        blocks = {block.prefix: block for block in engine(name).neutral.blocks}
        assert list(blocks["parallel"].presets) == list(PARALLEL[name])
        assert tuple(blocks["quant"].presets) == QUANT
    assert [len(PARALLEL[name]) for name in ENGINES] == [7, 6, 5]


@pytest.mark.parametrize(("name", "preset"), [(name, preset) for name in ENGINES for preset in PARALLEL[name]])
def test_a_parallel_preset_word_by_word(name: str, preset: str) -> None:
    made = plan(name, parallel_config={"presets": ["single-gpu"]})
    configuration = {"__parallel__preset": preset}
    assert " ".join(argv(made, configuration)) == PARALLEL[name][preset]
    assert refused_words(made, configuration) == []
    broken = made.resolver.check(None, configuration)
    if preset in MANY_GPUS[name]:
        assert broken is not None
        assert broken.startswith(f"{preset}: it needs 16 GPUs, more than one node has")
    else:
        assert broken is None


@pytest.mark.parametrize(("name", "preset"), [(name, preset) for name in ENGINES for preset in QUANT])
def test_a_precision_preset_word_by_word(name: str, preset: str) -> None:
    made = plan(name, quant_config={"presets": ["default"]})
    configuration = {"__quant__preset": preset}
    expected = PRECISION[name][preset]
    broken = made.resolver.check(None, configuration)
    if expected is None:
        assert broken == "dynamic-fp8: gemm_dtype fp8: TensorRT-LLM needs a quantised checkpoint for it"
        return
    assert broken is None
    assert " ".join(argv(made, configuration)) == expected
    assert refused_words(made, configuration) == []


@pytest.mark.parametrize("name", ENGINES)
def test_presets_that_differ_give_different_commands(name: str) -> None:
    made = plan(name, parallel_config={"presets": list(PARALLEL[name])})
    assert made.count.distinct == len(PARALLEL[name]) - len(MANY_GPUS[name])
    assert sum(made.count.excluded.values()) == len(MANY_GPUS[name])
    precision = plan(name, quant_config={"presets": list(QUANT)})
    same = {"vllm": 1, "sglang": 0, "tensorrt-llm": 2}
    excluded = {"vllm": 0, "sglang": 0, "tensorrt-llm": 1}
    assert sum(precision.count.excluded.values()) == excluded[name]
    assert precision.count.distinct == 5 - excluded[name] - same[name]


def test_what_goes_into_the_file_of_tensorrt_llm() -> None:
    made = plan("tensorrt-llm", parallel_config={"presets": ["single-gpu"]})
    files = made.resolver.command({"__parallel__preset": "moe-optimized"}).files
    assert files == {"trtllm.yaml": '{\n  "moe_tensor_parallel_size": 2\n}\n'}


# ---- the joint space


def test_presets_of_precision_times_tp() -> None:
    made = plan(
        "vllm",
        quant_config={"presets": ["default", "kv-cache-fp8", "dynamic-fp8"]},
        parallel_config={"tp": [1, 2]},
    )
    assert (made.count.combinations, made.count.valid, made.count.distinct) == (6, 6, 6)
    assert {c["__quant__preset"] for c in made.space.enumerate()} == {"default", "kv-cache-fp8", "dynamic-fp8"}
    assert made.baseline is not None
    assert made.baseline.configuration == {"__quant__preset": "default", "__parallel__tp": 1}
    assert made.searched == 5, "the baseline is one of the six"


def test_fields_of_precision() -> None:
    made = plan("vllm", quant_config={"gemm_dtype": ["auto", "fp8"], "kvcache_dtype": ["auto", "fp8_e5m2"]})
    assert made.count.distinct == 4
    assert all_argv(made) == [
        "",
        "--kv-cache-dtype fp8_e5m2",
        "--quantization fp8",
        "--kv-cache-dtype fp8_e5m2 --quantization fp8",
    ]


def test_tp_times_dp() -> None:
    blocks = {"parallel_config": {"tp": [1, 2, 4], "dp": [1, 2]}}
    assert plan("vllm", **blocks).count.distinct == 6
    strict = plan("sglang", **blocks)
    assert (strict.count.valid, strict.count.excluded) == (5, {"SGLang requires tp % dp == 0": 1})


def test_strict_dp_of_sglang() -> None:
    strict = plan("sglang", parallel_config={"tp": [4, 8], "dp": [2, 3]})
    assert (strict.count.valid, strict.count.excluded) == (2, {"SGLang requires tp % dp == 0": 2})
    free = plan("sglang", parallel_config={"tp": [4, 8], "dp": [2, 3], "strict_dp": False})
    assert (free.count.valid, dict(free.count.excluded)) == (4, {})
    attention = plan(
        "sglang", parallel_config={"tp": [4, 8], "dp": [2, 3], "strict_dp": False, "enable_dp_attention": True}
    )
    assert attention.count.valid == 2
    assert all_argv(attention) == ["--attn-dp-size 2 --tp-size 4", "--attn-dp-size 2 --tp-size 8"]


def test_tensorrt_llm_has_no_data_parallelism() -> None:
    made = plan("tensorrt-llm", gpus=16, parallel_config={"tp": [4, 8], "pp": [1, 2], "dp": [1, 2]})
    assert (made.count.valid, sum(made.count.excluded.values())) == (4, 4)
    assert all("TensorRT-LLM does not support data parallelism" in reason for reason in made.count.excluded)


def test_equal_layouts_are_one_experiment() -> None:
    assert plan("vllm", parallel_config={"presets": ["single-gpu", "single-gpu"]}).count.distinct == 1
    assert plan("vllm", parallel_config={"tp": [2, 2, 4], "dp": [1]}).count.distinct == 2
    beside = plan("vllm", parallel_config={"tp": 1, "pp": 1, "dp": 1, "presets": ["single-gpu"]})
    assert beside.count.distinct == 1
    (only,) = beside.space.enumerate()
    assert beside.resolver.summary(only) == "single GPU"


@pytest.mark.parametrize(
    ("block", "fields", "places", "why"),
    [
        (
            "parallel_config",
            {"tp": [2, 4], "presets": ["balanced", "single-gpu"]},
            ("parallel_config.presets", "parallel_config.tp"),
            "the preset 'balanced' has 2, and the field [2,4]",
        ),
        (
            "parallel_config",
            {"pp": 2, "presets": ["single-gpu"]},
            ("parallel_config.presets", "parallel_config.pp"),
            "the preset 'single-gpu' has 1, and the field 2",
        ),
        (
            "quant_config",
            {"kvcache_dtype": "fp8_e4m3", "presets": ["default", "kv-cache-fp8"]},
            ("quant_config.presets", "quant_config.kvcache_dtype"),
            'the preset \'kv-cache-fp8\' has "fp8_e5m2", and the field "fp8_e4m3"',
        ),
        (
            "quant_config",
            {"gemm_dtype": ["auto", "fp8"], "presets": ["dynamic-fp8"]},
            ("quant_config.presets", "quant_config.gemm_dtype"),
            'the preset \'dynamic-fp8\' has "fp8", and the field ["auto","fp8"]',
        ),
    ],
)
def test_a_field_that_contradicts_a_preset_beside_it_is_an_error(
    block: str, fields: dict[str, Any], places: tuple[str, str], why: str
) -> None:
    with pytest.raises(AutotunerError) as caught:
        plan("vllm", **{block: fields})
    error = caught.value
    assert (error.code, error.place) == (ErrorCode.CONTRADICTION, places[1])
    assert all(place in error.what for place in places)
    assert error.why == why


def test_quantization_config_contradicts_a_preset_too() -> None:
    with pytest.raises(AutotunerError) as caught:
        plan(
            "vllm",
            quant_config={"presets": ["dynamic-fp8"]},
            quantization_config={"gemm_quant_mode": "float16"},
        )
    assert caught.value.place == "quantization_config.gemm_quant_mode"


def test_what_presets_leave_open_holds_for_all_of_them() -> None:
    made = plan("vllm", parallel_config={"pp": [1, 2], "presets": ["large-model-tp", "long-context"]})
    assert all_argv(made) == [
        "--tensor-parallel-size 8",
        "--decode-context-parallel-size 4 --tensor-parallel-size 4",
        "--pipeline-parallel-size 2 --tensor-parallel-size 8",
        "--decode-context-parallel-size 4 --pipeline-parallel-size 2 --tensor-parallel-size 4",
    ]
    precise = plan("vllm", quant_config={"gemm_dtype": "bfloat16", "presets": ["default", "kv-cache-fp8"]})
    assert all_argv(precise) == ["--dtype bfloat16", "--dtype bfloat16 --kv-cache-dtype fp8_e5m2"]


def test_a_preset_is_exempt_from_strict_dp_only_where_it_names_dp() -> None:
    assert plan("sglang", parallel_config={"presets": ["balanced", "high-throughput"]}).count.valid == 2
    beside = plan("sglang", parallel_config={"presets": ["large-model-tp"], "dp": [1, 2, 3]})
    assert (beside.count.valid, beside.count.excluded) == (2, {"SGLang requires tp % dp == 0": 1})


def test_a_neutral_name_under_parameters_beats_a_preset_and_the_plan_says_so() -> None:
    made = plan("vllm", parameters={"tp": [2, 4]}, parallel_config={"presets": ["balanced"]})
    assert all_argv(made) == [
        "--data-parallel-size 4 --tensor-parallel-size 2",
        "--data-parallel-size 4 --tensor-parallel-size 4",
    ]
    assert "parameters.tp ([2,4]) beats what parallel_config.presets makes of it" in made.warnings
    own = plan(
        "vllm", gpu="h100_sxm", parameters={"kvcache_dtype": "fp8_e5m2"}, quant_config={"presets": ["kv-cache-fp8"]}
    )
    assert all_argv(own) == ["--kv-cache-dtype fp8_e5m2"]


def test_a_reference_with_a_preset_has_all_of_it() -> None:
    made = plan(
        "vllm",
        parallel_config={"presets": ["single-gpu"], "pp": [1]},
        quant_config={"gemm_dtype": ["auto", "bfloat16"], "presets": ["default"]},
        optimization={
            "references": [
                {"label": "wide", "parameters": {"__parallel__preset": "balanced"}},
                {"label": "small", "parameters": {"__quant__preset": "dynamic-fp8"}},
            ]
        },
    )
    wide, small = made.references
    assert argv(made, wide.configuration) == ("--data-parallel-size", "4", "--tensor-parallel-size", "2")
    assert argv(made, small.configuration) == ("--kv-cache-dtype", "fp8_e5m2", "--quantization", "fp8")


def test_an_unknown_preset_is_an_error() -> None:
    with pytest.raises(AutotunerError) as caught:
        plan("sglang", parallel_config={"presets": ["long-context"]})
    assert (caught.value.code, caught.value.place) == (ErrorCode.UNKNOWN_NAME, "parallel_config.presets")
    with pytest.raises(AutotunerError) as near:
        plan("vllm", quant_config={"presets": ["dynamic-fp9"]})
    assert "'dynamic-fp8'" in near.value.remedy


def test_an_empty_space_is_refused_with_the_reason() -> None:
    with pytest.raises(AutotunerError) as caught:
        plan("vllm", gpus=2, parallel_config={"tp": [4, 8]})
    assert caught.value.code is ErrorCode.EMPTY_SPACE
    assert "TP 4 (4 GPUs) is more than the 2 GPUs that there are" in caught.value.why


# ---- layouts


SUMMARIES = [
    ("vllm", {"tp": 4, "pp": 2}, 8, "TP 4 · PP 2 (8 GPUs)"),
    ("vllm", {"tp": 1}, 1, "single GPU"),
    ("vllm", {"tp": 4, "dcp": 4}, 4, "TP 4 · DCP 4 (4 GPUs)"),
    ("vllm", {"tp": 2, "dp": 4}, 8, "TP 2 · DP 4 (8 GPUs)"),
    ("sglang", {"tp": 2, "dp": 2}, 4, "TP 2 · DP 2 (4 GPUs)"),
    ("sglang", {"tp": 8, "dp": 4, "enable_dp_attention": True}, 8, "TP 2 · DP 4 (8 GPUs)"),
    ("tensorrt-llm", {"tp": 4, "pp": 2}, 8, "TP 4 · PP 2 (8 GPUs)"),
    ("tensorrt-llm", {"tp": 4, "cp": 2}, 8, "TP 4 · CP 2 (8 GPUs)"),
]


@pytest.mark.parametrize(("name", "sizes", "gpus", "summary"), SUMMARIES)
def test_world_size_and_summary(name: str, sizes: dict[str, int], gpus: int, summary: str) -> None:
    made = plan(name, gpus=8, parallel_config=sizes)
    assert (made.resolver.world_size({}), made.resolver.gpus({})) == (gpus, gpus)
    assert made.resolver.summary({}) == summary


def test_flat_parameters_have_the_same_world_size() -> None:
    made = plan("vllm", gpus=8, parameters={"tp": [1, 2, 4], "pipeline-parallel-size": 2})
    assert [made.resolver.world_size(c) for c in made.space.enumerate()] == [2, 4, 8]


def test_without_gpus_nothing_is_per_gpu() -> None:
    assert plan("vllm", parallel_config={"tp": [1, 2]}).resolver.gpus({"__parallel__tp": 2}) is None


@pytest.mark.parametrize("spelling", ["tensor-parallel-size", "tp-size", "tp_size", "tp", "--tensor-parallel-size"])
@pytest.mark.parametrize("name", ENGINES)
def test_every_spelling_is_one_parameter(name: str, spelling: str) -> None:
    flag = {"vllm": "--tensor-parallel-size", "sglang": "--tp-size", "tensorrt-llm": "--tp_size"}[name]
    assert all_argv(plan(name, parameters={spelling: [2, 4]})) == [f"{flag} 2", f"{flag} 4"]


def test_rules_of_vllm() -> None:
    made = plan("vllm", parallel_config={"tp": [2, 4], "dcp": [1, 4]})
    assert made.count.excluded == {"vLLM requires tp % dcp == 0: tp is 2 and dcp is 4": 1}
    sized = plan("vllm", parallel_config={"tp": [2, 4], "dp": 2, "ep": [4, 8]})
    assert all_argv(sized) == [
        "--data-parallel-size 2 --enable-expert-parallel --tensor-parallel-size 2",
        "--data-parallel-size 2 --enable-expert-parallel --tensor-parallel-size 4",
    ]
    assert "ep 8: vLLM's expert parallel size is always tp × dp, here 4" in sized.count.excluded


def test_experts_of_tensorrt_llm_fill_the_tp_group() -> None:
    made = plan("tensorrt-llm", parallel_config={"tp": [4, 8], "moe_tp": 2, "moe_ep": 4})
    assert all_argv(made) == ["--ep_size 4 --tp_size 8 --config {file:trtllm.yaml}"]
    (reason,) = made.count.excluded
    assert reason == "TensorRT-LLM requires moe_tp × moe_ep × moe_cluster == tp: they make 8 and tp is 4"


def test_the_model_is_asked_where_it_is_known() -> None:
    dense = facts()
    made = plan("vllm", model=dense, parallel_config={"tp": [2, 4], "enable_expert_parallel": [False, True]})
    assert made.count.valid == 2
    assert any("has no experts" in reason for reason in made.count.excluded)
    assert plan("vllm", model=facts(experts=64), parallel_config={"tp": 2, "enable_expert_parallel": True}).count.valid
    narrow = plan("vllm", model=facts(heads=8), parallel_config={"tp": [8, 16]})
    assert all_argv(narrow) == ["--tensor-parallel-size 8"]
    assert any("8 attention heads" in reason for reason in narrow.count.excluded)
    too_long = plan("vllm", model=dense, parameters={"max-model-len": [8192, 262144]})
    assert any("262144" in reason for reason in too_long.count.excluded)


# ---- precision by GPU and checkpoint


@pytest.mark.parametrize(
    ("gpu", "written"),
    [
        ("a100_sxm", "fp8_e5m2"),
        ("l40s", "fp8_e5m2"),
        ("h200_sxm", "fp8_e4m3"),
        ("b200_sxm", "fp8_e4m3"),
        (None, "fp8_e5m2"),
    ],
)
def test_the_kv_column_of_presets_follows_the_gpu(gpu: str | None, written: str) -> None:
    for name in ("vllm", "sglang"):
        made = plan(name, gpu=gpu, quant_config={"presets": ["kv-cache-fp8"]})
        assert all_argv(made) == [f"--kv-cache-dtype {written}"]
        assert any("fp8_e4m3" in warning for warning in made.warnings) is (written == "fp8_e4m3")
        own = plan(name, gpu=gpu, quant_config={"kvcache_dtype": "fp8_e5m2"})
        assert argv(own, {}) == ("--kv-cache-dtype", "fp8_e5m2"), "what is asked by name is never replaced"


def test_a_quantised_checkpoint_is_not_quantised_again() -> None:
    stored = facts(quantised={"quant_method": "fp8", "activation_scheme": "dynamic"})
    made = plan("vllm", model=stored, quant_config={"presets": ["default", "dynamic-fp8"]})
    assert all_argv(made) == ["", "--kv-cache-dtype fp8_e4m3"]
    assert any("already quantised (fp8)" in warning for warning in made.warnings)
    with pytest.raises(AutotunerError) as caught:
        plan("vllm", model=stored, quant_config={"kvcache_dtype": ["auto", "fp8_e5m2"]})
    assert caught.value.place == "quant_config.kvcache_dtype"
    assert plan("tensorrt-llm", model=stored, quant_config={"gemm_dtype": "fp8"}).count.valid == 1


def test_a_checkpoint_is_recognised_by_its_name() -> None:
    made = plan("vllm", called="owner/Model-7B-AWQ", quant_config={"gemm_dtype": ["auto", "fp8"]})
    assert made.count.distinct == 1
    assert any("already quantised (awq)" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("tensorrt-llm", "gemm_dtype", "fp8"),
        ("tensorrt-llm", "kvcache_dtype", "fp8_e5m2"),
        ("tensorrt-llm", "kvcache_dtype", "int8"),
        ("sglang", "kvcache_dtype", "fp16"),
        ("sglang", "kvcache_dtype", "int4"),
        ("sglang", "gemm_dtype", "int8"),
        ("vllm", "kvcache_dtype", "int8"),
        ("llamacpp", "gemm_dtype", "fp8"),
        ("llamacpp", "kvcache_dtype", "fp8"),
    ],
)
def test_what_an_engine_cannot_do_is_an_error_that_says_so(name: str, field: str, value: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        plan(name, quant_config={field: ["auto", value]})
    assert (caught.value.code, caught.value.place) == (ErrorCode.UNSUPPORTED, f"quant_config.{field}")
    assert value in caught.value.what


def test_context_parallelism_as_the_releases_of_vllm_take_it() -> None:
    """config/parallel.py, config/model.py and v1/worker/gpu/pcp_manager.py of 0.32 and 0.33."""
    both = plan("vllm", parallel_config={"tp": 2, "cp": 2, "dcp": [1, 2, 4, 8]})
    assert both.count.excluded == {"with cp 2 and tp 2 vLLM takes dcp 1 or 2 or 4, and dcp is 8": 1}
    # No release refuses cp with dp.
    replicas = plan("vllm", parallel_config={"cp": 2, "dp": [1, 2]})
    assert [replicas.resolver.world_size(c) for c in replicas.space.enumerate()] == [2, 4]
    # 32 heads, 8 of them of keys and values.
    shared = plan("vllm", model=facts(), parallel_config={"tp": [8, 16], "dcp": [1, 2]})
    assert (shared.count.valid, shared.count.excluded) == (
        3,
        {
            "dcp shares the copies of the KV cache, and with tp 8 and 8 heads of keys and values there are 1, fewer "
            "than dcp 2": 1
        },
    )
    prompts = plan("vllm", model=facts(), parallel_config={"cp": [1, 2]})
    assert prompts.count.excluded == {"vLLM has cp for models with latent attention alone, and owner/model has GQA": 1}
    # Expert parallelism spreads over the GPUs of cp, too.
    experts = plan("vllm", parallel_config={"tp": 2, "cp": 2, "ep": [2, 4]})
    assert experts.count.valid == 1
    assert "ep 2: vLLM's expert parallel size is always tp × dp × cp, here 4" in experts.count.excluded


def test_plain_fp8_of_the_kv_cache() -> None:
    written = {
        "vllm": "--kv-cache-dtype fp8",
        "sglang": "--kv-cache-dtype fp8_e4m3",
        "tensorrt-llm": "--kv_cache_dtype fp8",
    }
    for name, expected in written.items():
        assert " ".join(argv(plan(name, quant_config={"kvcache_dtype": "fp8"}), {})) == expected


def test_integer_kv_caches_of_llamacpp() -> None:
    made = plan("llamacpp", quant_config={"kvcache_dtype": ["int8", "int4"]})
    written = [made.resolver.effective(c) for c in made.space.enumerate()]
    assert written == [
        {"cache_type_k": "q8_0", "cache_type_v": "q8_0"},
        {"cache_type_k": "q4_0", "cache_type_v": "q4_0"},
    ]


def test_what_is_no_op_is_said() -> None:
    made = plan("vllm", quant_config={"attention_dtype": "fp8", "moe_dtype": "w4afp8"})
    assert argv(made, {}) == ()
    assert any(warning.startswith("attention_dtype fp8: no flag says it") for warning in made.warnings)
    assert any(warning.startswith("moe_dtype w4afp8: the checkpoint decides") for warning in made.warnings)
    dense = plan("sglang", model=facts(), quant_config={"presets": ["bf16-stable", "aggressive-moe"]})
    assert dense.count.distinct == 1, "the model has no experts, so nothing is left of the difference"


# ---- memory and scheduling


SETTINGS = [
    ("vllm", "memory_config", {"gpu_memory_utilization": 0.8}, "--gpu-memory-utilization 0.8"),
    ("sglang", "memory_config", {"mem_fraction_static": 0.8}, "--mem-fraction-static 0.8"),
    ("tensorrt-llm", "memory_config", {"mem_fraction_static": 0.8}, "--free_gpu_memory_fraction 0.8"),
    ("vllm", "memory_config", {"kv_cache_bytes": 1000000000}, "--kv-cache-memory-bytes 1000000000"),
    ("vllm", "memory_config", {"max_model_len": 4096}, "--max-model-len 4096"),
    ("sglang", "memory_config", {"max_model_len": 4096}, "--context-length 4096"),
    ("tensorrt-llm", "memory_config", {"max_model_len": 4096}, "--max_seq_len 4096"),
    ("vllm", "memory_config", {"enforce_eager": True}, "--enforce-eager"),
    ("sglang", "memory_config", {"enforce_eager": True}, "--cuda-graph-backend-decode disabled"),
    ("vllm", "scheduling_config", {"max_num_seqs": 64}, "--max-num-seqs 64"),
    ("sglang", "scheduling_config", {"max_num_seqs": 64}, "--max-running-requests 64"),
    ("tensorrt-llm", "advanced_tuning_config", {"max_batch_size": 64}, "--max_batch_size 64"),
    ("vllm", "scheduling_config", {"max_num_batched_tokens": 4096}, "--max-num-batched-tokens 4096"),
    ("sglang", "scheduling_config", {"max_num_batched_tokens": 4096}, "--chunked-prefill-size 4096"),
    (
        "sglang",
        "scheduling_config",
        {"max_num_batched_tokens": 4096, "chunked_prefill_enabled": False},
        "--chunked-prefill-size -1 --max-prefill-tokens 4096",
    ),
    ("tensorrt-llm", "scheduling_config", {"max_num_batched_tokens": 4096}, "--max_num_tokens 4096"),
    ("vllm", "scheduling_config", {"chunked_prefill_enabled": False}, "--no-enable-chunked-prefill"),
    ("tensorrt-llm", "advanced_tuning_config", {"enable_chunked_prefill": True}, "--enable_chunked_prefill"),
    ("vllm", "scheduling_config", {"schedule_policy": "priority"}, "--scheduling-policy priority"),
    ("sglang", "scheduling_config", {"schedule_policy": "lpm"}, "--schedule-policy lpm"),
    ("sglang", "advanced_tuning_config", {"max_prefill_batch_size": 4}, "--prefill-max-requests 4"),
    ("vllm", "advanced_tuning_config", {"enable_prefix_caching": False}, "--no-enable-prefix-caching"),
    ("sglang", "advanced_tuning_config", {"enable_prefix_caching": False}, "--disable-radix-cache"),
    ("vllm", "advanced_tuning_config", {"disable_sliding_window": True}, "--disable-sliding-window"),
]


@pytest.mark.parametrize(("name", "block", "fields", "expected"), SETTINGS)
def test_a_setting_word_by_word(name: str, block: str, fields: dict[str, object], expected: str) -> None:
    made = plan(name, **{block: fields})
    assert " ".join(argv(made, {})) == expected
    assert refused_words(made, {}) == []


def test_settings_in_the_file_of_tensorrt_llm() -> None:
    made = plan(
        "tensorrt-llm",
        advanced_tuning_config={"enable_prefix_caching": False},
        scheduling_config={"schedule_policy": "MAX_UTILIZATION"},
        memory_config={"enforce_eager": True},
    )
    text = made.resolver.command({}).files["trtllm.yaml"]
    assert '"enable_block_reuse": false' in text
    assert '"capacity_scheduler_policy": "MAX_UTILIZATION"' in text
    assert '"cuda_graph_config": null' in text


@pytest.mark.parametrize(
    ("name", "block", "field", "value"),
    [
        ("vllm", "advanced_tuning_config", "swap_space", 4),
        ("vllm", "advanced_tuning_config", "max_prefill_batch_size", 4),
        ("sglang", "advanced_tuning_config", "disable_sliding_window", True),
        ("tensorrt-llm", "advanced_tuning_config", "max_prefill_batch_size", 4),
        ("vllm", "scheduling_config", "schedule_policy", "lpm"),
        ("vllm", "parallel_config", "moe_tp", 2),
        ("sglang", "parallel_config", "moe_tp", 2),
        ("sglang", "parallel_config", "moe_dense_tp", 2),
        ("llamacpp", "parallel_config", "tp", 2),
        ("llamacpp", "memory_config", "gpu_memory_utilization", 0.9),
    ],
)
def test_settings_that_an_engine_lacks(name: str, block: str, field: str, value: object) -> None:
    with pytest.raises(AutotunerError) as caught:
        plan(name, **{block: {field: value}})
    assert caught.value.code in (ErrorCode.UNSUPPORTED, ErrorCode.INVALID_VALUE)
    assert caught.value.place == f"{block}.{field}"


def test_a_kv_cache_in_bytes_is_counted_in_tokens_where_the_engine_wants_them() -> None:
    # 32 layers × 2 × 8 heads × 128 values × 2 bytes = 131,072 bytes a token; half of it on each of two GPUs.
    made = plan(
        "sglang", model=facts(), memory_config={"kv_cache_bytes": 131072 * 1000}, parallel_config={"tp": [1, 2]}
    )
    assert all_argv(made) == ["--max-total-tokens 1000", "--max-total-tokens 2000 --tp-size 2"]
    with pytest.raises(AutotunerError) as caught:
        plan("sglang", memory_config={"kv_cache_bytes": 131072 * 1000})
    assert "config.json" in caught.value.why
