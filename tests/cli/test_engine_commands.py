"""``autotuner engine``: list, show, diff, check, learn."""

import json
import stat
import sys
from pathlib import Path

import pytest
from command_runner import Commands, three_lines


def test_the_list_has_every_catalogue(commands: Commands) -> None:
    listed = {entry["name"]: entry for entry in json.loads(commands("engine", "list", "--json").stdout)}
    assert [one["version"] for one in listed["vllm"]["catalogues"]] == ["0.33.0", "0.32.0"]
    assert listed["sglang"]["catalogues"][0]["flags"] > 500
    assert listed["llamacpp"]["catalogues"][0]["version"] == "2026.10.11549"
    assert not any(one["learned"] for entry in listed.values() for one in entry["catalogues"])
    text = commands("engine", "list").stdout
    assert "Catalogues" in text
    assert "tensorrt-llm" in text


def test_show_of_one_version_one_flag_and_a_search(commands: Commands) -> None:
    shown = json.loads(commands("engine", "show", "vllm", "--version", "0.32", "--json").stdout)
    assert shown["version"] == "0.32.0"
    assert shown["source"]["kind"] == "wheel"
    assert len(shown["source"]["sha256"]) == 64
    tuned = json.loads(commands("engine", "show", "vllm", "--tuned", "--json").stdout)["parameters"]
    assert 10 < len(tuned) < 60
    assert all(entry["commonly_tuned"] for entry in tuned)
    found = json.loads(commands("engine", "show", "sglang", "--search", "radix", "--json").stdout)["parameters"]
    assert "--disable-radix-cache" in {entry["flag"] for entry in found}
    assert len(found) < 40
    one = commands("engine", "show", "vllm", "--", "--enable-prefix-caching").stdout
    assert "--no-enable-prefix-caching" in one
    assert "caution" not in one
    assert "loads code" in commands("engine", "show", "vllm", "trust_remote_code").stdout
    dangerous = json.loads(commands("engine", "show", "vllm", "--dangerous", "--json").stdout)["parameters"]
    assert all(entry["danger"] for entry in dangerous)
    assert "key in the file" in commands("engine", "show", "trtllm", "attn_backend").stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("show", "vlm"), "'vllm'"),
        (("show", "vllm", "--version", "0.1"), "0.33.0, 0.32.0"),
        (("show", "simulated", "--version", "9"), "Name this one"),
        (("show", "vllm", "max-num-seq"), "'max_num_seqs'"),
        (("diff", "vllm", "0.32", "0.99"), "0.33.0, 0.32.0"),
        (("check", "vllm", "vllm serve 'm"), "quotation"),
        (("learn", "vllm", "--python", "/nothing/here"), "bin/python"),
        (("learn", "llamacpp", "--python", "/nothing/here"), "argparse"),
    ],
)
def test_wrong_input_ends_with_2_and_says_what_to_do(commands: Commands, words: tuple[str, ...], named: str) -> None:
    result = commands("engine", *words)
    assert result.exit_code == 2
    assert named in "\n".join(three_lines(result.stderr))


def test_diff_of_two_versions(commands: Commands) -> None:
    result = commands("engine", "diff", "vllm", "0.32", "0.33", "--json")
    told = json.loads(result.stdout)
    assert (told["old"], told["new"]) == ("0.32.0", "0.33.0")
    kinds = {change["kind"] for change in told["changes"]}
    assert {"new", "changed"} <= kinds
    assert "changes" in commands("engine", "diff", "vllm", "0.32", "0.33").stdout
    assert commands("engine", "diff", "vllm", "0.33", "0.33").stdout == "vllm 0.33.0 → 0.33.0: 0 changes\n"


def test_check_of_a_good_command(commands: Commands) -> None:
    result = commands(
        "engine", "check", "vllm", "vllm serve a/model -tp 2 --max-num-seqs 64 --no-enable-prefix-caching"
    )
    assert (result.exit_code, result.stdout) == (0, "vllm 0.33.0: nothing is refused\n")
    words = ("python", "-m", "sglang.launch_server", "--model-path", "m", "--tp-size", "2")
    assert "nothing is refused" in commands("engine", "check", "sglang", "--", *words).stdout
    assert commands("engine", "check", "trtllm", "trtllm-serve m --tp_size 2").exit_code == 0


def test_check_names_what_is_refused_and_what_is_dangerous(commands: Commands) -> None:
    command = "vllm serve m --tensor-parallel 2 --kv-cache-dtype int3 --swap-space 4 --trust-remote-code"
    result = commands("engine", "check", "vllm", command, "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["accepted"] is False
    assert [(problem["kind"], problem["error"]) for problem in told["problems"]] == [
        ("unknown flag", True),
        ("bad value", True),
        ("gone flag", True),
        ("dangerous", False),
    ]
    assert told["problems"][0]["nearest"] == "--tensor-parallel-size"
    text = commands("engine", "check", "vllm", command)
    assert text.exit_code == 2
    assert text.stdout.startswith("vllm 0.33.0: 3 refused\n")
    assert "Did you mean --tensor-parallel-size?" in text.stdout
    assert commands("engine", "check", "vllm", "--version", "0.32", "--", "--disable-prefix-caching").exit_code == 2


def test_learn_writes_a_catalogue_that_is_then_used(commands: Commands, tmp_path: Path) -> None:
    python = tmp_path / "python"
    package = tmp_path / "sglang" / "srt"
    package.mkdir(parents=True)
    (tmp_path / "sglang" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "server_args.py").write_text(
        "class ServerArgs:\n"
        "    @staticmethod\n"
        "    def add_cli_args(parser):\n"
        "        parser.add_argument('--tp-size', '--tensor-parallel-size', type=int, default=1, help='GPUs.')\n"
        "        parser.add_argument('--brand-new', choices=['a', 'b'], help='New.')\n"
    )
    (tmp_path / "sglang-0.5.24.dist-info").mkdir()
    (tmp_path / "sglang-0.5.24.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sglang\nVersion: 0.5.24\n"
    )
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    result = commands("engine", "learn", "sglang", "--python", str(python))
    assert result.exit_code == 0, result.stderr
    assert result.stderr == "sglang 0.5.24: 2 parameters\n"
    place = Path(result.stdout.strip())
    assert place == tmp_path / "data" / "catalogues" / "sglang-0.5.24.json"
    assert commands("engine", "check", "sglang", "--", "--brand-new", "a").exit_code == 0
    assert commands("engine", "check", "sglang", "--version", "0.5.23", "--", "--brand-new", "a").exit_code == 2
    listed = {entry["name"]: entry for entry in json.loads(commands("engine", "list", "--json").stdout)}
    assert [(one["version"], one["learned"]) for one in listed["sglang"]["catalogues"]] == [
        ("0.5.24", True),
        ("0.5.23", False),
    ]
