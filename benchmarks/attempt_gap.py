"""Time that passes between two attempts: from the end of one's teardown to the launch of the next server.

Runs random search on a task that holds 50 experiments already and counts the gaps of the next 50 (one trivially quick
server each, a measurement of no length), so that nothing but the tuner's own work lies between: storing, scoring,
telling, asking, planning. An attempt ends when its server has been waited for; the next begins right before the next
server is launched.

    python benchmarks/attempt_gap.py [--stored 50] [--measured 50] [--anyway]

Prints median and 90th percentile in milliseconds. Target: a median of at most 100 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from quiet import add_arguments, quiet_machine

from autotuner.config.load import to_data, validate
from autotuner.contracts.attempt import AttemptJob, AttemptReason, Command, Failure, Handle, ServerFacts
from autotuner.contracts.client import BenchmarkClient, ClientSession, OnProgress
from autotuner.contracts.deployment import Deployment, DeploymentStats, Endpoint, OnHandle
from autotuner.contracts.engine import (
    Catalogue,
    CatalogueParameter,
    LaunchRequest,
    Rule,
    Runtime,
    RuntimeInfo,
    Suggestion,
)
from autotuner.contracts.measurement import Distribution, Measurement
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import NewTask
from autotuner.coordinator.loop import Coordinator
from autotuner.executors.inline import InlineExecutor
from autotuner.planning.planner import HostFacts, make_plan
from autotuner.planning.resolve import ModelFile
from autotuner.search.registry import make_strategy
from autotuner.store import open_store

NAMES = ("a", "b", "c", "d", "e", "f")


class QuickEngine:
    """Six parameters of ten values each; the server is a program that only waits."""

    name = "quick"
    aliases: tuple[str, ...] = ()
    server = ServerFacts()
    request_body: Mapping[str, object] = {}
    predicted = False
    own_deployment = "quick"
    own_client = "quick"
    rules: tuple[Rule, ...] = ()
    catalogue = Catalogue(
        engine="quick",
        version="1",
        parameters=tuple(
            CatalogueParameter(name=n, flag=f"--{n}", type="int", low=0, high=9, default=0, ordered=True) for n in NAMES
        ),
    )

    def command(self, launch: LaunchRequest) -> Command:
        return Command(argv=("sleep", "1000", *(f"--{name}={value}" for name, value in launch.parameters.items())))

    def options(self, launch: LaunchRequest) -> Mapping[str, object]:
        return {}

    def check_runtime(self, runtime: Runtime) -> RuntimeInfo:
        return RuntimeInfo("1")

    def read_model(self, path: str) -> Mapping[str, object]:
        return {}

    def suggest(self, model: Mapping[str, object], cores: int | None, concurrency: int) -> Suggestion:
        return Suggestion({}, "none")


class QuickDeployment:
    """Starts `sleep` and notes when each was launched and gone."""

    name = "quick"

    def __init__(self) -> None:
        self.launched: list[float] = []
        self.gone: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        self.launched.append(time.monotonic())
        self._process = await asyncio.to_thread(subprocess.Popen, ["sleep", "1000"])
        handle = Handle(deployment=self.name, fields={"pid": self._process.pid})
        await on_handle(handle)
        return handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        return Endpoint("http://127.0.0.1:1", "m")

    async def failure(self, handle: Handle) -> Failure | None:
        return None

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        return ""

    async def stats(self, handle: Handle) -> DeploymentStats:
        return DeploymentStats()

    async def stop(self, handle: Handle, grace_s: float) -> None:
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None
            self.gone.append(time.monotonic())


class QuickClient:
    """Measures nothing; the figures follow from the experiment's number."""

    name = "quick"

    @asynccontextmanager
    async def open(self, cores: tuple[int, ...] | None) -> AsyncIterator[ClientSession]:
        yield self

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        one = Distribution(count=100, **{name: 0.1 for name in Distribution.model_fields if name != "count"})
        yield Measurement(
            load_point=job.workload.load_points[0].name,
            window_s=1.0,
            ttft=one,
            tpot=one,
            itl=one,
            e2e=one,
            output_throughput=100.0 + job.experiment_number % 17,
            input_throughput=100.0,
            total_throughput=200.0 + job.experiment_number % 17,
            requests_per_second=10.0,
            total_requests=100,
            completed_requests=100,
            error_requests=0,
        )


class QuickPlugins:
    """The two above."""

    def __init__(self, deployment: QuickDeployment) -> None:
        self._deployment = deployment

    def deployment(self, name: str) -> Deployment:
        return self._deployment

    def client(self, name: str) -> BenchmarkClient:
        return QuickClient()


class Silent:
    """Shows nothing."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


async def gaps(experiments: int, strategy: str, folder: Path) -> list[float]:
    """Seconds between attempts, in order."""
    document = validate(
        {
            "task_name": "gap",
            "base_runtime": "quick",
            "model": {"id_or_path": "m"},
            "parameters": {name: list(range(10)) for name in NAMES},
            "optimization": {
                "objective": "maximize_throughput",
                "strategy": strategy,
                "max_iterations": experiments,
                "confirm": {"starts": 0},
            },
            "benchmark": {"traffic_scenarios": ["D(10,10)"], "num_concurrency": [4]},
        }
    )
    plan = make_plan(
        document, engine=QuickEngine(), models=[ModelFile("m", "m", {})], host=HostFacts(cores=(0,)), rng=_Never()
    )
    deployment = QuickDeployment()
    async with open_store(str(folder / "gap.db")) as store:
        task = await store.create_task(NewTask(name="gap", document=to_data(document), fingerprint="gap"))
        coordinator = Coordinator(
            store=store,
            plan=plan,
            strategy=lambda setup: make_strategy(strategy, setup),
            observer=Silent(),
            artefacts=folder,
            host={},
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
        )
        await coordinator.run(task, InlineExecutor().open(QuickPlugins(deployment), client="quick", client_cores=None))
    return [start - end for end, start in zip(deployment.gone, deployment.launched[1:], strict=False)]


class _Never:
    """The planner's randomness, which a space without rules does not need."""

    def random(self) -> float:
        return 0.5

    def randrange(self, stop: int, /) -> int:
        return 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--stored", type=int, default=50)
    parser.add_argument("--measured", type=int, default=50)
    parser.add_argument("--strategy", default="random")
    add_arguments(parser)
    given = parser.parse_args()
    quiet = quiet_machine(anyway=given.anyway, wait=given.wait)
    with quiet, tempfile.TemporaryDirectory() as folder:
        everything = asyncio.run(gaps(given.stored - 1 + given.measured, given.strategy, Path(folder)))
    # With the baseline, `stored` experiments are there before the gap of this index.
    found = everything[given.stored - 1 :]
    middle, tail = 1000 * statistics.median(found), 1000 * statistics.quantiles(found, n=10)[-1]
    print(f"{len(found)} gaps after {given.stored} experiments: median {middle:.1f} ms, p90 {tail:.1f} ms")
    sys.exit(0 if middle <= 100 else 1)


if __name__ == "__main__":
    main()
