"""Whole tasks over predicted figures, through every command that reads them."""

import contextlib
import csv
import io
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from command_runner import COMMAND, Commands, three_lines

DEMO = ("demo", "--set", "optimization.max_iterations=3", "--set", "optimization.confirm.starts=2")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A data folder with one finished demonstration."""
    commands = Commands(tmp_path_factory.mktemp("tuned"))
    result = commands(*DEMO, "--report", str(commands.folder / "mine" / "report.html"))
    assert result.exit_code == 0, result.output
    return commands


def files_of(commands: Commands, number: int) -> Path:
    return commands.folder / "data" / "artefacts" / f"task-{number}"


def test_a_run_prints_its_verdict_and_where_its_files_are(commands: Commands) -> None:
    ran = commands.spawn(*DEMO)
    assert ran.returncode == 0
    assert "predicted" in ran.stdout.lower()
    for name in ("report.html", "result.json", "result.csv"):
        path = files_of(commands, 1) / name
        assert str(path) in ran.stdout.replace("\n", "")
        assert path.stat().st_size > 0
    assert "#1" in ran.stderr, "progress is on stderr"
    assert "\x1b" not in ran.stdout + ran.stderr, "no colours into a pipe"


def test_on_a_terminal_progress_is_live_and_the_cursor_comes_back(commands: Commands) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, **commands.env, "TERM": "xterm-256color"}
    with subprocess.Popen([*COMMAND, *DEMO], env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal ends with the last process that has it open
            while part := os.read(ours, 65536):
                shown += part
        assert process.wait(timeout=60) == 0
    os.close(ours)
    assert b"\x1b[?25l" in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert b"starts" in shown


def test_the_reports_agree(tuned: Commands) -> None:
    stored = json.loads((files_of(tuned, 1) / "result.json").read_text())
    shown = json.loads(tuned("results", "demo", "--json").stdout)
    assert shown == stored
    rows = list(csv.DictReader(io.StringIO((files_of(tuned, 1) / "result.csv").read_text())))
    assert [int(row["number"]) for row in rows] == [e["number"] for e in stored["experiments"]]
    for page in (files_of(tuned, 1) / "report.html", tuned.folder / "mine" / "report.html"):
        assert page.read_text().startswith("<!DOCTYPE html>")


def test_reports_are_written_anew_on_request(tuned: Commands) -> None:
    written = tuned("report", "--format", "csv")
    assert Path(written.stdout.strip()) == files_of(tuned, 1) / "result.csv"
    printed = tuned("report", "demo", "--format", "csv", "-o", "-")
    assert printed.stdout.replace("\r\n", "\n") == (files_of(tuned, 1) / "result.csv").read_text()
    target = tuned.folder / "other.json"
    assert json.loads(tuned("report", "--format", "json", "-o", str(target), "--json").stdout)["path"] == str(target)
    assert json.loads(target.read_text())["task_name"] == "demo"
    assert "predictions" in three_lines(tuned("report", "--format", "grid").stderr)[1]


def test_json_of_a_run_is_a_line_per_object(commands: Commands) -> None:
    result = commands(*DEMO, "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert {line["type"] for line in lines[:-1]} == {"snapshot", "start_finished", "message"}
    last = lines[-1]
    assert (last["type"], last["fresh"], last["task"]) == ("result", True, "demo")
    assert set(last["files"]) == {"html", "json", "csv"}
    assert last["result"] == json.loads(Path(last["files"]["json"]).read_text())


def test_a_demo_makes_another_task_each_time_and_tasks_are_deleted(commands: Commands) -> None:
    assert commands(*DEMO).exit_code == 0
    assert commands(*DEMO).exit_code == 0
    listed = json.loads(commands("task", "list", "--json").stdout)
    assert [(task["name"], task["status"]) for task in listed["tasks"]] == [
        ("demo-2", "completed"),
        ("demo", "completed"),
    ]
    assert all(task["headline"] for task in listed["tasks"])
    deleted = commands("task", "delete", "demo-2")
    assert str(files_of(commands, 2)) in deleted.stdout
    assert [task["name"] for task in json.loads(commands("task", "list", "--json").stdout)["tasks"]] == ["demo"]
    assert "tasks: demo" in three_lines(commands("task", "delete", "demo-2").stderr)[1]
    assert json.loads(commands("task", "list", "--status", "failed", "--json").stdout)["total"] == 0


def document(name: str = "mine", iterations: int = 2, text: str = "") -> str:
    return f"""
