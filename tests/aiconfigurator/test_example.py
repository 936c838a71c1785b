"""The worked example: a configuration of 2025, on each engine, and what is wrong with others."""

from __future__ import annotations

from typing import Any

import pytest
from aiconfigurator_samples import all_argv, document, of_data, plan

from autotuner.aiconfigurator.vocabulary import CHECKPOINTS, GUESSED_MODELS, MODELS, translate
from autotuner.config.problems import DocumentError
from autotuner.contracts.errors import AutotunerError, ErrorCode

EXAMPLE: dict[str, Any] = {
    "model_name": "LLAMA_70B",
    "serving_mode": "agg",
    "system_name": "h200_sxm",
    "worker_config": {"tp": 4, "pp": 2, "dp": 1, "gemm_quant_mode": "fp8", "kvcache_quant_mode": "fp8"},
    "predicted_metrics": {"throughput": 1200, "ttft": 150, "tpot": 12},
}


def changed(**worker: Any) -> dict[str, Any]:
    return {**EXAMPLE, "worker_config": {**EXAMPLE["worker_config"], **worker}}


@pytest.mark.parametrize(
    ("engine", "flags"),
    [
        (None, "--tensor-parallel-size 4 --pipeline-parallel-size 2 --quantization fp8 --kv-cache-dtype fp8"),
        ("vllm", "--tensor-parallel-size 4 --pipeline-parallel-size 2 --quantization fp8 --kv-cache-dtype fp8"),
        ("sglang", "--tp-size 4 --pp-size 2 --quantization fp8 --kv-cache-dtype fp8_e4m3"),
        ("tensorrt-llm", "--tp_size 4 --pp_size 2 --kv_cache_dtype fp8"),
    ],
)
def test_the_example_by_engine(engine: str | None, flags: str) -> None:
    task = of_data(EXAMPLE, engine)
    made = document(task)
    assert made.task_name == "aiconfig-llama_70b-tp4-pp2"
    assert (made.system_config.gpu_type, made.system_config.total_gpus) == ("h200_sxm", 8)
    assert made.metadata["aiconfigurator_predictions"] == EXAMPLE["predicted_metrics"]
    (line,) = all_argv(plan(made))
    words = set(line.split())
    assert set(flags.split()) <= words
    if engine == "tensorrt-llm":
        assert "--quantization" not in words
        (loss,) = task.losses
        assert loss.place == "worker_config.gemm_quant_mode"
        assert "checkpoint" in loss.why
    else:
        assert not task.losses


def test_precisions_by_their_short_names() -> None:
    short = {"tp": 4, "pp": 2, "dp": 1, "gemm": "fp8", "kvcache": "fp8"}
    task = of_data({**EXAMPLE, "worker_config": short}, "vllm")
    assert not task.losses
    assert task.content.unknown == ()
    long = document(of_data(EXAMPLE, "vllm"))
    assert document(task).quant_config == long.quant_config
    both = document(of_data({**EXAMPLE, "worker_config": {**short, "gemm_quant_mode": "bfloat16"}}, "vllm"))
    assert (
        both.quant_config.gemm_dtype
        == document(of_data(changed(gemm_quant_mode="bfloat16"), "vllm")).quant_config.gemm_dtype
    )


def test_total_gpus_counts_data_parallel_ranks() -> None:
    assert document(of_data(changed(tp=2, pp=1, dp=4), "vllm")).system_config.total_gpus == 8


def test_fields_of_the_tuning_block() -> None:
    tuning = {"max_batch_size": 64, "mem_fraction_static": 0.85, "enable_chunked_prefill": True}
    made = document(of_data({**EXAMPLE, "advanced_tuning_config": tuning, "isl": 1000, "osl": 200}, "vllm"))
    (line,) = all_argv(plan(made))
    for flags in (
        "--max-num-seqs 64",
        "--gpu-memory-utilization 0.85",
        "--enable-chunked-prefill",
        "--max-model-len 2700",
        "--max-num-batched-tokens 3012",
    ):
        assert flags in line
    assert made.benchmark.num_concurrency == (16,)
    assert made.benchmark.load_per == "gpu"


def test_experts_of_which_the_file_says_nothing_are_left_to_the_engine() -> None:
    worker = {"tp": 8, "pp": 1, "dp": 1, "bs": 4, "workers": 1}
    task = of_data(
        {"model_name": "DEEPSEEK_V3", "is_moe": True, "total_gpus": 8, "agg_worker_config": worker}, "sglang"
    )
    (line,) = all_argv(plan(document(task)))
    assert "--tp-size 8" in line
    assert "--ep-size" not in line
    assert any("experts" in remark for remark in task.remarks)


def test_what_an_engine_cannot_do_is_left_out_and_told() -> None:
    data = {**EXAMPLE, "advanced_tuning_config": {"max_prefill_batch_size": 4}}
    task = of_data(data, "vllm")
    assert task.losses[-1].place == "max_prefill_batch_size"
    assert "--prefill-max-requests 4" in all_argv(plan(document(of_data(data, "sglang"))))[0]


