"""A tuner of a real engine that is killed at random moments, again and again, and run again each time."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptStatus
from autotuner.contracts.store import EventType, ExperimentStatus
from autotuner.store import check, open_store
from faults.leftovers import wait_for_ends, working_with

pytestmark = pytest.mark.engine

TASK = """
task_name: killed
model: {id_or_path: tiny}
parameters: {n_parallel: [1, 2, 3, 4, 5, 6, 7, 8], cache_type: [f16, q8_0], n_batch: [32, 64, 512]}
optimization:
  objective: maximize_throughput
  strategy: random
  max_iterations: 20
  confirm: {top_k: 1, starts: 2}
benchmark:
  traffic_scenarios: ["D(8,8)"]
  num_concurrency: [1, 2]
  max_time_per_iteration: 0.3
  warmup_requests: 1
"""
PLANNED = 21


@pytest.mark.parametrize(
    ("executor", "kills"),
    [
        ("inline", 4),
        ("subprocess", 3),
        pytest.param("inline", 30, marks=pytest.mark.slow),
        pytest.param("subprocess", 30, marks=pytest.mark.slow),
    ],
)
async def test_every_experiment_is_finished_exactly_once(tmp_path: Path, executor: str, kills: int) -> None:
    path = tmp_path / "task.yaml"
    await asyncio.to_thread(path.write_text, TASK)
    command = [sys.executable, "-m", "autotuner", "run", str(path), "--json", "--executor", executor]
    killed, reported = await asyncio.to_thread(kill_and_run_again, command, tmp_path, kills)
    assert killed == kills, "the task was at its end too soon: the test shows less than it says"

    database = str(tmp_path / "data" / "autotuner.db")
    assert await check(database) == []
    async with open_store(database) as store:
        experiments = await store.list_experiments(1)
        attempts = {attempt.id: attempt for attempt in await store.list_attempts(1)}
        measurements = await store.list_measurements(1)
        events = await store.events(1, limit=100_000)
    assert len(experiments) == PLANNED
    assert {e.status for e in experiments} == {ExperimentStatus.SUCCESS}
    ends = Counter(e.experiment_id for e in events if e.type is EventType.EXPERIMENT_COMPLETED)
    assert ends == {e.id: 1 for e in experiments}
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    # A disturbed start of the confirmation is repeated on purpose.
    disturbed = {
        m.attempt_id for m in measurements if m.measurement.disturbed and attempts[m.attempt_id].block is not None
    }
    usable = Counter(
        (m.experiment_id, attempts[m.attempt_id].block, m.measurement.load_point)
        for m in measurements
        if attempts[m.attempt_id].status in (AttemptStatus.SUCCESS, AttemptStatus.INTERRUPTED)
        and m.attempt_id not in disturbed
    )
    assert set(usable.values()) == {1}, "no measurement was taken twice"
    assert len({e.identity for e in experiments}) == len(experiments)
    assert Counter(reported) <= Counter({e.number: 1 for e in experiments}), "none was reported twice"


def kill_and_run_again(command: list[str], folder: Path, kills: int) -> tuple[int, list[int]]:
    """Kill a run at a random moment so many times, then let it end; the kills, and what all of them reported."""
    rng = random.Random(kills)
    env = {**os.environ, "AUTOTUNER_DATA_DIR": str(folder / "data")}
    reported: list[int] = []
    for killed in range(kills + 1):
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                # The first second is spent on starting the interpreter.
                out, errors = process.communicate(timeout=rng.uniform(1.0, 3.5) if killed < kills else 300)
            except subprocess.TimeoutExpired:
                process.kill()
                out, _ = process.communicate()
                reported += finished(out)
                wait_for_ends(list(working_with(folder)))
                assert working_with(folder) == {}
                continue
        assert process.returncode == 0, errors
        return killed, reported + finished(out)
    raise AssertionError("the last run did not end")


def finished(out: str) -> list[int]:
    """Numbers of the experiments that a run reported as finished; a line that was cut off does not count."""
    numbers = []
    for line in out.splitlines(keepends=True):
        if line.endswith("\n"):
            told = json.loads(line)
            if told["type"] == "start_finished" and told["reason"] != "confirm":
                numbers.append(told["experiment"]["number"])
    return numbers
