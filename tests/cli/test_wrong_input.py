"""Wrong input of every kind: a sentence each for what (and where), why and what to do, exit code 2, nothing started."""

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from command_runner import COMMAND, Commands, three_lines

BASE = """
model: {id_or_path: tiny}
parameters: {threads: [1]}
optimization: {max_iterations: 1, confirm: {starts: 0}}
benchmark: {traffic_scenarios: ["D(16,8)"], num_concurrency: [2], max_time_per_iteration: 1}
"""

WRONG = {
    "unknown key": (BASE + "benchmarks: {}\n", "benchmarks", "benchmark"),
    "unknown nested key": (BASE.replace("max_iterations", "max_iteration"), "max_iteration", "max_iterations"),
    "unknown engine": (BASE + "base_runtime: lamacpp\n", "lamacpp", "llamacpp"),
    "unknown client": (BASE.replace("benchmark: {", "benchmark: {engine: buildin, "), "buildin", "builtin"),
    "unknown strategy": (BASE.replace("optimization: {", "optimization: {strategy: bayes, "), "bayes", "bayesian"),
    "unknown flag": (BASE.replace("threads", "thread"), "thread", "threads"),
    "impossible value": (BASE.replace("threads: [1]", "threads: [one]"), "threads", "whole number"),
    "empty space": (BASE.replace("[1]", "[64, 128]") + "runtime: {server_cores: [0]}\n", "parameters", "threads"),
    "contradictory values": (BASE + "deployment_mode: endpoint\n", "deployment_mode", "endpoint_url"),
    "missing model": (BASE.replace("tiny", "missing.gguf"), "missing.gguf", "missing.gguf"),
    "no model": (BASE.replace("id_or_path: tiny", ""), "model.id_or_path", "model"),
    "no YAML": ("a: [1\n", "line", "YAML"),
    "a list": ("- 1\n", "task.yaml", "mapping"),
    "nothing": ("", "task.yaml", "empty"),
}


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_document(commands: Commands, kind: str, command: str) -> None:
    text, place, hint = WRONG[kind]
    result = commands(command, commands.task_file(text))
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = three_lines(result.stderr)
    assert len(result.stderr.splitlines()) == 3, "and nothing else, such as progress"
    assert place in result.stderr
    assert hint in "\n".join(lines)
    assert not (commands.folder / "data" / "artefacts").exists(), "nothing was started"
    assert not (commands.folder / "data" / "autotuner.db").exists(), "nothing was stored"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--set", "optimization.max_iteration=3"], "optimization.max_iteration"),
        (["--set", "nonsense"], "--set"),
        (["--set", "benchmark.num_concurrency.9=1"], "benchmark.num_concurrency.9"),
        (["--grid", "no-grid.json"], "no-grid.json"),
        (["--report", "{folder}"], "it is a folder"),
        (["--executor", "remote"], "there is no executor 'remote'"),
        (["--report", "{folder}/task.yaml/r.html"], "is no folder"),
    ],
)
def test_wrong_options(commands: Commands, words: list[str], expected: str) -> None:
    path = commands.task_file(BASE)
    result = commands("run", path, *(word.replace("{folder}", str(commands.folder)) for word in words))
    assert result.exit_code == 2
    three_lines(result.stderr)
    assert expected in result.stderr
    assert not (commands.folder / "data" / "artefacts").exists()


def test_a_grid_that_is_none(commands: Commands) -> None:
    grid = commands.task_file("{}", "grid.json")
    result = commands("run", commands.task_file(BASE), "--grid", grid)
    assert result.exit_code == 2
    assert "the file is not a grid" in three_lines(result.stderr)[0]