def test_unknown_keys_are_kept_and_listed() -> None:
    task = of_data({**EXAMPLE, "wide": 3, "worker_config": {**EXAMPLE["worker_config"], "tpp": [1, {"a": None}]}})
    assert task.content.unknown == ("worker_config.tpp", "wide")
    raw = document(task).metadata["aiconfigurator_source_raw"]
    assert isinstance(raw, dict)
    assert raw["wide"] == 3
    assert raw["worker_config"]["tpp"] == [1, {"a": None}]  # type: ignore[index,call-overload]


def test_a_copy_of_a_dense_model_has_gpus_of_its_own_where_the_engine_has_copies() -> None:
    for engine in ("vllm", "sglang"):
        found = plan(document(of_data(changed(tp=1, pp=1, dp=2, gemm_quant_mode=None), engine)))
        (configuration,) = found.space.enumerate()
        assert found.resolver.world_size(configuration) == 2
    with pytest.raises(AutotunerError, match="data parallel") as caught:
        of_data(changed(tp=1, dp=2), "tensorrt-llm")
    assert caught.value.code is ErrorCode.UNSUPPORTED


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tensorrt-llm"])
@pytest.mark.parametrize("precision", ["gemm", "moe"])
@pytest.mark.parametrize("said", sorted(CHECKPOINTS))
def test_what_only_a_checkpoint_gives_becomes_auto(engine: str, precision: str, said: str) -> None:
    words = {"gemm_quant_mode": "bfloat16", f"{precision}_quant_mode": said}
    task = of_data(changed(tp=8, pp=1, moe_tp=1, moe_ep=8, **words), engine)
    made = document(task)
    (loss,) = task.losses
    assert loss.said == said
    assert loss.became == f"quant_config.{precision}_dtype auto"
    assert loss.why == f"it takes {CHECKPOINTS[said]}"
    assert plan(made).count.distinct == 1


@pytest.mark.parametrize(
    ("precision", "said", "ours"),
    [
        ("gemm", "bfloat16", "bfloat16"),
        ("gemm", "float16", "float16"),
        ("gemm", "fp8", "fp8"),
        ("gemm", "int8", "int8"),
        ("gemm", "int8_wo", "int8"),
        ("kvcache", "float16", "auto"),
        ("kvcache", "bfloat16", "auto"),
        ("kvcache", "fp8", "fp8"),
        ("kvcache", "int8", "int8"),
        ("fmha", "float16", "float16"),
        ("fmha", "bfloat16", "bfloat16"),
        ("fmha", "fp8", "fp8"),
        ("fmha", "fp8_block", "fp8_block"),
    ],
)
def test_names_of_precisions(precision: str, said: str, ours: str) -> None:
    assert translate(precision, said).value == ours
    assert not translate(precision, said).why


def test_an_unknown_precision_becomes_auto_and_is_told() -> None:
    task = of_data(changed(gemm_quant_mode="fp6"), "vllm")
    assert [(loss.said, loss.became) for loss in task.losses] == [("fp6", "quant_config.gemm_dtype auto")]


def test_old_names_of_models_have_one_on_the_hub() -> None:
    assert all("/" in name for name in (*MODELS.values(), *GUESSED_MODELS.values()))


@pytest.mark.parametrize(
    ("data", "place", "said"),
    [
        (changed(tp=0), "worker_config.tp", "1 to 4096"),
        (changed(tp="four"), "worker_config.tp", "whole number"),
        (changed(tp=True), "worker_config.tp", "whole number"),
        (changed(gemm_quant_mode=8), "worker_config.gemm_quant_mode", "text"),
        ({**EXAMPLE, "predicted_metrics": {"ttft": "fast"}}, "predicted_metrics.ttft", "number"),
        ({**EXAMPLE, "predicted_metrics": [1]}, "predicted_metrics", "mapping"),
        ({**EXAMPLE, "model_name": None}, "model_name", "no model"),
        ({**EXAMPLE, "serving_mode": "afd"}, "serving_mode", "afd"),
        ({**EXAMPLE, "advanced_tuning_config": {"mem_fraction_static": 2}}, "mem_fraction_static", "0 to 1"),
        (changed(moe_tp=2, moe_ep=8), "", "moe_tp × moe_ep is 16 and tp × dp is 4"),
        ({**EXAMPLE, "total_gpus": 4}, "", "one server has 8 GPUs, and there are 4"),
        (changed(tp=8, pp=1, moe_tp=2, moe_ep=4), "", "vLLM cannot share each expert"),
    ],
)
def test_wrong_values_are_refused_with_their_place(data: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        of_data(data)
    (problem,) = caught.value.problems
    assert place in problem.place
    assert said in problem.why
