"""Files and folders of aiconfigurator as tasks: what lies beside a file, and what cannot be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from autotuner.config.document import TaskDocument
from autotuner.config.load import parse
from autotuner.config.text import MAX_BYTES
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.aiconfigurator import ImportedTask, Wanted, import_path
from autotuner.services.settings import Settings, load_settings

DATA = Path(__file__).resolve().parents[1] / "data" / "aiconfigurator"
RUN = DATA / "v0.12.0-default-vllm-qwen3-32b-fp8"


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path / "data")})


def only(path: Path, here: Settings, wanted: Wanted | None = None) -> tuple[ImportedTask, TaskDocument]:
    (task,) = import_path(str(path), wanted or Wanted(), here)
    return task, parse(task.text)


def test_a_chosen_configuration_gets_limits_and_figures_from_what_lies_beside_it(here: Settings) -> None:
    task, made = only(RUN / "agg" / "top1" / "generator_config.yaml", here)
    assert made.slo.ttft is not None
    assert made.slo.ttft.mean is not None
    assert made.slo.ttft.mean.threshold == 1.0
    predicted = made.metadata["predicted"]
    assert isinstance(predicted, dict)
    assert predicted["mean_output_throughput"] == 591.226
    assert task.problem is None
    assert task.configurations == 1


def test_it_is_read_alone_too(here: Settings, tmp_path: Path) -> None:
    alone = tmp_path / "mine.yaml"
    shutil.copy(RUN / "agg" / "top1" / "generator_config.yaml", alone)
    _, made = only(alone, here)
    assert made.slo.ttft is None


def test_the_memory_fraction_comes_from_the_engines_own_file(here: Settings) -> None:
    _, made = only(DATA / "v0.12.0-default-trtllm-qwen3-32b-fp8" / "agg" / "top1", here)
    assert made.memory_config is not None
    assert made.memory_config.model_dump()["gpu_memory_utilization"] == [0.8]


@pytest.mark.parametrize("folder", [RUN / "agg", RUN / "agg" / "top1"], ids=["experiment", "top1"])
def test_a_folder_stands_for_its_chosen_configuration(folder: Path, here: Settings) -> None:
    task, _ = only(folder, here)
    assert task.generation == "E"


def test_another_row_of_a_folder(here: Settings) -> None:
    task, made = only(RUN / "agg", here, Wanted(row=2))
    assert task.generation == "F"
    assert made.system_config.total_gpus == 8
    assert task.name.endswith("-tp2-pp1")
    assert made.slo.tpot is not None


def test_a_folder_of_several_results_names_them(here: Settings) -> None:
    with pytest.raises(AutotunerError, match="agg, disagg") as caught:
        import_path(str(RUN), Wanted(), here)
    assert caught.value.code is ErrorCode.CONTRADICTION


def test_a_folder_of_one_result_stands_for_it(here: Settings) -> None:
    task, _ = only(DATA / "v0.12.0-default-sglang-qwen3-32b-fp8", here)
    assert task.engine == "sglang"


def test_all_experiments_of_a_file_become_tasks_of_different_names(here: Settings) -> None:
    found = import_path(str(DATA / "inputs" / "exp_v2.yaml"), Wanted(), here)
    assert len({task.name for task in found}) == 3
    assert [task.name.rpartition("-")[2] for task in found[1:]] == ["prefill", "decode"]


def test_equal_names_are_told_apart(here: Settings, tmp_path: Path) -> None:
    whole = yaml.safe_load((DATA / "inputs" / "exp_v2.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "exp.yaml"
    file.write_text(yaml.dump({"exps": ["a", "b"], "a": whole["agg_small"], "b": whole["agg_small"]}))
    first, second = import_path(str(file), Wanted(), here)
    assert second.name == f"{first.name}-2"
    assert parse(second.text).task_name == second.name


def test_another_engine_is_told(here: Settings) -> None:
    task, made = only(RUN / "agg" / "top1" / "generator_config.yaml", here, Wanted(engine="trtllm"))
    assert made.base_runtime == "tensorrt-llm"
    assert any("the file is for vllm" in remark for remark in task.remarks)
    with pytest.raises(AutotunerError, match="llamacpp") as caught:
        import_path(str(RUN / "agg"), Wanted(engine="llamacpp"), here)
    assert caught.value.code is ErrorCode.UNSUPPORTED
    with pytest.raises(AutotunerError, match="vlm"):
        import_path(str(RUN / "agg"), Wanted(engine="vlm"), here)


def test_a_file_that_names_no_engine_gets_one_and_says_so(here: Settings) -> None:
    task, made = only(DATA / "inputs" / "generation_a_2025.yaml", here)
    assert made.base_runtime == "vllm"
    assert any("names no engine" in remark for remark in task.remarks)


def test_what_cannot_be_planned_is_imported_and_told(here: Settings, tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text("model_name: owner/model\nworker_config: {tp: 3}\n")
    task, _ = only(file, here)
    assert task.problem is not None
    assert "3" in task.problem


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("gone.yaml", None, ErrorCode.MISSING_FILE),
        ("large.yaml", b"#" * (MAX_BYTES + 1), ErrorCode.INVALID_DOCUMENT),
        ("bytes.yaml", b"\xff\xfe\x00", ErrorCode.INVALID_DOCUMENT),
        ("other.yaml", b"a: 1", ErrorCode.INVALID_DOCUMENT),
    ],
)
def test_what_cannot_be_read(name: str, content: bytes | None, code: ErrorCode, here: Settings, tmp_path: Path) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(AutotunerError) as caught:
        import_path(str(file), Wanted(), here)
    assert caught.value.code is code


def test_an_empty_folder(here: Settings, tmp_path: Path) -> None:
    with pytest.raises(AutotunerError, match=r"generator_config\.yaml"):
        import_path(str(tmp_path), Wanted(), here)
