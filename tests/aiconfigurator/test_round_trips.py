"""What was imported is exported as it was read, and what was changed since is changed in the file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiconfigurator_samples import DATA, contents, document, imported, of_data
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.aiconfigurator.export import Exported, Format
from autotuner.config.document import TaskDocument
from autotuner.config.load import to_data, validate
from autotuner.config.problems import DocumentError
from autotuner.config.text import write
from autotuner.contracts.errors import AutotunerError
from autotuner.services.aiconfigurator import export_document

ENGINES = ("vllm", "sglang", "tensorrt-llm")

SIZES = st.sampled_from([1, 2, 4, 8])
LISTS = st.lists(SIZES, min_size=1, max_size=4, unique=True)
WORDS = {
    "gemm": st.sampled_from(["bfloat16", "float16", "fp8", "int8_wo", "fp8_block", "nvfp4", "int4_wo", "int8"]),
    "moe": st.sampled_from(["bfloat16", "fp8", "fp8_block", "w4afp8"]),
    "kvcache": st.sampled_from(["float16", "bfloat16", "fp8", "int8"]),
    "fmha": st.sampled_from(["bfloat16", "float16", "fp8", "fp8_block"]),
    "comm": st.sampled_from(["half", "fp8"]),
}
MS = st.integers(1, 100_000).map(lambda n: n / 8)
MODELS = st.sampled_from(["LLAMA_70B", "QWEN3_32B", "Qwen/Qwen3-32B-FP8", "owner/model", "model"])
OTHERS = st.dictionaries(
    st.sampled_from(["note", "seen_by", "v2"]), st.one_of(st.integers(), st.text(max_size=5), st.lists(st.booleans()))
)


@st.composite
def placements(draw: st.DrawFn) -> dict[str, int]:
    """Sizes that aiconfigurator allows, of a dense model or of one with experts."""
    tp, pp = draw(SIZES), draw(SIZES)
    if draw(st.booleans()):
        return {"tp": tp, "pp": pp, "dp": 1}
    dp = draw(SIZES)
    moe_ep = draw(st.sampled_from([size for size in (1, 2, 4, 8, 16, 32, 64) if (tp * dp) % size == 0]))
    return {"tp": tp, "pp": pp, "dp": dp, "moe_tp": tp * dp // moe_ep, "moe_ep": moe_ep}


@st.composite
def one_configuration(draw: st.DrawFn) -> dict[str, Any]:
    """A file of generation A."""
    sizes = draw(placements())
    words = {f"{name}_quant_mode": draw(word) for name, word in WORDS.items() if draw(st.booleans())}
    lengths = {"isl": draw(st.integers(1, 9000)), "osl": draw(st.integers(1, 900))} if draw(st.booleans()) else {}
    tuning = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "max_batch_size": st.integers(1, 512),
                "mem_fraction_static": st.integers(1, 100).map(lambda n: n / 100),
                "other": st.booleans(),
            },
        )
    )
    return {
        "model_name": draw(MODELS),
        "serving_mode": "agg",
        "system_name": draw(st.sampled_from(["h200_sxm", "gb200_sxm", "b60"])),
        "worker_config": {**sizes, **words, **draw(OTHERS)},
        "predicted_metrics": {"throughput": draw(MS), "ttft": draw(MS), "tpot": draw(MS), **draw(OTHERS)},
        **lengths,
        **({"advanced_tuning_config": tuning} if tuning else {}),
        **draw(OTHERS),
    }


@st.composite
def search_space(draw: st.DrawFn) -> dict[str, Any]:
    """An experiment of generation D."""
    lists: dict[str, Any] = {f"agg_{name}_candidates": draw(LISTS) for name in ("tp", "pp")}
    if draw(st.booleans()):
        lists |= {f"agg_{name}_candidates": draw(LISTS) for name in ("dp", "moe_tp", "moe_ep")}
    return {
        "serving_mode": "agg",
        "model_path": draw(MODELS),
        "system_name": "h200_sxm",
        "backend_name": draw(st.sampled_from(["vllm", "sglang", "trtllm"])),
        "total_gpus": draw(st.sampled_from([8, 16, 64])),
        "isl": draw(st.integers(1, 9000)),
        "osl": draw(st.integers(1, 900)),
        "ttft": draw(MS),
        "tpot": draw(MS),
        **lists,
        **{f"{name}_quant_mode": draw(word) for name, word in WORDS.items() if draw(st.booleans())},
        **draw(OTHERS),
    }


def exported(made: TaskDocument, form: Format) -> Exported:
    # As a stored task: through text and back.
    return export_document(validate(to_data(made)), form)


@settings(deadline=None)
@given(one_configuration(), st.sampled_from(ENGINES))
def test_one_configuration_comes_back_as_it_was(data: dict[str, Any], engine: str) -> None:
    try:
        made = document(of_data(data, engine))
    except AutotunerError:
        return  # a layout that this engine cannot do
    back = exported(made, "A").data
    assert back == data
    assert to_data(document(of_data(back, engine))) == to_data(made)


@settings(deadline=None)
@given(search_space())
def test_a_search_space_comes_back_as_it_was(data: dict[str, Any]) -> None:
    try:
        made = document(of_data(data))
    except AutotunerError:
        return  # no legal layout, or none that this engine can do
    back = exported(made, "D").data
    assert back == {"exps": ["imported"], "imported": data}


@settings(deadline=None, max_examples=40)
@given(one_configuration(), st.sampled_from(ENGINES))
def test_a_configuration_written_anew_is_read_to_the_same_settings(data: dict[str, Any], engine: str) -> None:
    """Without the file in the metadata, so that all of it is made of the document."""
    try:
        made = document(of_data(data, engine))
    except AutotunerError:
        return
    alone = made.model_copy(update={"metadata": {"predicted": made.metadata["predicted"]}})
    again = document(of_data(exported(alone, "A").data, engine))
    assert again.parallel_config == made.parallel_config
    assert again.scheduling_config == made.scheduling_config or "isl" not in data
    assert again.memory_config == made.memory_config or "isl" not in data
    assert again.metadata["predicted"] == made.metadata["predicted"]
    assert again.system_config == made.system_config


SAMPLES = [
    (DATA / "inputs" / "generation_a_2025.yaml", "A"),
    (DATA / "inputs" / "exp_v2.yaml", "D"),
    (DATA / "inputs" / "exp_moe_vllm.yaml", "D"),
    (DATA / "v0.12.0-default-vllm-qwen3-32b-fp8" / "agg" / "exp_config.yaml", "D"),
    (DATA / "v0.12.0-default-vllm-qwen3-32b-fp8" / "disagg" / "exp_config.yaml", "D"),
    (DATA / "v0.12.0-exp-v1-sglang-qwen3-235b-moe" / "exp_agg_v1" / "exp_config.yaml", "D"),
]


@pytest.mark.parametrize(("file", "form"), SAMPLES, ids=lambda value: value.name if isinstance(value, Path) else value)
def test_samples_come_back_as_they_were(file: Path, form: Format) -> None:
    whole = _without_nulls(yaml.safe_load(file.read_text(encoding="utf-8")))
    for content in contents(file):
        for task in imported(content):
            back = exported(document(task), form).data
            if form == "D":
                (name,) = back["exps"]  # type: ignore[misc]
                back = back[name]  # type: ignore[index,assignment]
            assert back == (whole if content.experiment is None else whole[content.experiment])


def _without_nulls(value: Any) -> Any:
    return {k: _without_nulls(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def test_what_was_changed_is_changed_in_the_file_and_the_rest_is_not() -> None:
    data = yaml.safe_load((DATA / "inputs" / "generation_a_2025.yaml").read_text(encoding="utf-8"))
    data["by"] = "hand"
    changed = to_data(document(of_data(data, "sglang")))
    changed["parallel_config"]["tp"] = [8]
    changed["parallel_config"]["pp"] = [1]
    changed["scheduling_config"] = {"max_num_seqs": 32}
    expected = copy.deepcopy(data)
    expected["worker_config"] |= {"tp": 8, "pp": 1}
    expected["advanced_tuning_config"] = {"max_batch_size": 32}
    assert export_document(validate(changed), "A").data == expected


def test_a_changed_search_space_of_answers_keeps_that_of_prompts() -> None:
    file = DATA / "v0.12.0-default-vllm-qwen3-32b-fp8" / "disagg" / "exp_config.yaml"
    (content,) = contents(file)
    _, answers = imported(content)
    changed = to_data(document(answers))
    changed["parallel_config"]["tp"] = [4, 8]
    back = export_document(validate(changed), "D").data["imported"]
    assert isinstance(back, dict)
    assert back["decode_tp_candidates"] == [4, 8]
    assert back["prefill_tp_candidates"] == [1, 2, 4, 8]
    assert back["serving_mode"] == "disagg"


OWN: dict[str, Any] = {
    "base_runtime": "vllm",
    "model": {"id_or_path": "Qwen/Qwen3-32B"},
    "system_config": {"gpu_type": "h200_sxm", "total_gpus": 8},
    "parallel_config": {"tp": [1, 2, 4], "dp": [1, 2]},
    "quant_config": {"gemm_dtype": ["auto", "fp8"], "kvcache_dtype": "fp8_e4m3"},
    "memory_config": {"gpu_memory_utilization": 0.9, "max_model_len": 6000, "enforce_eager": True},
    "benchmark": {"traffic_scenarios": ["P(1000,500)/200"]},
    "slo": {"ttft": {"threshold": 1.0}, "tpot": {"p90": {"threshold": 0.05}}},
}


def test_a_task_of_ones_own_becomes_a_search_space() -> None:
    made = export_document(validate(OWN), "D")
    assert made.data == {
        "exps": ["imported"],
        "imported": {
            "serving_mode": "agg",
            "model_path": "Qwen/Qwen3-32B",
            "system_name": "h200_sxm",
            "backend_name": "vllm",
            "total_gpus": 8,
            "isl": 1500,
            "osl": 200,
            "prefix": 1000,
            "ttft": 1000.0,
            "kvcache_quant_mode": "fp8",
            "free_gpu_memory_fraction": 0.9,
            "max_seq_len": 6000,
            "agg_tp_candidates": [1, 2, 4],
            "agg_pp_candidates": [1],
            "agg_dp_candidates": [1, 2],
            "agg_num_gpu_candidates": [1, 2, 4, 8],
        },
    }
    left = "\n".join(made.left_out)
    assert "memory_config.enforce_eager" in left
    assert "quant_config.gemm_dtype" in left
    assert "p90" in left


def test_one_configuration_holds_no_search() -> None:
    with pytest.raises(DocumentError, match="--format exp"):
        export_document(validate(OWN), "A")


def test_an_engine_that_it_does_not_know_is_refused() -> None:
    own = {"base_runtime": "llamacpp", "model": {"id_or_path": "tiny"}}
    with pytest.raises(AutotunerError, match="llamacpp"):
        export_document(validate(own), "A")


def test_a_file_that_somebody_changed_in_the_metadata_is_not_relied_on() -> None:
    data = yaml.safe_load((DATA / "inputs" / "generation_a_2025.yaml").read_text(encoding="utf-8"))
    changed = to_data(document(of_data(data, "vllm")))
    changed["metadata"]["aiconfigurator_source_raw"]["worker_config"]["tp"] = "many"
    back = export_document(validate(changed), "A").data
    assert back["worker_config"]["tp"] == 4  # type: ignore[index,call-overload]
    assert write(back)
