"""``autotuner preset``: what each command prints, and how it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from command_runner import Commands, three_lines


def read(commands: Commands, *words: str, text: str | None = None) -> Any:
    """The JSON that a command prints."""
    result = commands("preset", *words, "--json", text=text)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_list_begins_with_those_that_come_with_the_program(commands: Commands) -> None:
    assert [one["slug"] for one in read(commands, "list")] == [
        "memory-efficient",
        "high-throughput",
        "low-latency",
        "balanced",
    ]
    text = commands("preset", "list").stdout
    assert "comes with the program" in text
    assert "tp-size" in text
    assert [one["slug"] for one in read(commands, "list", "--tag", "latency")] == ["low-latency"]
    assert read(commands, "list", "--category", "nothing") == []


def test_a_preset_from_its_making_to_its_end(commands: Commands) -> None:
    made = read(
        commands,
        "create",
        "Team A",
        *("-p", "tp-size=[4, 8]"),
        *("-p", "mem-fraction-static=[0.85]"),
        *("--category", "performance"),
        *("--runtime", "sglang"),
        *("--tag", "chat"),
        *("--set", "metadata.author=me"),
    )
    assert (made["slug"], made["parameters"]["tp-size"], made["warnings"]) == ("team-a", [4, 8], [])
    assert made["metadata"] == {"author": "me", "tags": ["chat"], "recommended_for": []}
    shown = commands("preset", "show", "Team A").stdout
    assert "revision" in shown
    assert "sglang" in shown
    changed = commands("preset", "edit", "team-a", "-p", "tp-size=[4]", "--rename", "Team B")
    assert changed.stdout == "Changed the preset team-a (number 5, revision 2).\n"
    nothing = commands("preset", "edit", "team-a", "-p", "tp-size=[4]")
    assert nothing.stdout.startswith("Nothing changed in")
    assert [one["number"] for one in read(commands, "history", "team-a")] == [1, 2]
    assert "created" in commands("preset", "history", "team-a").stdout
    differences = read(commands, "diff", "team-a", "1", "2")
    assert [one["place"] for one in differences] == ["name", "parameters.tp-size"]
    assert "parameters.tp-size" in commands("preset", "diff", "team-a", "1").stdout
    assert commands("preset", "diff", "team-a", "2").stdout == "Nothing differs.\n"
    back = commands("preset", "rollback", "team-a", "1")
    assert back.stdout == "The preset team-a is as in revision 1 (now revision 3).\n"
    assert read(commands, "show", "team-a")["name"] == "Team A"
    assert "Team A (copy)" in json.dumps(read(commands, "duplicate", "team-a"))
    figures = read(commands, "analytics", "team-a")
    assert (figures["tasks"], figures["success_rate"]) == (0, None)
    assert "0 succeeded" in commands("preset", "analytics", "team-a").stdout
    assert commands("preset", "delete", "team-a").stdout == "Deleted the preset team-a.\n"
    assert read(commands, "list", "--name", "team") == [read(commands, "show", "team-a-copy")]


def test_merging(commands: Commands) -> None:
    merged = read(commands, "merge", "high-throughput", "memory-efficient")
    assert merged["parameters"] == {"tp-size": [1, 2, 4], "mem-fraction-static": [0.7, 0.75, 0.9]}
    text = commands("preset", "merge", "high-throughput", "memory-efficient", "--strategy", "last_wins").stdout
    assert "memory-efficient is the last" in text
    none = commands("preset", "merge", "1", "2", "--strategy", "intersection")
    assert none.exit_code == 0
    assert "No common values in intersection" in none.stderr
    saved = read(commands, "merge", "high-throughput", "balanced", "--override", "tp-size=last_wins", "--save", "Wide")
    assert saved["saved"] == "wide"
    wide = read(commands, "show", "wide")
    assert (wide["parameters"]["tp-size"], wide["runtime"]) == ([1, 2], "sglang")
    there = read(commands, "merge", "low-latency", "balanced", "--engine", "vllm")
    assert there["runtime"] == "vllm"
    assert any("schedule-policy" in warning for warning in there["warnings"])


def test_files(commands: Commands) -> None:
    out = commands.folder / "out"
    out.mkdir()
    written = commands("preset", "export", "balanced", "-o", str(out))
    assert written.stdout.strip() == str(out / "preset-balanced.json")
    printed = commands("preset", "export", "balanced").stdout
    assert (out / "preset-balanced.json").read_text(encoding="utf-8") == printed
    blocks = json.loads(commands("preset", "export", "balanced", "--structured").stdout)
    assert blocks["preset"]["config"]["parallel_config"] == {"tp": [1, 2]}
    taken = commands("preset", "import", str(out / "preset-balanced.json"))
    assert taken.exit_code == 2
    assert "rename or replace" in "\n".join(three_lines(taken.stderr))
    renamed = read(commands, "import", str(out / "preset-balanced.json"), "--on-conflict", "rename")
    assert (renamed["name"], renamed["is_system"]) == ("Balanced (2)", False)
    piped = read(commands, "import", "-", text=json.dumps({"version": "1.0", "preset": {
        "name": "Piped", "parameters": {"tp": [1]}}}))  # fmt: skip
    assert piped["slug"] == "piped"


def test_another_engine(commands: Commands) -> None:
    made = read(commands, "show", "low-latency", "--engine", "vllm")
    assert list(made["parameters"].values()) == [[1, 2]]
    assert len(made["left_out"]) == 1
    text = commands("preset", "show", "low-latency", "--engine", "llamacpp").stdout
    assert "a task that names it is refused" in text
    ranked = read(commands, "suggest", "--engine", "sglang", "--gpus", "1")
    assert ranked[0]["preset"] == "memory-efficient"
    assert "made for sglang" in commands("preset", "suggest", "--engine", "sglang").stdout
    assert commands("preset", "suggest").stdout == "No preset can be used there.\n"


def test_a_task_that_names_presets_is_planned(commands: Commands) -> None:
    file = commands.task_file(
        "base_runtime: sglang\nmodel: {id_or_path: owner/model}\npresets: [high-throughput, memory-efficient]\n"
    )
    plan = json.loads(commands("plan", file, "--json").stdout)
    layers = {p["name"]: p["layer"] for p in plan["parameters"] if p["origin"] == "searched"}
    assert set(layers.values()) == {"preset:high-throughput+memory-efficient"}
    assert plan["counts"]["combinations"] == 9
    text = commands("plan", file).stdout
    assert "searched, preset:high-throughput+memory-efficient" in text.replace("\n", " ") or "preset:" in text
    wrong = commands("plan", file, "--set", "presets=[nobody]")
    assert wrong.exit_code == 2
    assert "Preset not found" in "\n".join(three_lines(wrong.stderr))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("show", "balancd"), "'balanced'"),
        (("show", "nobody"), "preset list"),
        (("delete", "balanced"), "Cannot delete system preset"),
        (("edit", "balanced", "-p", "tp-size=[1]"), "Cannot edit system preset"),
        (("rollback", "balanced", "1"), "Cannot edit system preset"),
        (("merge", "balanced", "low-latency", "--strategy", "newest"), "Invalid merge strategy"),
        (("create", "X", "-p", "tp-size=4"), "not an array"),
        (("create", "X", "-p", "tp-size"), "KEY=VALUE"),
        (("create", "X"), "holds no parameter"),
        (("create", "Balanced", "-p", "tp-size=[4]"), "already a preset of that name"),
        (("create", "X", "-p", "a=[1]", "--runtime", "vlm"), "vllm"),
        (("import", "/nowhere/at/all.json"), "cannot be read"),
        (("diff", "balanced", "1", "9"), "no revision 9"),
        (("export", "balanced", "-o", "/proc/no/such.json"), "proc"),
        (("suggest", "--engine", "vlm"), "vllm"),
        (("list", "--runtime", "vlm"), "vllm"),
    ],
)
def test_wrong_input_ends_with_2_and_says_what_to_do(commands: Commands, words: tuple[str, ...], named: str) -> None:
    result = commands("preset", *words)
    assert result.exit_code == 2
    assert named in "\n".join(three_lines(result.stderr))


def test_an_error_in_json(commands: Commands) -> None:
    result = commands("preset", "show", "nobody", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["code"] == "not_found"
