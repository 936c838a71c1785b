"""What a large store costs: a task with many stored experiments, and many tasks with a hundred each.

Fills two stores with copies of predicted experiments (one row, one server start and four measurements each), then
times, each in a process of its own: `task list`, `task show`, `results`, reading a task's state, and going on with a
few more experiments (from the call to the first new start, and from one start to the next).

    python benchmarks/stored_experiments.py [--experiments 100000] [--tasks 1000] [--more 20] [--anyway]

Prints seconds and peak memory. The time from one start to the next is printed for a thousandth of the experiments too:
it must not grow with them.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from quiet import add_arguments, quiet_machine
from sqlalchemy import create_engine, insert, select

from autotuner.config.document import TaskDocument
from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.coordinator.ledger import Ledger
from autotuner.services.documents import demo_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from autotuner.store import open_store
from autotuner.store.models import Attempt, Base, Experiment, MeasurementEntry, Task

PER_TASK = 100
PORTION = 5_000


class Watcher:
    """Keeps when each start began."""

    def __init__(self) -> None:
        self.begun: list[float] = []

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.reason is not None and snapshot.phase is None:
            self.begun.append(time.perf_counter())

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


def document(iterations: int) -> TaskDocument:
    sets = ["optimization.strategy=random", "optimization.confirm.starts=0", "benchmark.repeats=2"]
    sets += ["benchmark.num_concurrency=[64,256]", f"optimization.max_iterations={iterations}"]
    return demo_document(sets=sets)


def settings_of(folder: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(folder), "HOME": str(folder)})


def fill(folder: Path, *, experiments: int, tasks: int) -> None:
    """One task of a few predicted experiments, its last one copied until it has so many; the task copied likewise."""
    settings = settings_of(folder)
    asyncio.run(run_task(document(4), settings, Watcher()))
    engine = create_engine(f"sqlite:///{settings.database}")
    with engine.begin() as connection:

        def rows(model: type[Base], **equal: object) -> list[dict[str, Any]]:
            columns = model.__table__.columns
            query = select(*columns).where(*(columns[name] == value for name, value in equal.items()))
            return [dict(row) for row in connection.execute(query.order_by(columns["id"])).mappings()]

        (task,) = rows(Task)
        known = rows(Experiment)
        experiment = known[-1]
        (attempt,) = rows(Attempt, experiment_id=experiment["id"])
        measurements = rows(MeasurementEntry, attempt_id=attempt["id"])
        places = [(1, number) for number in range(len(known), experiments)]
        for number in range(2, tasks + 1):
            connection.execute(insert(Task), [task | {"id": number, "name": f"copy-{number}"}])
            places += [(number, n) for n in range(experiments)]
        first_id, first_attempt = experiment["id"] + 1, attempt["id"] + 1
        for begin in range(0, len(places), PORTION):
            made = [
                (first_id + i, first_attempt + i, owner, number)
                for i, (owner, number) in enumerate(places[begin : begin + PORTION], start=begin)
            ]
            copied = [
                experiment | {"id": one, "task_id": owner, "number": number, "identity": f"copy {number}"}
                for one, _, owner, number in made
            ]
            connection.execute(insert(Experiment), copied)
            starts = [{"experiment_id": one, "task_id": owner} for one, _, owner, _ in made]
            ids = [start for _, start, _, _ in made]
            connection.execute(insert(Attempt), [attempt | s | {"id": i} for s, i in zip(starts, ids, strict=True)])
            for measurement in measurements:
                bare = {name: value for name, value in measurement.items() if name != "id"}
                of_starts = [bare | s | {"attempt_id": i} for s, i in zip(starts, ids, strict=True)]
                connection.execute(insert(MeasurementEntry), of_starts)
    engine.dispose()


def fill_one(folder: Path, experiments: int) -> list[str]:
    return _filled(folder, experiments=experiments, tasks=1)


def fill_several(folder: Path, tasks: int) -> list[str]:
    return _filled(folder, experiments=PER_TASK, tasks=tasks)


def _filled(folder: Path, *, experiments: int, tasks: int) -> list[str]:
    folder.mkdir()
    began = time.perf_counter()
    fill(folder, experiments=experiments, tasks=tasks)
    return [f"filled with {tasks:,} × {experiments:,} experiments in {time.perf_counter() - began:.0f} s"]


def read_state(folder: Path, _: int) -> list[str]:
    """Read what the coordinator needs of the task."""

    async def read() -> int:
        async with open_store(settings_of(folder).database) as store:
            return len((await Ledger.read(store, 1)).experiments)

    began = time.perf_counter()
    count = asyncio.run(read())
    return [f"read {count:,} experiments in {time.perf_counter() - began:.2f} s"]


def go_on(folder: Path, more: int) -> list[str]:
    """Resume the task for a few more experiments."""

    async def stored() -> int:
        async with open_store(settings_of(folder).database) as store:
            return sum((await store.count_experiments(1)).values())

    watcher = Watcher()
    before = asyncio.run(stored())
    began = time.perf_counter()
    asyncio.run(run_task(document(before - 1 + more), settings_of(folder), watcher))
    ended = time.perf_counter()
    gaps = [later - earlier for earlier, later in zip(watcher.begun, watcher.begun[1:], strict=False)]
    first, pace = watcher.begun[0] - began, statistics.median(gaps) * 1000
    return [
        f"{len(watcher.begun)} more after {before:,}: the first began after {first:.2f} s",
        f"then one every {pace:.1f} ms (median); the end took {ended - watcher.begun[-1]:.2f} s",
    ]


def show_list(folder: Path, _: int) -> list[str]:
    return command(folder, "task", "list")


def show_task(folder: Path, _: int) -> list[str]:
    return command(folder, "task", "show", "1")


def show_results(folder: Path, _: int) -> list[str]:
    return command(folder, "results", "1")


def command(folder: Path, *words: str) -> list[str]:
    """Run the command line, and time it."""
    environment = {"AUTOTUNER_DATA_DIR": str(folder), "HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "autotuner", *words], env=environment, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lines = done.stdout.count("\n")
    return [f"autotuner {' '.join(words)}: {lines} lines in {seconds:.2f} s, {peak:.0f} MiB"]


PARTS = (read_state, go_on, show_list, show_task, show_results)
"""Going on comes before what shows the result, which it stores."""


def _report(part: Callable[[Path, int], list[str]], folder: Path, number: int, out: Connection) -> None:
    lines = part(folder, number)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.send([*lines, *([f"peak memory {peak:.0f} MiB"] if part in (read_state, go_on) else [])])


def apart(part: Callable[[Path, int], list[str]], folder: Path, number: int) -> None:
    """Run a part in a process of its own, so that its peak memory is its own, and print what it says."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(part, folder, number, sending))
    process.start()
    sending.close()
    try:
        for line in receiving.recv():
            print("  " + line, flush=True)
    except EOFError:
        sys.exit("a part failed")
    finally:
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description="a store with many experiments")
    parser.add_argument("--experiments", type=int, default=100_000)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--more", type=int, default=20)
    add_arguments(parser)
    given = parser.parse_args()
    with quiet_machine(anyway=given.anyway, wait=given.wait), tempfile.TemporaryDirectory() as base:
        few, many, several = (Path(base) / name for name in ("few", "many", "several"))
        print("one task with few experiments")
        apart(fill_one, few, max(10, given.experiments // 1000))
        apart(go_on, few, given.more)
        for name, folder, filled, number in (
            ("one task with many", many, fill_one, given.experiments),
            ("many tasks", several, fill_several, given.tasks),
        ):
            print(name)
            apart(filled, folder, number)
            for part in PARTS:
                apart(part, folder, given.more)


if __name__ == "__main__":
    main()
