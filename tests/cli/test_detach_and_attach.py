"""Runs in a process of their own, and watching them from another terminal."""

import contextlib
import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_runner import COMMAND, Commands, rest_of, three_lines, wait_for_line
from test_interrupted_run import stubborn_task, wait_until_gone

DEMO = ("demo", "--set", "optimization.confirm.starts=2", "--set", "optimization.max_iterations=200")


@contextlib.contextmanager
def detached(commands: Commands, *words: str) -> Iterator[dict[str, Any]]:
    """What a command says that left its run to another process; that one is ended afterwards."""
    started = commands.spawn(*words, "--detach", "--json")
    assert started.returncode == 0, started.stderr
    said: dict[str, Any] = json.loads(started.stdout)
    assert said["type"] == "detached"
    try:
        yield said
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(said["pid"], signal.SIGTERM)
        wait_until_gone(said["pid"])


def test_a_detached_run_is_watched_to_its_end(commands: Commands) -> None:
    few = ("--set", "optimization.max_iterations=60")
    with detached(commands, *DEMO, *few) as said:
        os.kill(said["pid"], signal.SIGHUP)
        watched = commands.spawn("attach", "--json")
    assert watched.returncode == 0, watched.stderr
    lines = [json.loads(line) for line in watched.stdout.splitlines()]
    assert lines[0]["type"] == "snapshot"
    assert {line["type"] for line in lines} == {"snapshot", "start_finished", "message", "result"}
    assert lines[-1]["fresh"]
    stored = json.loads(commands("results", "demo", "--json").stdout)
    assert lines[-1]["result"] == stored
    assert stored["status"] == "completed"
    log = [json.loads(line) for line in Path(said["log"]).read_text().splitlines()]
    assert log[-1]["result"] == stored, "what the run itself prints is in its log"
    # Once it has ended there is only its result to be shown.
    again = commands("attach", "demo", "--json")
    assert again.exit_code == 0
    assert not json.loads(again.stdout)["fresh"]


def test_a_run_that_cannot_begin_says_so_as_without_detach(commands: Commands) -> None:
    path = commands.task_file(
        "base_runtime: llamacpp\nmodel: {id_or_path: /no/such.gguf}\nparameters: {threads: [1]}\n"
    )
    alone = commands.spawn("run", path)
    started = commands.spawn("run", path, "--detach")
    assert three_lines(started.stderr) == three_lines(alone.stderr)
    assert (started.returncode, started.stdout) == (alone.returncode, alone.stdout) == (2, "")
    assert "needs a task file" in commands("run", "-", "--detach", text="a: 1").stderr


def test_a_finished_task_is_shown_by_a_detached_run_too(commands: Commands) -> None:
    path = commands.task_file(
        "task_name: mine\nbase_runtime: simulated\nmodel: {id_or_path: Qwen/Qwen3-32B}\n"
        "simulation: {surface: qwen3_32b_h200, backend: vllm, isl: 4000, osl: 500}\nparameters: {tp: [1, 2]}\n"
        "optimization: {max_iterations: 1, confirm: {starts: 0}}\n"
        'benchmark: {traffic_scenarios: ["D(4000,500)"], num_concurrency: [16]}\nsystem_config: {total_gpus: 8}\n'
    )
    assert commands("run", path).exit_code == 0
    again = commands.spawn("run", path, "--detach")
    assert again.returncode == 0
    assert "was finished before" in again.stdout


def test_ctrl_c_stops_the_watching_alone(commands: Commands) -> None:
    with detached(commands, *DEMO) as said:
        assert json.loads(commands("task", "pause", "demo", "--json").stdout)["held"]  # so that it does not end
        with commands.started("attach", "demo") as watching:
            wait_for_line(watching, "Stage: ")
            watching.send_signal(signal.SIGINT)
            assert "To watch it again: autotuner attach demo\n" in rest_of(watching)
            assert watching.wait(timeout=60) == 0
        assert Path(f"/proc/{said['pid']}").exists()
        assert json.loads(commands("task", "show", "demo", "--json").stdout)["status"] == "paused"
        with commands.started("attach", "--json") as watching:
            wait_for_line(watching, '"paused": true')
            assert commands("task", "cancel", "demo").exit_code == 0
            last = json.loads(rest_of(watching).splitlines()[-1])
            assert watching.wait(timeout=60) == 130
        assert last == {"type": "interrupted", "resume": ["autotuner", "task", "start", "demo"]}


def test_on_a_terminal_attach_is_live_and_a_killed_run_is_noticed(commands: Commands) -> None:
    with detached(commands, *DEMO) as said:
        assert commands("task", "pause", "demo").exit_code == 0
        ours, theirs = pty.openpty()
        env = {**os.environ, **commands.env, "TERM": "xterm-256color"}
        with subprocess.Popen([*COMMAND, "attach"], env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # the terminal ends with the last process that has it open
                while part := os.read(ours, 65536):
                    shown += part
                    if b"paused" in shown:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(said["pid"], signal.SIGKILL)
            assert process.wait(timeout=60) == 2
        os.close(ours)
    assert b"no process runs the task 'demo'" in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


@pytest.mark.engine
def test_a_detached_run_with_a_server_is_cancelled_and_leaves_none(commands: Commands) -> None:
    path, ready = stubborn_task(commands, stop_s=0.2)
    with detached(commands, "run", path) as said:
        server = int(ready.read_text())
        done = json.loads(commands("task", "cancel", said["task"], "--json").stdout)
        assert done["status"] == "cancelled"
        wait_until_gone(server)
        wait_until_gone(said["pid"])
    assert json.loads(Path(said["log"]).read_text().splitlines()[-1])["type"] == "interrupted"


def test_a_failed_task_is_told_as_its_run_told_it(commands: Commands) -> None:
    path = commands.task_file(
        "task_name: bad\nbase_runtime: simulated\nmodel: {id_or_path: Qwen/Qwen3-32B}\n"
        "simulation: {surface: qwen3_32b_h200, backend: vllm, isl: 4000, osl: 500, crash_share: 1}\n"
        "parameters: {tp: [1, 2]}\noptimization: {max_iterations: 1}\n"
        'benchmark: {traffic_scenarios: ["D(4000,500)"], num_concurrency: [16]}\nsystem_config: {total_gpus: 8}\n'
    )
    ran = commands("run", path)
    watched = commands("attach", "bad")
    assert (ran.exit_code, watched.exit_code) == (2, 2)
    assert three_lines(watched.stderr) == three_lines(ran.stderr)
