"""``autotuner import`` and ``export``."""

import json
from pathlib import Path

import pytest
import yaml
from command_runner import Commands, three_lines

DATA = Path(__file__).resolve().parents[1] / "data" / "aiconfigurator"
RUN = DATA / "v0.12.0-default-vllm-qwen3-32b-fp8"
OLD = str(DATA / "inputs" / "generation_a_2025.yaml")


def test_a_file_becomes_a_task_that_can_be_planned(commands: Commands) -> None:
    task = str(commands.folder / "task.yaml")
    done = commands("import", str(RUN / "agg"), "--out", task)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == task
    assert "gemm_quant_mode fp8_block became quant_config.gemm_dtype auto" in done.stderr
    assert "K8sConfig (" in done.stderr
    planned = json.loads(commands("plan", task, "--json").stdout)
    assert planned["engine"] == "vllm"


def test_the_document_goes_to_stdout_and_the_report_to_stderr(commands: Commands) -> None:
    done = commands("import", OLD)
    assert yaml.safe_load(done.stdout)["task_name"] == "aiconfig-llama_70b-tp4-pp2"
    assert "--engine" in done.stderr


def test_json_has_documents_and_reports(commands: Commands) -> None:
    (task,) = json.loads(commands("import", OLD, "--engine", "sglang", "--json").stdout)["tasks"]
    assert task["engine"] == "sglang"
    assert task["path"] is None
    assert yaml.safe_load(task["text"])["base_runtime"] == "sglang"


def test_two_tasks_need_a_folder(commands: Commands) -> None:
    refused = commands("import", str(RUN / "disagg"))
    assert refused.exit_code == 2
    assert "-prefill" in refused.stderr
    assert commands("import", str(RUN / "disagg"), "-o", str(commands.folder / "a.yaml")).exit_code == 2
    folder = commands.folder / "tasks"
    done = commands("import", str(RUN / "disagg"), "-o", str(folder))
    assert done.exit_code == 0, done.stderr
    assert len(list(folder.glob("*.yaml"))) == 2
    assert len(done.stdout.splitlines()) == 2


def test_an_export_gives_back_what_was_imported(commands: Commands) -> None:
    task = str(commands.folder / "task.yaml")
    commands("import", OLD, "-o", task)
    done = commands("export", task, "--format", "aiconfigurator")
    assert done.exit_code == 0, done.stderr
    assert yaml.safe_load(done.stdout) == yaml.safe_load(Path(OLD).read_text(encoding="utf-8"))
    space = str(commands.folder / "exp.yaml")
    assert commands("export", task, "--format", "exp", "--out", space).stdout.strip() == space
    assert commands("import", space, "--json").exit_code == 0
    assert json.loads(commands("export", task, "--format", "exp", "--json").stdout)["format"] == "exp"
    assert commands("export", task, "--format", "exp", "--flat").exit_code == 2


def test_flags_count_as_the_fields_that_they_are(commands: Commands) -> None:
    task = commands.task_file(
        "base_runtime: sglang\nmodel: {id_or_path: Qwen/Qwen3-32B}\n"
        "parameters: {tp-size: [2, 4], schedule-policy: [lpm]}\n"
    )
    done = commands("export", task, "--format", "exp")
    assert yaml.safe_load(done.stdout)["imported"]["agg_tp_candidates"] == [2, 4]
    assert "schedule_policy" in done.stderr


def test_a_stored_task_is_exported_by_its_name(commands: Commands) -> None:
    file = commands.task_file(
        "task_name: mine\nbase_runtime: simulated\nmodel: {id_or_path: Qwen/Qwen3-32B}\n"
        "simulation: {surface: qwen3_32b_h200, backend: vllm, isl: 4000, osl: 500}\nparameters: {tp: [1, 2]}\n"
        "optimization: {max_iterations: 1, confirm: {starts: 0}}\nsystem_config: {total_gpus: 8}\n"
        'benchmark: {traffic_scenarios: ["D(4000,500)"], num_concurrency: [16]}\n'
    )
    assert commands("run", file).exit_code == 0
    assert "no task 'yours'" in commands("export", "yours", "--format", "exp").stderr
    refused = commands("export", "mine", "--format", "exp")
    assert refused.exit_code == 2
    assert "aiconfigurator has nothing for simulated" in "\n".join(three_lines(refused.stderr))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "gone.yaml"), "no such file"),
        (("import", str(RUN)), "agg, disagg"),
        (("import", str(RUN / "agg" / "top1" / "run_0.sh")), "launch script"),
        (("import", OLD, "--engine", "vlm"), "'vllm'"),
        (("import", str(RUN / "agg" / "best_config_topn.csv"), "--row", "9"), "3 rows"),
        (("export", "gone.yaml", "--format", "exp"), "no such file"),
        (("export", "notask", "--format", "exp"), "Cannot find the store"),
    ],
)
def test_wrong_input_ends_with_2_and_says_what_to_do(commands: Commands, words: tuple[str, ...], said: str) -> None:
    result = commands(*words)
    assert result.exit_code == 2
    assert said in "\n".join(three_lines(result.stderr))
