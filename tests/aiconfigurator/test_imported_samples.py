"""Every sample becomes tasks that can be planned, with the values of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiconfigurator_samples import DATA, SHARED, all_tasks, contents, document, importable, imported, plan

from autotuner.aiconfigurator.task import Imported
from autotuner.config.parameters import Choices, Fixed, ParameterSpec
from autotuner.config.structured import settings

VLLM = DATA / "v0.12.0-default-vllm-qwen3-32b-fp8"
SGLANG_MOE = DATA / "v0.12.0-exp-v1-sglang-qwen3-235b-moe" / "exp_agg_v1"
MOE = DATA / "v0.12.0-exp-moe-qwen3-235b"


def only(path: Path, **chosen: str | int) -> Imported:
    (content,) = contents(path, **chosen)
    (task,) = imported(content)
    return task


def values(task: Imported) -> dict[str, list[object]]:
    """Settings of the document by neutral name."""
    return {setting.name: _listed(setting.spec) for setting in settings(document(task))}


def _listed(spec: ParameterSpec) -> list[object]:
    assert isinstance(spec, Choices | Fixed)
    return [spec.value] if isinstance(spec, Fixed) else list(spec.values)


def check_all(folder: Path) -> None:
    seen = set()
    for path, task in all_tasks(folder):
        made = document(task)
        found = plan(made)
        assert found.count.distinct, path
        assert made.task_name == task.name
        assert made.metadata["aiconfigurator_source"] == "imported"
        assert made.metadata["config_format"] == "structured"
        assert not task.content.unknown, (path, task.content.unknown)
        seen.add(path)
    assert seen == set(importable(folder))


def test_every_file_becomes_tasks_with_a_plan() -> None:
    check_all(DATA)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/aiconfigurator-samples is not there")
def test_every_file_of_the_whole_set_does() -> None:
    check_all(SHARED)


def test_a_configuration_of_2025() -> None:
    task = only(DATA / "inputs" / "generation_a_2025.yaml")
    made = document(task)
    assert task.name == "aiconfig-llama_70b-tp4-pp2"
    assert made.model.id_or_path == "meta-llama/Meta-Llama-3.1-70B"
    assert any("LLAMA_70B" in remark for remark in task.remarks)
    assert (made.system_config.gpu_type, made.system_config.total_gpus) == ("h200_sxm", 8)
    assert values(task) == {"tp": [4], "pp": [2], "dp": [1], "gemm_dtype": ["fp8"], "kvcache_dtype": ["fp8"]}
    assert made.metadata["aiconfigurator_predictions"] == {"throughput": 1200.0, "ttft": 150.0, "tpot": 12.0}
    assert made.metadata["predicted"] == {"mean_ttft": 0.15, "mean_tpot": 0.012, "mean_output_throughput": 1200.0}


def test_a_generators_configuration_of_the_first_releases() -> None:
    task = only(DATA / "inputs" / "generator_cfg_v0.4_style.yaml")
    made = document(task)
    assert task.name == "aiconfig-llama3.1_70b-tp4-pp1"
    assert made.model.id_or_path == "meta-llama/Meta-Llama-3.1-70B"
    assert made.system_config.total_gpus == 8
    assert made.benchmark.traffic_scenarios == ("D(3000,400)",)
    assert values(task)["max_num_seqs"] == [48]
    assert values(task)["attention_dtype"] == ["float16"]
    assert "moe_dtype" not in values(task)
    assert made.metadata["predicted"] == {
        "mean_ttft": 0.64,
        "mean_tpot": pytest.approx(1 / 31.5),
        "mean_output_throughput": 402.0 * 4,
        "mean_output_throughput_per_gpu": 402.0,
    }
    assert any("at hand" in remark for remark in task.remarks)
    assert any("2 such servers" in remark for remark in task.remarks)


def test_a_nested_search_space() -> None:
    task = only(DATA / "inputs" / "exp_v1.yaml")
    made = document(task)
    assert made.base_runtime == "sglang"
    assert values(task) == {
        "tp": [4, 8],
        "pp": [1],
        "dp": [1, 2, 4, 8],
        "ep": [1, 2, 4, 8],
        "enable_dp_attention": [True],
        "gemm_dtype": ["auto"],
        "kvcache_dtype": ["auto"],
        "attention_dtype": ["bfloat16"],
        "moe_dtype": ["auto"],
    }
    # As many as aiconfigurator has: 3 × 3 layouts of 4 GPUs and 4 × 4 of 8.
    assert plan(made).count.distinct == 25
    assert made.slo.ttft is not None
    assert made.slo.ttft.mean is not None
    assert made.slo.ttft.mean.threshold == 2.0
    assert made.benchmark.profile == "search"
    assert [(one.place, one.said) for one in task.losses] == [
        ("config.worker_config.gemm_quant_mode", "fp8_block"),
        ("config.worker_config.moe_quant_mode", "fp8_block"),
    ]
    assert "block-scaled" in task.losses[0].why


def test_a_file_of_two_experiments_and_one_of_them() -> None:
    file = DATA / "inputs" / "exp_v2.yaml"
    assert [content.experiment for content in contents(file)] == ["agg_small", "disagg_small"]
    task = only(file, experiment="agg_small")
    assert task.name == "aiconfig-qwen-qwen3-32b-fp8-tp1-2-4-8-pp1"
    assert values(task)["tp"] == [1, 2, 4, 8]


def test_a_search_space_keeps_to_what_is_legal() -> None:
    (content,) = contents(DATA / "inputs" / "exp_moe_vllm.yaml", experiment="moe_vllm")
    (task,) = imported(content)
    found = plan(document(task))
    sizes = {(one["__parallel__tp"], one["__parallel__dp"]) for one in found.space.enumerate()}
    assert sizes == {(1, 8), (4, 2)}


def test_the_chosen_configuration() -> None:
    task = only(VLLM / "agg" / "top1" / "generator_config.yaml")
    made = document(task)
    assert task.name == "aiconfig-qwen-qwen3-32b-fp8-tp1-pp1"
    assert made.base_runtime == "vllm"
    assert made.system_config.total_gpus == 8
    assert values(task) == {
        "tp": [1],
        "pp": [1],
        "dp": [1],
        "gemm_dtype": ["auto"],
        "kvcache_dtype": ["fp8"],
        "attention_dtype": ["bfloat16"],
        "max_model_len": [6000],
        "max_num_seqs": [24],
        "max_num_batched_tokens": [6012],
    }
    assert made.benchmark.num_concurrency == (24,)
    assert made.benchmark.request_timeout > 5 * 20
    assert made.metadata["aiconfigurator_predictions"] == {"isl": 4000, "osl": 500, "ttft": 493.673, "tpot": 39.604}
    assert made.metadata["predicted"] == {"mean_ttft": 0.493673, "mean_tpot": 0.039604}
    raw = made.metadata["aiconfigurator_source_raw"]
    assert isinstance(raw, dict)
    assert isinstance(raw["K8sConfig"], dict)
    assert raw["K8sConfig"]["k8s_image"].endswith("vllm-runtime:1.3.0")
    assert "K8sConfig.name_prefix" in task.kept
    assert {"params.agg.memory", "params.agg.comm_quant_mode", "params.agg.moe_quant_mode"} <= set(task.kept)
    assert not {"params.prefill", "params.agg.gpus_per_worker"} & set(task.kept)


def test_rows_of_a_table() -> None:
    table = VLLM / "agg" / "best_config_topn.csv"
    assert only(table).name.endswith("-tp1-pp1")
    task = only(table, row=3)
    made = document(task)
    assert values(task)["tp"] == [4]
    assert made.benchmark.num_concurrency == (14,)
    assert made.benchmark.load_per == "gpu"
    assert made.metadata["predicted"] == {
        "mean_ttft": 0.283022,
        "mean_tpot": 0.039147,
        "mean_e2e_latency": 19.817449,
        "mean_output_throughput": 1410.07,
        "mean_output_throughput_per_gpu": 352.518,
        "requests_per_second": 2.826,
    }
    assert any("row 3 of 3" in remark for remark in task.remarks)


def test_an_estimate_as_json_is_a_row() -> None:
    task = only(DATA / "v0.12.0-estimate" / "estimate_api.json")
    assert values(task)["tp"] == [2]
    assert values(task)["gemm_dtype"] == ["bfloat16"]
    assert values(task)["kvcache_dtype"] == ["auto"]


def test_a_mixture_of_experts_by_engine() -> None:
    vllm = values(only(MOE / "moe_vllm" / "top1" / "generator_config.yaml"))
    assert {name: vllm[name] for name in ("tp", "dp", "ep")} == {"tp": [1], "dp": [8], "ep": [8]}
    sglang = values(only(SGLANG_MOE / "top1" / "generator_config.yaml"))
    assert {name: sglang[name] for name in ("tp", "dp", "ep", "enable_dp_attention", "max_num_seqs")} == {
        "tp": [4],
        "dp": [4],
        "ep": [1],
        "enable_dp_attention": [True],
        "max_num_seqs": [96],
    }
    trtllm = values(only(MOE / "moe_trtllm" / "top1" / "generator_config.yaml"))
    assert {name: trtllm[name] for name in ("tp", "ep", "moe_tp", "enable_dp_attention", "max_num_batched_tokens")} == {
        "tp": [8],
        "ep": [4],
        "moe_tp": [2],
        "enable_dp_attention": [False],
        "max_num_batched_tokens": [4736],
    }


@pytest.mark.parametrize("name", ["top1/generator_config.yaml", "best_config_topn.csv", "exp_config.yaml"])
def test_a_disaggregated_deployment_becomes_two_linked_tasks(name: str) -> None:
    (content,) = contents(VLLM / "disagg" / name)
    prompts, answers = imported(content)
    assert prompts.name.endswith("-prefill")
    assert answers.name.endswith("-decode")
    assert prompts.document["metadata"]["aiconfigurator_linked_tasks"] == [answers.name]  # type: ignore[call-overload,index]
    assert answers.document["metadata"]["aiconfigurator_linked_tasks"] == [prompts.name]  # type: ignore[call-overload,index]
    assert document(prompts).benchmark.traffic_scenarios == ("D(4000,1)",)
    assert document(answers).benchmark.traffic_scenarios == ("D(4000,500)",)
    assert any("linked" in remark for remark in prompts.remarks)
