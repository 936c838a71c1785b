"""Tasks whose attempts run in a process of their own, and what the death of either process leaves."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autotuner.config.load import dump, validate
from autotuner.contracts.attempt import AttemptReason, AttemptStatus, FailureClass, Phase
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.store import ExperimentStatus, TaskStatus
from autotuner.deploy.local import processes
from autotuner.deploy.local.processes import Process
from autotuner.executors.process.parent import MODULE
from autotuner.services.documents import demo_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from autotuner.store import open_store

LIMIT_S = 60
REAL: dict[str, Any] = {
    "task_name": "real",
    "model": {"id_or_path": "tiny"},
    "parameters": {"n_batch": [256, 512]},
    "optimization": {
        "objective": "maximize_throughput",
        "strategy": "random",
        "max_iterations": 1,
        "confirm": {"starts": 0},
    },
    "benchmark": {
        "traffic_scenarios": ["D(16,8)"],
        "num_concurrency": [2],
        "max_time_per_iteration": 1,
        "warmup_requests": 2,
    },
}


class Silent:
    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    given = {"AUTOTUNER_DATA_DIR": str(tmp_path), "HOME": str(tmp_path), "AUTOTUNER_EXECUTOR": "subprocess"}
    return load_settings(given)


def child_of(pid: int) -> Process:
    """The process of the attempts that a process has started."""
    root = processes.find(pid)
    assert root is not None
    (found,) = [
        p for p in processes.descendants(root) if MODULE in Path(f"/proc/{p.pid}/cmdline").read_text().split("\0")
    ]
    return found


def servers_of(child: Process) -> set[Process]:
    """What it has started outside of its own session, without the supervisors, which end right after their servers."""
    apart = {process for process in processes.descendants(child) if os.getsid(process.pid) != child.pid}
    return {p for p in apart if b"supervisor" not in Path(f"/proc/{p.pid}/cmdline").read_bytes()}


async def test_the_result_is_that_of_attempts_in_the_same_process(settings: Settings, tmp_path: Path) -> None:
    def figures(result: TaskResult) -> list[Any]:
        return [result.headline, [(e.parameters, e.metrics, e.score) for e in result.experiments]]

    document = demo_document(sets=["optimization.max_iterations=4", "optimization.confirm.starts=2"])
    found = await run_task(document, settings, Silent())
    inline = replace(settings, executor="inline", data_dir=tmp_path / "2", database=str(tmp_path / "2" / "tasks.db"))
    expected = await run_task(document, inline, Silent())
    assert found.task.status is TaskStatus.COMPLETED
    assert figures(found.result) == figures(expected.result)


class Killer(Silent):
    """Kills the process of the attempts while experiment 1 is measured for the first time."""

    def __init__(self) -> None:
        self.servers: set[Process] = set()
        self.left: list[Process] | None = None
        self.cores: tuple[set[int], set[int]] | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.experiment == 1 and snapshot.phase is Phase.MEASURE and not self.servers:
            child = child_of(os.getpid())
            self.servers = servers_of(child)
            self.cores = (os.sched_getaffinity(child.pid), os.sched_getaffinity(0))
            processes.send(child, signal.SIGKILL)

    def on_message(self, message: str) -> None:
        if ": again " in message:
            self.left = [process for process in self.servers if processes.alive(process)]


@pytest.mark.engine
async def test_the_death_of_the_process_costs_one_start(settings: Settings) -> None:
    killer = Killer()
    outcome = await run_task(validate(REAL), settings, killer)
    assert killer.servers
    assert killer.cores is not None
    assert killer.cores[0] == killer.cores[1], "both keep off the server's cores"
    assert killer.left == [], "its server was gone when the end of the start was told"
    assert outcome.result.status is TaskStatus.COMPLETED
    assert [e.status for e in outcome.result.experiments] == [ExperimentStatus.SUCCESS] * 2
    async with open_store(settings.database) as store:
        baseline, broken, again = await store.list_attempts(1)
        assert len(await store.list_measurements(1)) == 2
    assert baseline.status is AttemptStatus.SUCCESS
    assert (broken.status, broken.handle is not None) == (AttemptStatus.FAILED, True)
    assert broken.failure is not None
    assert broken.failure.kind is FailureClass.INFRASTRUCTURE
    assert broken.failure.diagnosis == "the process that ran the attempt ended with signal SIGKILL"
    assert (again.reason, again.status) == (AttemptReason.RETRY, AttemptStatus.SUCCESS)
    assert again.experiment_id == broken.experiment_id


def lines(running: subprocess.Popen[str]) -> Iterator[str]:
    assert running.stdout is not None
    for line in running.stdout:
        yield line.rstrip()
    raise AssertionError("it has ended")


@pytest.mark.engine
def test_the_death_of_the_tuner_takes_the_process_and_the_server_along(settings: Settings, tmp_path: Path) -> None:
    document = tmp_path / "real.yaml"
    document.write_text(dump(validate(REAL)))
    command = [sys.executable, str(Path(__file__).with_name("task_process.py")), str(document), str(tmp_path)]
    env = {**os.environ, "AUTOTUNER_EXECUTOR": "subprocess"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as running:
        try:
            assert "phase measure 0" in lines(running)
            running.send_signal(signal.SIGSTOP)  # so that it is killed in this start, however long the next lines take
            child = child_of(running.pid)
            assert servers_of(child)
            started = {process.pid: os.pidfd_open(process.pid) for process in processes.descendants(child)}
        finally:
            running.kill()
    try:
        for pid, descriptor in started.items():
            assert select.select([descriptor], [], [], LIMIT_S)[0], f"process {pid} outlived the tuner"
    finally:
        for descriptor in started.values():
            os.close(descriptor)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as running:
        assert "result completed True" in lines(running)
    attempts = asyncio.run(stored_attempts(settings))
    assert [attempt.reason for attempt in attempts].count(AttemptReason.RESUME) == 1


async def stored_attempts(settings: Settings) -> list[Any]:
    async with open_store(settings.database) as store:
        return list(await store.list_attempts(1))
