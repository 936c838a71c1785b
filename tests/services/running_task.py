"""A task that runs in a process of its own, is stopped at an instant, and what it has stored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.store import ExperimentStatus, TaskStatus
from autotuner.services.settings import Settings
from autotuner.store import check, open_store

PROGRAM = Path(__file__).with_name("task_process.py")


class Running:
    """A running process that prints what it does, a line each."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[str] = []

    def wait_for(self, beginning: str) -> str:
        """The next line with that beginning; fails with all that was said when there is none."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line)
            if line.startswith(beginning):
                return line
        raise AssertionError(f"ended without {beginning!r}: {''.join(self.seen)}")

    def ended(self) -> int:
        """Its exit code; what it said is in ``seen``."""
        assert self.process.stdout is not None
        self.seen += self.process.stdout.readlines()
        return self.process.wait(timeout=60)

    @contextmanager
    def held_still(self) -> Iterator[None]:
        """Stops it for as long as the context lasts."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def running(
    document: Path, data_dir: Path, *, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run the document's task; ``prefix`` stands before the command. Killed at the end if it still lives."""
    with subprocess.Popen(
        [*prefix, sys.executable, str(PROGRAM), str(document), str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(env or {})},
    ) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()


@dataclass(frozen=True)
class Stored:
    """All that a run decides: equal for two runs that went the same way."""

    experiments: list[tuple[Any, ...]]
    attempts: list[tuple[Any, ...]]
    measurements: list[Any]
    events: list[tuple[Any, ...]]


async def stored(settings: Settings, task_id: int = 1) -> Stored:
    """What a database holds of a task, without times."""
    async with open_store(settings.database) as store:
        experiments = await store.list_experiments(task_id)
        attempts = await store.list_attempts(task_id)
        measurements = await store.list_measurements(task_id)
        events = await store.events(task_id)
    return Stored(
        [(e.number, e.origin, e.parameters, e.objective_score, e.status) for e in experiments],
        [(a.experiment_id, a.number, a.reason, a.block, a.status) for a in attempts],
        [(m.attempt_id, m.measurement) for m in measurements],
        [(e.seq, e.type, e.experiment_id) for e in events],
    )


async def assert_whole(settings: Settings, task_id: int = 1) -> None:
    """A finished task: nothing lost, nothing doubled, the database sound."""
    assert await check(settings.database) == []
    async with open_store(settings.database) as store:
        task = await store.get_task(task_id)
        experiments = await store.list_experiments(task_id)
        attempts = await store.list_attempts(task_id)
        measurements = Counter(row.attempt_id for row in await store.list_measurements(task_id))
        events = await store.events(task_id)
    assert task.status is TaskStatus.COMPLETED
    assert [e.number for e in experiments] == list(range(len(experiments)))
    assert len({e.identity for e in experiments}) == len(experiments)
    assert all(e.status is ExperimentStatus.SUCCESS for e in experiments)
    good = [a for a in attempts if a.status is AttemptStatus.SUCCESS]
    assert all(a.status is AttemptStatus.INTERRUPTED for a in attempts if a not in good)
    own = Counter(a.experiment_id for a in good if a.reason is not AttemptReason.CONFIRM)
    interrupted = {a.experiment_id for a in attempts if a not in good}
    assert all(own[e.id] == 1 or (own[e.id] == 0 and e.id in interrupted) for e in experiments)
    rounds = Counter((a.experiment_id, a.block) for a in good if a.reason is AttemptReason.CONFIRM)
    assert set(rounds.values()) <= {1}
    jobs = {a.id: len(a.job.workload.load_points) * a.job.workload.repeats for a in good if a.job is not None}
    assert {a.id: measurements[a.id] for a in good} == jobs
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