task_name: {name}
description: {json.dumps(text)}
base_runtime: simulated
model: {{id_or_path: Qwen/Qwen3-32B}}
simulation: {{surface: qwen3_32b_h200, backend: vllm, isl: 4000, osl: 500}}
parameters: {{tp: [1, 2, 4], pp: [1, 2]}}
optimization: {{objective: maximize_throughput, max_iterations: {iterations}, confirm: {{starts: 0}}}}
benchmark: {{traffic_scenarios: ["D(4000,500)"], num_concurrency: [16]}}
system_config: {{total_gpus: 8}}
"""


def test_a_finished_task_is_shown_and_a_larger_budget_goes_on(commands: Commands) -> None:
    path = commands.task_file(document())
    first = commands("run", path)
    assert first.exit_code == 0
    again = commands("run", path)
    assert again.exit_code == 0
    assert "was finished before, so nothing was run" in again.stdout
    assert "Start" not in again.stderr
    more = commands("run", path, "--set", "optimization.max_iterations=4", "--json")
    result = json.loads(more.stdout.splitlines()[-1])
    assert result["fresh"]
    assert sum(e["origin"] == "search" for e in result["result"]["experiments"]) == 4
    assert result["result"]["attempts"] == len(result["result"]["experiments"]), "nothing was measured twice"


def test_a_changed_task_is_refused_and_new_makes_another(commands: Commands) -> None:
    path = commands.task_file(document())
    assert commands("run", path).exit_code == 0
    refused = commands("run", path, "--seed", "9")
    assert refused.exit_code == 2
    assert "--new" in three_lines(refused.stderr)[2]
    made = commands("run", path, "--seed", "9", "--new", "--json")
    assert json.loads(made.stdout.splitlines()[-1])["task"] == "mine-2"


def test_a_task_comes_from_standard_input(commands: Commands) -> None:
    result = commands("run", "-", "--json", text=document())
    assert json.loads(result.stdout.splitlines()[-1])["task"] == "mine"


def test_options_change_the_stored_document(commands: Commands) -> None:
    path = commands.task_file(document())
    ran = commands("run", path, "--budget", "90s", "--seed", "5", "--set", "optimization.max_iterations=1")
    assert ran.exit_code == 0
    stored = json.loads(commands("task", "show", "--json").stdout)["document"]["optimization"]
    assert (stored["budget"]["wall_clock_s"], stored["seed"], stored["max_iterations"]) == (90, 5, 1)


def test_the_plan_is_what_would_run(commands: Commands) -> None:
    path = commands.task_file(document())
    plan = json.loads(commands("plan", path, "--json", "--limit", "100").stdout)
    assert plan["counts"] == {"combinations": 6, "valid": 6, "distinct": 6, "exact": True, "excluded": {}}
    assert {p["name"]: p["origin"] for p in plan["parameters"]}["tp"] == "searched"
    assert plan["runs"]["starts"] == 3
    assert not (commands.folder / "data" / "autotuner.db").exists(), "nothing was stored"
    dry = commands("run", path, "--dry-run")
    assert dry.stdout == commands("plan", path).stdout
    assert "parameters are left at the engine's defaults" in dry.stdout
    every = commands("plan", path, "--all").stdout
    assert all(p["name"] in every for p in plan["parameters"])
    ran = commands("run", path, "--json")
    result = json.loads(ran.stdout.splitlines()[-1])["result"]
    planned = {tuple(entry["command"]["argv"]) for entry in plan["commands"]}
    assert {tuple(e["argv"]) for e in result["experiments"]} <= planned


def test_one_experiment_and_several(tuned: Commands) -> None:
    one = json.loads(tuned("results", "--experiment", "1", "--json").stdout)
    assert one["number"] == 1
    shown = tuned("results", "--experiment", "1").stdout
    assert all(name in shown for name in one["parameters"])
    several = json.loads(tuned("compare", "demo", "0", "2", "--json").stdout)
    assert [entry["number"] for entry in several] == [0, 2]
    assert "#2" in tuned("compare", "demo", "0", "2").stdout
    assert "0 to 3" in three_lines(tuned("compare", "demo", "0", "99").stderr)[1]
    assert tuned("compare", "demo").exit_code == 2


def test_what_a_prediction_has_not(tuned: Commands) -> None:
    assert "started no server" in three_lines(tuned("logs").stderr)[1]
    assert tuned("logs", "--experiment", "99").exit_code == 2
    assert tuned("deploy", "--experiment", "99").exit_code == 2


def test_escapes_in_a_task_do_not_reach_the_terminal(commands: Commands) -> None:
    path = commands.task_file(document(text="\x1b]0;title\x07 and \x9b31m red"))
    assert commands("run", path).exit_code == 0
    for words in (["task", "show"], ["task", "list"], ["results"], ["plan", path]):
        result = commands(*words)
        assert result.exit_code == 0
        assert not {"\x1b", "\x07", "\x9b"} & set(result.output)


def test_a_task_whose_process_died_can_be_deleted(commands: Commands) -> None:
    import asyncio

    from autotuner.contracts.store import EventType, NewEvent, NewTask, TaskStatus
    from autotuner.store.sql_store import open_store

    async def abandon() -> None:
        async with open_store(str(commands.folder / "data" / "autotuner.db")) as store:
            task = await store.create_task(NewTask(name="abandoned", document={}, fingerprint="x"))
            event = NewEvent(type=EventType.TASK_STARTED)
            await store.change_task(task.id, event, expected=[TaskStatus.PENDING], status=TaskStatus.RUNNING)

    asyncio.run(abandon())
    assert commands("task", "delete", "abandoned").exit_code == 0
    assert json.loads(commands("task", "list", "--json").stdout)["tasks"] == []
