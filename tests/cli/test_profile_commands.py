"""``profile``, ``--profile`` and ``export`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from command_runner import Commands

from autotuner.config.load import validate

TASK = """
model: {id_or_path: tiny}
parameters: {n_ubatch: [64]}
optimization: {max_iterations: 2, confirm: {top_k: 0}}
benchmark: {num_concurrency: [1], max_time_per_iteration: 1, min_requests: 5, warmup_requests: 2}
"""


def test_the_list_says_when_to_take_which(commands: Commands) -> None:
    ran = commands("profile", "list")
    assert ran.exit_code == 0
    for words in ("balanced", "first try or no idea", "high-throughput", "batch, many GPUs", "launch"):
        assert words in ran.stdout
    found = json.loads(commands("profile", "list", "--json").stdout)
    assert [one["name"] for one in found] == [
        "quick-test",
        "balanced",
        "low-latency",
        "high-throughput",
        "cost-optimization",
        "production",
    ]
    assert set(found[0]) == {"name", "description", "use_case", "tags", "recommended_for", "layers_count"}


def test_a_profile_shows_what_it_sets_on_each_engine(commands: Commands) -> None:
    ran = commands("profile", "show", "balanced")
    assert ran.exit_code == 0
    for words in ("balanced-params", "parameters.tp-size", "parameters.n_parallel", "4, 8, 16"):
        assert words in ran.stdout
    shown = json.loads(commands("profile", "show", "balanced", "--engine", "sglang", "--json").stdout)
    assert shown["profile"]["layer_names"] == ["balanced-params"]
    assert shown["engines"]["sglang"]["keys"]["parameters.mem-fraction-static"] == [0.8, 0.85, 0.9]


def test_an_unknown_profile_names_the_nearest(commands: Commands) -> None:
    for words in (("profile", "show", "balancd"), ("plan", commands.task_file(TASK), "--profile", "balancd")):
        ran = commands(*words)
        assert ran.exit_code == 2
        assert "Profile not found" in ran.stderr
        assert "Did you mean 'balanced'?" in ran.stderr


def test_a_wrong_file_is_a_warning(commands: Commands) -> None:
    folder = commands.folder / "data" / "config" / "profiles"
    folder.mkdir(parents=True)
    (folder / "wrong.yaml").write_text("{name: wrong, data: {no_such_key: 1}}")
    (folder / "right.yaml").write_text("{name: right, data: {labels: [a]}}")
    ran = commands("profile", "list")
    assert ran.exit_code == 0
    assert "right" in ran.stdout
    assert "Warning:" in ran.stderr
    assert "no_such_key" in ran.stderr


def test_a_plan_shows_the_layers(commands: Commands) -> None:
    ran = commands("plan", commands.task_file(TASK), "--profile", "low-latency", "--profile", "production")
    assert ran.exit_code == 0, ran.stderr
    for words in ("searched, profile:low-latency:low-latency-params", "profile:production:production-params"):
        assert words in ran.stdout
    plan = json.loads(
        commands(
            "plan", commands.task_file(TASK), "--profile", "low-latency", "--profile", "production", "--json"
        ).stdout
    )
    assert [layer["name"] for layer in plan["layers"]] == [
        "profile:low-latency:low-latency-params",
        "profile:production:production-params",
    ]
    layers = {parameter["name"]: parameter["layer"] for parameter in plan["parameters"]}
    assert layers["n_ubatch"] == "document"
    assert layers["n_parallel"] == "profile:low-latency:low-latency-params"
    assert plan["layers"][1]["keys"]["slo.latency.p90.fail_ratio"] == 0.2


def test_production_alone_is_refused(commands: Commands) -> None:
    ran = commands("plan", commands.task_file("{model: {id_or_path: tiny}, profiles: [production]}"))
    assert ran.exit_code == 2
    assert "Combine it with another one, such as profiles: [balanced, production]" in ran.stderr


def test_a_document_without_profiles_shows_none(commands: Commands) -> None:
    ran = commands("plan", commands.task_file(TASK))
    assert "layer, the weakest first" not in ran.stdout


@pytest.mark.engine
def test_from_the_list_to_a_finished_task_in_two_commands(commands: Commands) -> None:
    assert commands("profile", "list").exit_code == 0
    quick = ("optimization.confirm.top_k=0", "benchmark.max_time_per_iteration=1", "benchmark.min_requests=5")
    ran = commands.spawn("quick", "tiny", "--profile", "quick-test", *(f"--set={change}" for change in quick))
    assert ran.returncode == 0, ran.stderr
    assert "llamacpp has no tp-size and no mem-fraction-static" in ran.stderr
    shown = commands("export", "quick-tiny-quick-test", "--format", "task")
    assert yaml.safe_load(shown.stdout)["parameters"] == {"n_parallel": [1], "n_ubatch": [256]}


def test_both_forms_are_exported(commands: Commands, tmp_path: Path) -> None:
    file = commands.task_file(
        "{base_runtime: vllm, model: {id_or_path: m}, parameters: {tensor-parallel-size: [1, 2], block-size: [16]}}"
    )
    ran = commands("export", file, "--structured")
    assert ran.exit_code == 0
    made = yaml.safe_load(ran.stdout)
    assert made["parallel_config"] == {"tp": [1, 2]}
    assert made["parameters"] == {"block-size": [16]}
    assert "parameters.block-size" in ran.stderr
    target = tmp_path / "structured.json"
    assert commands("export", file, "--structured", "-o", str(target)).exit_code == 0
    assert json.loads(target.read_text()) == made
    back = yaml.safe_load(commands("export", str(target), "--flat").stdout)
    assert back["parameters"] == {"block-size": [16], "tensor_parallel_size": [1, 2]}


def test_an_exported_document_stands_alone(commands: Commands) -> None:
    file = commands.task_file("{model: {id_or_path: tiny}, profiles: [balanced]}")
    made = yaml.safe_load(commands("export", file, "--format", "task").stdout)
    assert "profiles" not in made
    assert made["parameters"]["n_parallel"] == [4, 8, 16]
    assert validate(made).optimization.max_iterations == 15


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("export", "no-such-task"), "Cannot find the store"),
        (("export", "nowhere.yaml"), "cannot be read"),
        (("profile", "show"), "Missing argument"),
    ],
)
def test_what_is_not_there_is_refused(commands: Commands, words: tuple[str, ...], what: str) -> None:
    ran = commands(*words)
    assert ran.exit_code == 2
    assert what in ran.stderr
