"""``autotuner model show``."""

import json
import shutil
from pathlib import Path

import pytest
from command_runner import Commands, three_lines

CONFIGS = Path(__file__).resolve().parents[1] / "data" / "model_configs"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    made = tmp_path / "Qwen3-235B-A22B"
    made.mkdir()
    shutil.copy(CONFIGS / "qwen3-235b-a22b.json", made / "config.json")
    return str(made)


def test_the_facts(commands: Commands, folder: str) -> None:
    result = commands("model", "show", folder)
    assert result.exit_code == 0, result.output
    for text in ("Qwen3MoeForCausalLM", "235.09 B", "22.19 B", "437.9 GiB", "GQA, 64 heads, 4 of keys", "188.0 KiB"):
        assert text in result.stdout
    assert "layout" not in result.stdout
    tiny = commands("model", "show", "tiny")
    assert tiny.exit_code == 0, tiny.output
    assert "5.0 M; 10 MiB as loaded" in tiny.stdout


def test_the_need_of_each_layout(commands: Commands, folder: str) -> None:
    result = commands("model", "show", folder, "--gpu", "h200_sxm", "--context", "4500")
    assert result.exit_code == 0, result.output
    lines = {line.split("  ")[0].strip(): line for line in result.stdout.splitlines()}
    assert "cannot fit" in lines["TP 2"]
    assert "fits" in lines["TP 8"]
    assert "fits" in lines["DP 8 · EP 8"]
    assert "tp 8 is more than the 4 heads of keys and values" in result.stdout


def test_json(commands: Commands, folder: str) -> None:
    result = commands("model", "show", folder, "--gpu", "h200_sxm", "--gpus", "4", "--weights", "fp8", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["facts"]["experts"]["count"] == 128
    assert told["gpu"]["name"] == "h200_sxm"
    by_label = {entry["label"]: entry for entry in told["layouts"]}
    assert by_label["TP 2"]["fit"]["verdict"] in ("fits", "tight")
    assert by_label["single GPU"]["fit"]["verdict"] == "cannot fit"
    assert max(entry["gpus"] for entry in told["layouts"]) == 4
    assert "times that" in by_label["single GPU"]["fit"]["sentence"]


def test_layouts_that_the_shape_forbids(commands: Commands, tmp_path: Path) -> None:
    made = tmp_path / "odd"
    made.mkdir()
    config = json.loads((CONFIGS / "llama-3.1-8b.json").read_text())
    (made / "config.json").write_text(json.dumps({**config, "num_attention_heads": 20, "num_key_value_heads": 4}))
    result = commands("model", "show", str(made), "--gpu", "l40s")
    assert result.exit_code == 0, result.output
    assert "Left out: 20 attention heads cannot be shared evenly by tp 8" in result.stdout


def test_a_quantised_model(commands: Commands) -> None:
    result = commands("model", "show", str(CONFIGS / "deepseek-v3.json"))
    assert result.exit_code == 0, result.output
    assert "fp8 block, 8 bits per weight (by its config.json)" in result.stdout
    assert "MLA, 128 heads, 512 + 64 values of KV cache" in result.stdout
    assert "Note: the weights of 1 layer that predict further tokens" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpu", "h200_smx"], "Did you mean 'h200_sxm'?"),
        (["--gpu", "h200_sxm", "--engine", "llamacpp"], "Known are"),
        (["--gpu", "h200_sxm", "--context", "50000"], "40960"),
        (["--weights", "fp5"], "fp5"),
        (["--kv", "fp5"], "fp5"),
    ],
)
def test_wrong_input(commands: Commands, folder: str, words: list[str], said: str) -> None:
    result = commands("model", "show", folder, *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in "\n".join(three_lines(result.stderr))


def test_no_model(commands: Commands, tmp_path: Path) -> None:
    result = commands("model", "show", str(tmp_path / "nowhere"))
    assert result.exit_code == 2
    assert "no such folder" in "\n".join(three_lines(result.stderr))
