"""Signals while a task runs: stop, go on, kill, a lost terminal. With real servers."""

import json
import os
import select
import signal
import sys
from pathlib import Path

import pytest
from command_runner import Commands, rest_of, wait_for_line

pytestmark = pytest.mark.engine

TINY = """
model: {id_or_path: tiny}
parameters: {n_parallel: [1, 2, 3, 4], threads: 1}
optimization:
  objective: maximize_throughput
  strategy: grid
  max_iterations: 4
  confirm: {top_k: 1, starts: 2}
benchmark: {traffic_scenarios: ["D(16,8)"], num_concurrency: [2], max_time_per_iteration: 0.5, warmup_requests: 2}
"""


def children_gone(commands: Commands) -> bool:
    """Whether no process works with this test's data folder any more."""
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = status.read_bytes()
        except OSError:
            continue
        if str(commands.folder / "data").encode() in words:
            return False
    return True


def test_stopped_in_the_middle_it_goes_on_where_it_was(commands: Commands) -> None:
    path = commands.task_file(TINY)
    with commands.started("run", path) as process:
        wait_for_line(process, "#1: ")  # the first searched configuration: begun or done
        process.send_signal(signal.SIGINT)
        said = rest_of(process)
        assert process.wait(timeout=60) == 130
    assert "Stopped." in said
    assert f"autotuner run {path}" in said
    assert children_gone(commands)
    shown = json.loads(commands("task", "show", "--json").stdout)
    assert shown["status"] == "cancelled"
    assert shown["experiments"].get("success", 0) >= 1

    ended = commands.spawn("run", path, "--json")
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    finished = [line["experiment"]["number"] for line in lines if line["type"] == "start_finished"]
    result = lines[-1]["result"]
    assert result["status"] == "completed"
    assert [e["number"] for e in result["experiments"]] == list(range(len(result["experiments"])))
    planned = json.loads(commands("plan", path, "--json").stdout)["runs"]["searched"]
    assert sum(e["origin"] == "search" for e in result["experiments"]) == planned > 1
    assert all(e["status"] == "success" for e in result["experiments"])
    searched_again = [line for line in lines if line["type"] == "start_finished" and line["reason"] != "confirm"]
    assert 0 not in [line["experiment"]["number"] for line in searched_again], "the baseline was measured before"
    assert len({line["experiment"]["number"] for line in searched_again}) == len(searched_again)
    assert finished
    identities = [json.dumps(e["parameters"], sort_keys=True) for e in result["experiments"]]
    assert len(set(identities)) == len(identities)
    assert children_gone(commands)

    grid = commands.folder / "grid.json"
    assert commands("report", "--format", "grid", "-o", str(grid)).exit_code == 0
    placed = json.loads(commands("report", "--format", "json", "--grid", str(grid), "-o", "-").stdout)
    assert placed["grid_note"] is None
    assert placed["grid"]["points"] == 4

    log = commands("logs", "--experiment", "0", "--tail", "5")
    assert log.exit_code == 0
    assert log.stdout.startswith("== experiment 0, start 1 (first): success")
    script = commands.folder / "serve.sh"
    assert commands("deploy", "--experiment", "1", "-o", str(script)).exit_code == 0
    assert os.access(script, os.X_OK)
    unit = commands("deploy", "--experiment", "1", "--format", "systemd", "--port", "9001").stdout
    assert "ExecStart=" in unit
    assert "9001" in unit


STUBBORN = """
import os, signal, sys, time
if "--version" in sys.argv:
    sys.exit(print("version: 1"))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "w") as ready:
    ready.write(str(os.getpid()))
time.sleep(3600)
"""


def stubborn_task(commands: Commands, stop_s: float) -> tuple[str, Path]:
    """A task whose server says its pid through a pipe, never answers and does not heed SIGTERM."""
    ready = commands.folder / "ready"
    os.mkfifo(ready)
    server = commands.folder / "stubborn.py"
    server.write_text(STUBBORN)
    text = TINY.replace("max_iterations: 4", f"max_iterations: 1\n  phase_budgets: {{start: 600, stop: {stop_s}}}")
    text += f"runtime: {{command: [{sys.executable}, {server}, {ready}]}}\n"
    return commands.task_file(text), ready


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is not a child of this one."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([descriptor], [], [], 60)
        assert ready, f"process {pid} still runs"
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("executor", ["inline", "subprocess"])
def test_ctrl_c_twice_kills_at_once_and_no_server_is_left(commands: Commands, executor: str) -> None:
    path, ready = stubborn_task(commands, stop_s=600)
    with commands.started("run", path, "--executor", executor) as process:
        pid = int(ready.read_text())
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "Ctrl-C again kills")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 137
    wait_until_gone(pid)


def test_a_lost_terminal_does_not_stop_a_run_but_sigterm_does(commands: Commands) -> None:
    path, ready = stubborn_task(commands, stop_s=0.2)
    for name, executor in (("task", "inline"), ("task-2", "subprocess")):
        with commands.started("run", path, "--new", "--executor", executor) as process:
            pid = int(ready.read_text())
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            said = rest_of(process)
            assert process.wait(timeout=60) == 130
        wait_until_gone(pid)
        assert f"autotuner run {path} --executor {executor} --set task_name={name}\n" in said, (
            "not --new, which would begin again"
        )


def test_json_says_how_to_go_on(commands: Commands) -> None:
    path, ready = stubborn_task(commands, stop_s=0.2)
    with commands.started("run", path, "--json") as process:
        ready.read_text()
        process.send_signal(signal.SIGINT)
        last = json.loads(rest_of(process).splitlines()[-1])
        assert process.wait(timeout=60) == 130
    assert last == {"type": "interrupted", "resume": ["autotuner", "run", path, "--json"]}
