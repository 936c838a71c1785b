"""Queued tasks, the processes that serve the queue, and what must be true of a task when it is over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autotuner.config.load import to_data, validate
from autotuner.contracts.attempt import AttemptStatus
from autotuner.contracts.errors import StoreUnavailableError
from autotuner.contracts.store import EventType, ExperimentStatus, NewTask, TaskRecord, TaskStatus
from autotuner.services.documents import demo_document
from autotuner.services.queue import start_task
from autotuner.services.settings import Settings, load_settings
from autotuner.store import SqlStore, check
from worker.fold import FINAL, fold

OWNER = Path(__file__).with_name("owner_process.py")
FAULT_ENGINE = Path(__file__).parents[1] / "faults" / "fault_engine.py"
POLL_S = 0.02


def settings_of(folder: Path, database: str | None = None) -> Settings:
    given = {} if database is None else {"AUTOTUNER_DATABASE_URL": database}
    return load_settings({"AUTOTUNER_DATA_DIR": str(folder / "data"), "HOME": str(folder), **given})


def predictions(iterations: int = 4, *sets: str) -> dict[str, Any]:
    """A document of predictions: whole starts, though of no server."""
    wanted = [
        f"optimization.max_iterations={iterations}",
        "optimization.strategy=random",
        "optimization.confirm.starts=2",
        *sets,
    ]
    return to_data(demo_document(sets=wanted))


def real_servers(iterations: int) -> dict[str, Any]:
    """A document whose servers are real processes, quick ones."""
    return to_data(
        validate(
            {
                "base_runtime": "llamacpp",
                "model": {"id_or_path": "tiny"},
                "runtime": {"command": [sys.executable, str(FAULT_ENGINE), "ok"]},
                "parameters": {"n_parallel": [1, 2, 3, 4, 5, 6, 7, 8], "n_batch": [32, 64, 128, 256, 512]},
                "optimization": {
                    "objective": "maximize_throughput",
                    "strategy": "random",
                    "max_iterations": iterations,
                    "confirm": {"top_k": 1, "starts": 2},
                },
                "benchmark": {
                    "traffic_scenarios": ["D(8,8)"],
                    "num_concurrency": [1],
                    "max_time_per_iteration": 0.2,
                    "warmup_requests": 1,
                },
            },
            name="real",
        )
    )


async def queued(
    store: SqlStore, settings: Settings, document: dict[str, Any], name: str = "t", *, priority: int | None = None
) -> TaskRecord:
    """Store a task as an interface does that cannot plan it, and queue it."""
    document = {**document, "task_name": name}
    task = await store.create_task(NewTask(name=name, document=document, fingerprint="not known yet"))
    return await start_task(store, settings, task.id, priority=priority)


@contextmanager
def process(words: Sequence[str], settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A process of these settings; killed at the end if it still lives."""
    env = {
        **os.environ,
        "AUTOTUNER_DATA_DIR": str(settings.data_dir),
        "AUTOTUNER_DATABASE_URL": settings.database,
        "AUTOTUNER_EXECUTOR": settings.executor,
    }
    with subprocess.Popen([sys.executable, *words], env=env, stderr=subprocess.DEVNULL) as started:
        try:
            yield started
        finally:
            started.kill()


def worker_process(settings: Settings) -> Any:
    """``autotuner worker``; a context manager."""
    return process(("-m", "autotuner", "worker"), settings)


def owner_process(settings: Settings) -> Any:
    """A process with an embedded worker; a context manager."""
    return process((str(OWNER), str(settings.data_dir)), settings)


async def until(store: SqlStore, task_id: int, wanted: Callable[[TaskRecord], bool]) -> TaskRecord:
    """The task as soon as it is as wanted; a database that cannot be read for a moment is asked again."""
    async with asyncio.timeout(300):
        while True:
            try:
                task = await store.get_task(task_id)
            except StoreUnavailableError:
                await asyncio.sleep(POLL_S)
                continue
            if wanted(task):
                return task
            await asyncio.sleep(POLL_S)


async def until_ended(store: SqlStore, task_id: int) -> TaskRecord:
    return await until(store, task_id, lambda task: task.status in FINAL)


async def assert_log_agrees(store: SqlStore, task_id: int) -> None:
    """The event log, folded from its beginning, tells what is stored."""
    task = await store.get_task(task_id)
    told = fold(await store.events(task_id, limit=100_000))
    assert (told.status, told.queued) == (task.status, task.queued_at is not None)
    for experiment in await store.list_experiments(task_id):
        assert told.experiments.get(experiment.id, ExperimentStatus.PENDING) is experiment.status


async def assert_once(store: SqlStore, settings: Settings, task_id: int, planned: int) -> None:
    """A completed task: each experiment was finished once, nothing was measured twice, the database is sound."""
    assert await check(settings.database) == []
    task = await store.get_task(task_id)
    assert task.status is TaskStatus.COMPLETED, task.error
    experiments = await store.list_experiments(task_id)
    attempts = {attempt.id: attempt for attempt in await store.list_attempts(task_id)}
    events = await store.events(task_id, limit=100_000)
    assert [e.number for e in experiments] == list(range(planned))
    assert len({e.identity for e in experiments}) == planned
    assert {e.status for e in experiments} == {ExperimentStatus.SUCCESS}
    ends = Counter(e.experiment_id for e in events if e.type is EventType.EXPERIMENT_COMPLETED)
    assert ends == {e.id: 1 for e in experiments}
    usable = Counter(
        (m.experiment_id, attempts[m.attempt_id].block, m.measurement.load_point, m.measurement.repeat)
        for m in await store.list_measurements(task_id)
        if attempts[m.attempt_id].status in (AttemptStatus.SUCCESS, AttemptStatus.INTERRUPTED)
        and not (m.measurement.disturbed and attempts[m.attempt_id].block is not None)  # repeated on purpose
    )
    assert set(usable.values()) == {1}
    await assert_log_agrees(store, task_id)


async def server_pids(store: SqlStore, task_id: int) -> set[int]:
    """Process numbers of all servers that were started and of what watches over them."""
    found: set[int] = set()
    for attempt in await store.list_attempts(task_id):
        if attempt.handle is not None:
            found |= {int(value) for name, value in attempt.handle.fields.items() if name.endswith("pid") and value}
    return found
