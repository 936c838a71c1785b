"""What the tuner makes of each way in which an engine can misbehave: class, sentence, starts, nothing left."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autotuner.deploy.local.server_log import MOST_BYTES
from cli.command_runner import Commands
from faults.leftovers import working_with

pytestmark = pytest.mark.engine

ENGINE = Path(__file__).with_name("fault_engine.py")
TASK = """
base_runtime: llamacpp
model: {id_or_path: tiny}
parameters: {n_parallel: [1]}
optimization:
  objective: maximize_throughput
  max_iterations: 1
  confirm: {top_k: 0, starts: 0}
  phase_budgets: {start: 4, measure: 20, stop: 0.3}
benchmark:
  traffic_scenarios: ["D(8,8)"]
  num_concurrency: [2]
  max_time_per_iteration: 0.3
  warmup_requests: 1
  request_timeout: 1
"""


@dataclass(frozen=True)
class Expected:
    """``kind``: None for one that is measured. ``words`` stand in the diagnosis."""

    kind: str | None
    words: tuple[str, ...] = ()
    starts: int = 1
    phases: tuple[str, ...] = ("load",)


MODES = {
    "ok": Expected(None),
    "never_ready": Expected("start_timeout", ("not ready after", "503"), 2),
    "dies_at_load": Expected("crash", ("exit code 7", "a last word"), 2),
    "dies_in_benchmark": Expected("crash", ("SIGABRT", "lost its mind"), 2, ("warm_up", "measure")),
    "hangs": Expected("benchmark_timeout", ("D(8,8)@2", "timeout"), 2, ("measure",)),
    "hangs_on_sigterm": Expected(None),
    "forks": Expected(None),
    "fills_log": Expected(None),
    "wrong_model": Expected("missing_model", ("another", "tiny"), 1),
    "port_taken": Expected("port", ("Address already in use",), 3),
    "cannot_fit": Expected("oom", ("1048576.00 MB",), 1),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("executor", ["inline", "subprocess"])
def test_each_way_to_misbehave(tmp_path: Path, mode: str, executor: str) -> None:
    commands = Commands(tmp_path)
    expected = MODES[mode]
    path = commands.task_file(TASK + f"runtime: {{command: [{sys.executable}, {ENGINE}, {mode}]}}\n")
    ended = commands.spawn("run", path, "--json", "--executor", executor)
    shown = json.loads(commands("results", "--json").stdout)
    (experiment,) = shown["experiments"]
    attempts = experiment["attempts"]
    assert attempts == expected.starts, ended.stderr
    if expected.kind is None:
        assert ended.returncode == 0, ended.stderr
        assert experiment["status"] == "success"
    else:
        assert ended.returncode == 2
        failure = experiment["failure"]
        assert failure["kind"] == expected.kind
        for word in expected.words:
            assert word in failure["diagnosis"]
        assert failure["hint"]
        counted = shown["failures"]  # by class and phase; the starts need not have come equally far
        assert {row["kind"] for row in counted} == {expected.kind}
        assert sum(row["starts"] for row in counted) == expected.starts
        assert {row["phase"] for row in counted} <= set(expected.phases)
        assert json.loads(ended.stderr)["error"]["why"] == failure["diagnosis"]
        again_starts = starts_of_another_run(commands, path, executor)
        assert again_starts >= expected.starts + 1, "a task that failed is tried again by hand"
    log = tmp_path / "data/artefacts/task-1/experiment-0000/attempt-01/server.log"
    assert log.stat().st_size <= MOST_BYTES
    assert working_with(tmp_path) == {}


def starts_of_another_run(commands: Commands, path: str, executor: str) -> int:
    commands.spawn("run", path, "--json", "--executor", executor)
    shown: dict[str, Any] = json.loads(commands("results", "--json").stdout)
    starts: int = shown["attempts"]
    return starts