def test_a_task_file_that_is_missing_or_no_text(commands: Commands) -> None:
    assert "no such file" in three_lines(commands("run", "nowhere.yaml").stderr)[1]
    (commands.folder / "b.yaml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in three_lines(commands("run", str(commands.folder / "b.yaml")).stderr)[1]


DEMO = ("demo", "--set", "optimization.max_iterations=2")


def test_an_unreadable_database(commands: Commands) -> None:
    wrong = commands.folder / "notes.txt"
    wrong.write_text("these are notes, and no database at all")
    for path, why in ((wrong, "not a SQLite database"), (commands.folder, "it is a folder")):
        for words in (DEMO, ("run", commands.task_file(BASE)), ("results",)):
            result = commands(*words, "--database", str(path))
            assert result.exit_code == 2
            lines = three_lines(result.stderr)
            assert str(path) in lines[0]
            assert why in lines[1]
    assert wrong.read_text() == "these are notes, and no database at all"
    assert not (commands.folder / "data" / "artefacts").exists()


def test_a_locked_database(commands: Commands) -> None:
    assert commands("db", "upgrade").exit_code == 0
    path = commands.folder / "data" / "autotuner.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = commands(*DEMO)
        other.execute("ROLLBACK")
    assert result.exit_code == 2
    lines = three_lines(result.stderr)
    assert str(path) in lines[0]
    assert "another program has held its write lock" in lines[1]
    assert not (commands.folder / "data" / "artefacts").exists()
    assert commands(*DEMO).exit_code == 0, "and it works when the other program has ended"


ENDPOINT = """
deployment_mode: endpoint
model: {served_name: mock}
deployment: {endpoint_url: "http://127.0.0.1:PORT"}
optimization: {max_iterations: 1, retries: 0, confirm: {starts: 0}, phase_budgets: {start: 2, measure: 20, stop: 1}}
benchmark:
  traffic_scenarios: ["D(16,8)"]
  num_concurrency: [2]
  max_time_per_iteration: 1
  warmup_requests: 1
  request_timeout: 2
"""


def test_an_endpoint_that_refuses(commands: Commands) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # not listening: connections are refused, and nobody else takes the port
        port = str(unused.getsockname()[1])
        result = commands("run", commands.task_file(ENDPOINT.replace("PORT", port)))
    assert result.exit_code == 2
    assert f"127.0.0.1:{port}" in " ".join(three_lines(result.stderr))
    assert commands("task", "show", "task", "--json").exit_code == 0


@pytest.fixture
def failing_server() -> Iterator[str]:
    """The port of a server that answers each completion with status 500."""
    words = [*COMMAND, "mock-server", "--fault", "error_500"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield line.partition("http://127.0.0.1:")[2].partition('"')[0]
        process.terminate()


def test_an_endpoint_that_gives_only_errors(commands: Commands, failing_server: str) -> None:
    result = commands("run", commands.task_file(ENDPOINT.replace("PORT", failing_server)))
    assert result.exit_code == 2
    lines = three_lines(result.stderr)
    assert "no configuration could be measured" in lines[0]
    assert "500" in lines[1]
    (count,) = json.loads(commands("task", "show", "--json").stdout)["failures"]
    assert (count["kind"], count["phase"], count["starts"], count["recovered"]) == ("unreachable", "load", 3, 0)
    assert "3 × unreachable (load; 1 configuration)" in commands("task", "show").stdout
    assert "3 × unreachable (load; 1 configuration)" in commands("results").stdout
    shown = commands("results", "--experiment", "0").stdout
    assert "unreachable (load): http://127.0.0.1:" in shown
    assert "What to do: " in shown


@pytest.mark.engine
def test_a_server_that_never_answers(commands: Commands) -> None:
    server = commands.folder / "silent.py"
    marker = commands.folder / "pids"
    server.write_text(
        "import os, sys, time\n"
        "if '--version' in sys.argv: sys.exit(print('version: 1'))\n"
        f"open({str(marker)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "print('loading', flush=True)\n"
        "time.sleep(3600)\n"
    )
    text = BASE.replace("confirm:", "retries: 0, phase_budgets: {start: 1, measure: 20, stop: 1}, confirm:")
    text += f"runtime: {{command: [{sys.executable}, {server}]}}\n"
    result = commands("run", commands.task_file(text))
    assert result.exit_code == 2
    lines = three_lines(result.stderr)
    assert "no configuration could be measured" in lines[0]
    started = marker.read_text().split()
    assert started
    assert not [pid for pid in started if Path("/proc", pid).exists()], "no server is left"
    assert "loading" in commands("logs").stdout
