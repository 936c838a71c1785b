"""Killed with SIGKILL at a persisted step and run again, a task ends as the unbroken one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("failpoints.py")

SIMULATED = """
task_name: killed
base_runtime: simulated
model: {id_or_path: Qwen/Qwen3-32B}
simulation: {surface: qwen3_32b_h200, backend: vllm, isl: 4000, osl: 500, noise: 0.05, crash_share: 0.3}
parameters: {tp: [1, 2, 4, 8], max_num_batched_tokens: [2048, 8192, 16384], max_num_seqs: [16, 32, 64, 128]}
system_config: {gpu_type: h200_sxm, total_gpus: 8}
optimization:
  objective: maximize_throughput
  max_iterations: 4
  seed: 3
  confirm: {top_k: 2, starts: 2}
benchmark: {traffic_scenarios: ["D(4000,500)"], num_concurrency: [64, 256], repeats: 2}
"""
TINY = """
task_name: killed
base_runtime: llamacpp
model: {id_or_path: tiny}
parameters: {n_parallel: [1, 2, 4]}
optimization:
  objective: maximize_throughput
  strategy: grid
  max_iterations: 1
  confirm: {top_k: 0, starts: 0}
benchmark: {traffic_scenarios: ["D(8,8)"], num_concurrency: [1, 2], max_time_per_iteration: 0.3, warmup_requests: 1}
"""


def kill_everywhere(folder: Path, document: str, first: int, step: int, executor: str = "inline") -> None:
    """Try the instants and fail with all that was wrong after any of them."""
    path = folder / "killed.yaml"
    path.write_text(document)
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), str(path), str(folder), str(first), str(step), executor],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    instants = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(instants) * step > 40, f"only {len(instants)} instants were come by"
    wrong = [instant for instant in instants if instant["problems"]]
    assert not wrong, json.dumps(wrong, indent=1)


@pytest.mark.parametrize("first", [0, 10])
def test_some_steps_on_predictions(tmp_path: Path, first: int) -> None:
    kill_everywhere(tmp_path, SIMULATED, first, 20)


@pytest.mark.slow
def test_every_step_on_predictions(tmp_path: Path) -> None:
    kill_everywhere(tmp_path, SIMULATED, 0, 1)


@pytest.mark.engine
@pytest.mark.parametrize("executor", ["inline", "subprocess"])
def test_some_steps_with_a_real_server(tmp_path: Path, executor: str) -> None:
    kill_everywhere(tmp_path, TINY, 7, 17, executor)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "subprocess"])
def test_every_step_with_a_real_server(tmp_path: Path, executor: str) -> None:
    kill_everywhere(tmp_path, TINY, 0, 1, executor)
