"""A task on the fake engine with a real store: run it, cut it off, run it again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autotuner.config.identity import fingerprint, identity
from autotuner.config.load import to_data, validate
from autotuner.contracts.attempt import AttemptJob, AttemptReason, Failure
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.search import SearchSetup, SearchStrategy
from autotuner.contracts.store import (
    AttemptRow,
    Event,
    ExperimentOrigin,
    ExperimentRecord,
    NewTask,
    Store,
    TaskRecord,
)
from autotuner.contracts.workload import LoadPoint
from autotuner.coordinator.loop import Coordinator
from autotuner.executors.inline import InlineExecutor
from autotuner.planning.plan import Plan
from autotuner.planning.planner import HostFacts, make_plan
from autotuner.planning.resolve import ModelFile
from autotuner.quality.prompts import describe_prompts
from autotuner.search.registry import make_strategy
from autotuner.store import open_store
from conformance.fake_parts import FakeClient, FakeDeployment, FakeEngine, FakePlugins, measurement


def document(**optimization: Any) -> dict[str, Any]:
    """Five searched configurations and two finalists started twice, if nothing else is said."""
    return {
        "task_name": "t",
        "base_runtime": "fake",
        "model": {"id_or_path": "m"},
        "parameters": {"a": [1, 2, 3, 4, 5, 6, 7, 8], "b": [1, 2, 3, 4]},
        "optimization": {
            "objective": "maximize_throughput",
            "strategy": "random",
            "max_iterations": 5,
            "confirm": {"top_k": 2, "starts": 2, "max_starts": 2},
            **optimization,
        },
        "benchmark": {"traffic_scenarios": ["D(10,10)"], "num_concurrency": [4], "max_time_per_iteration": 1},
    }


def configuration(job: AttemptJob) -> tuple[int, int]:
    """The values of a and b that a job starts."""
    a, b = job.options["a"], job.options["b"]
    assert isinstance(a, int)
    assert isinstance(b, int)
    return a, b


def by_size(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    """Throughput grows with a and b, each start a little off in its own way."""
    a, b = configuration(job)
    wobble = 1 + 0.001 * (hash((job.attempt_id, a)) % 7)
    return measurement(point, repeat=repeat, throughput=(100 + 20 * a + 5 * b) * wobble)


class Watcher:
    """Keeps what the observer is told."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.finished: list[tuple[int, AttemptReason]] = []
        self.messages: list[str] = []
        self.said = asyncio.Event()

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        self.finished.append((summary.number, reason))

    def on_message(self, message: str) -> None:
        self.messages.append(message)
        self.said.set()


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, nothing more is written."""


class CuttingStore:
    """Passes everything on, and cuts the run off at the n-th write: before it or right after it."""

    def __init__(self, store: Store, at: int | None, *, after: bool, kill: bool) -> None:
        self._store = store
        self._at = at
        self._after = after
        self._kill = kill
        self.writes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name.startswith(("get_", "find_", "list_", "events")):
            return method

        async def write(*args: Any, **kwargs: Any) -> Any:
            self.writes.append(name)
            here = self._at is not None and len(self.writes) == self._at
            if here and not self._after:
                await self._cut()
            done = await method(*args, **kwargs)
            if here and self._after:
                await self._cut()
            return done

        return write

    async def _cut(self) -> None:
        if self._kill:
            raise Killed
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


class World:
    """One task in one store. ``figures`` of ``client`` and ``hooks`` of ``deployment`` say what happens.

    ``waits``: what it waited for between two starts, seconds.
    """

    def __init__(self, store: Store, folder: Path, seconds_per_start: float = 1.0) -> None:
        self.store = store
        self.deployment = FakeDeployment()
        self.client = FakeClient(by_size)
        self.watcher = Watcher()
        self.waits: list[float] = []
        self.sleep: Callable[[float], Awaitable[None]] = self._note_wait
        self._folder = folder
        self.store_folder = folder.parent
        self._seconds = seconds_per_start
        self.clock: Callable[[], float] | None = None

    def plan(self, data: dict[str, Any]) -> Plan:
        return make_plan(
            validate(data),
            engine=FakeEngine(),
            models=[ModelFile("m", "m", {})],
            host=HostFacts(cores=(0, 1)),
            rng=random.Random(0),
            prompts=describe_prompts(None),
        )

    async def task(self, data: dict[str, Any]) -> TaskRecord:
        checked = validate(data)
        name = checked.task_name or "t"
        known = await self.store.find_task(name)
        if known is not None:
            return known
        described = identity(checked)
        return await self.store.create_task(
            NewTask(name=name, document=to_data(checked), fingerprint=fingerprint(described), identity=described)
        )

    async def run(
        self,
        data: dict[str, Any],
        *,
        store: Store | None = None,
        strategy: Callable[[SearchSetup], SearchStrategy] | None = None,
    ) -> TaskResult:
        """Without a ``clock`` of its own: it goes on by ``seconds_per_start`` with each start, else stands still."""
        plan, task = self.plan(data), await self.task(data)
        before = self._starts()
        coordinator = Coordinator(
            store=store or self.store,
            plan=plan,
            strategy=strategy or (lambda setup: make_strategy(plan.document.optimization.strategy, setup)),
            observer=self.watcher,
            artefacts=self._folder,
            host={"hostname": "here"},
            clock=self.clock or (lambda: self._seconds * (self._starts() - before)),
            now=lambda: datetime.now(UTC),
            sleep=self.sleep,
        )
        opening = InlineExecutor().open(
            FakePlugins(self.deployment, self.client), client=plan.client, client_cores=None
        )
        return await coordinator.run(task, opening)

    async def _note_wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    def _starts(self) -> int:
        return sum(step == "start" for step, _ in self.deployment.steps)

    async def experiments(self) -> list[ExperimentRecord]:
        return await self.store.list_experiments(1)

    async def attempts(self) -> list[AttemptRow]:
        return await self.store.list_attempts(1)

    async def events(self) -> list[Event]:
        return await self.store.events(1)

    async def stored(self) -> TaskRecord:
        return await self.store.get_task(1)

    async def searched(self) -> list[dict[str, Any]]:
        return [dict(e.parameters) for e in await self.experiments() if e.origin is ExperimentOrigin.SEARCH]

    async def starts(self) -> list[tuple[int, AttemptReason, int | None]]:
        numbers = {e.id: e.number for e in await self.experiments()}
        return [(numbers[a.experiment_id], a.reason, a.block) for a in await self.attempts()]

    async def assert_gapless(self) -> None:
        events = await self.events()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))


@asynccontextmanager
async def make_world(folder: Path, seconds_per_start: float = 1.0) -> AsyncIterator[World]:
    async with open_store(str(folder / "tasks.db")) as store:
        yield World(store, folder / "artefacts", seconds_per_start)
