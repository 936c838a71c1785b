"""An engine, a deployment and a client that run in the test itself and do what it tells them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from autotuner.contracts.attempt import (
    AttemptJob,
    AttemptReason,
    Command,
    Failure,
    FailureClass,
    Handle,
    PhaseBudgets,
    ServerFacts,
)
from autotuner.contracts.client import BenchmarkClient, ClientError, ClientSession, OnProgress
from autotuner.contracts.deployment import Deployment, DeploymentError, DeploymentStats, Endpoint, OnHandle
from autotuner.contracts.engine import (
    Catalogue,
    CatalogueParameter,
    LaunchRequest,
    ModelFormat,
    Rule,
    Runtime,
    RuntimeInfo,
    Suggestion,
)
from autotuner.contracts.measurement import Distribution, LiveFigures, Measurement
from autotuner.contracts.neutral import NeutralTable
from autotuner.contracts.values import Scalar
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic, Workload

Hook = Callable[[AttemptJob], Awaitable[None]]


def load_point(concurrency: int = 4) -> LoadPoint:
    length = Length(mean=10)
    traffic = Traffic(text="D(10,10)", parts=((1.0, Scenario(text="D(10,10)", prompt=length, output=length)),))
    return LoadPoint(traffic=traffic, concurrency=concurrency)


def make_job(folder: Path, *, attempt_id: int = 1, points: int = 2, **changes: object) -> AttemptJob:
    job = AttemptJob(
        task_id=1,
        task_name="t",
        experiment_id=1,
        experiment_number=0,
        attempt_id=attempt_id,
        reason=AttemptReason.FIRST,
        deployment="fake",
        client="fake",
        command=Command(argv=("serve",)),
        served_name="m",
        server=ServerFacts(),
        workload=Workload(load_points=tuple(load_point(1 + n) for n in range(points))),
        budgets=PhaseBudgets(start_s=60, measure_s=60, stop_s=1),
        artefact_dir=str(folder / f"attempt-{attempt_id}"),
    )
    return job.model_copy(update=changes)


def failure(kind: FailureClass, diagnosis: str = "it broke") -> Failure:
    return Failure(kind=kind, diagnosis=diagnosis, hint="mend it")


def distribution(mean: float) -> Distribution:
    return Distribution(count=10, **{name: mean for name in Distribution.model_fields if name != "count"})


def measurement(
    point: LoadPoint,
    *,
    repeat: int = 0,
    throughput: float = 100.0,
    ttft: float = 0.1,
    completed: int = 10,
    errors: int = 0,
    warmup_s: float = 0.0,
    error_codes: Mapping[str, int] | None = None,
) -> Measurement:
    figures = distribution(ttft) if completed else None
    return Measurement(
        load_point=point.name,
        repeat=repeat,
        concurrency=point.concurrency,
        window_s=1.0,
        warmup_s=warmup_s,
        ttft=figures,
        tpot=None if figures is None else distribution(ttft / 10),
        itl=figures,
        e2e=None if figures is None else distribution(2 * ttft),
        output_throughput=throughput / 2,
        input_throughput=throughput / 2,
        total_throughput=throughput,
        requests_per_second=10.0,
        total_requests=completed + errors,
        completed_requests=completed,
        error_requests=errors,
        error_codes=dict(error_codes or {}),
    )


class FakeDeployment:
    """``steps`` holds what was called for which attempt; ``hooks`` are awaited at a step; ``running``: live servers.

    ``dead``: why the server of an attempt is dead.
    """

    name = "fake"

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.hooks: dict[str, Hook] = {}
        self.running: set[int] = set()
        self.dead: dict[int, Failure] = {}
        self.jobs: dict[int, AttemptJob] = {}
        self.grace: list[float] = []

    async def _at(self, step: str, attempt: int) -> None:
        self.steps.append((step, attempt))
        if step in self.hooks:
            await self.hooks[step](self.jobs[attempt])

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        self.jobs[job.attempt_id] = job
        await self._at("start", job.attempt_id)
        self.running.add(job.attempt_id)
        handle = Handle(deployment=self.name, fields={"attempt": job.attempt_id})
        await on_handle(handle)
        await self._at("handled", job.attempt_id)
        return handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        await self._at("wait_ready", _attempt(handle))
        if (dead := await self.failure(handle)) is not None:
            raise DeploymentError(dead)
        return Endpoint("http://127.0.0.1:1", "m", engine_version="fake-1")

    async def failure(self, handle: Handle) -> Failure | None:
        return self.dead.get(_attempt(handle))

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        return "the last line"

    async def stats(self, handle: Handle) -> DeploymentStats:
        return DeploymentStats(rss_bytes=1000)

    async def stop(self, handle: Handle, grace_s: float) -> None:
        self.grace.append(grace_s)
        try:
            await self._at("stop", _attempt(handle))
        finally:
            self.running.discard(_attempt(handle))
            self.steps.append(("stopped", _attempt(handle)))

    async def clean(self, handle: Handle) -> bool:
        left = _attempt(handle) in self.running
        self.running.discard(_attempt(handle))
        return left


def _attempt(handle: Handle) -> int:
    value = handle.fields["attempt"]
    assert isinstance(value, int)
    return value


Figures = Callable[[AttemptJob, LoadPoint, int], Measurement | Failure]


def plain(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
    return measurement(point, repeat=repeat)


class FakeClient:
    """Measures what ``figures`` says; a failure there is one of the client. ``hook`` is awaited before each point.

    ``measured``: attempt, load point and repeat of each measurement that was taken.
    """

    name = "fake"

    def __init__(self, figures: Figures = plain) -> None:
        self.figures = figures
        self.hook: Hook | None = None
        self.opened = 0
        self.closed = 0
        self.ended: list[int] = []
        self.measured: list[tuple[int, str, int]] = []

    @asynccontextmanager
    async def open(self, cores: tuple[int, ...] | None) -> AsyncIterator[ClientSession]:
        self.opened += 1
        try:
            yield FakeSession(self)
        finally:
            self.closed += 1


class FakeSession:
    def __init__(self, client: FakeClient) -> None:
        self._client = client

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        try:
            for point, repeat in job.remaining():
                if self._client.hook is not None:
                    await self._client.hook(job)
                on_progress(
                    LiveFigures(
                        load_point=point.name,
                        repeat=repeat,
                        phase="measure",
                        elapsed_s=0.5,
                        window_s=1.0,
                        completed=5,
                        errors=0,
                    )
                )
                found = self._client.figures(job, point, repeat)
                if isinstance(found, Failure):
                    raise ClientError(found)
                self._client.measured.append((job.attempt_id, point.name, repeat))
                yield found
        finally:
            self._client.ended.append(job.attempt_id)


class FakePlugins:
    """Knows one deployment and one client."""

    def __init__(self, deployment: FakeDeployment, client: FakeClient) -> None:
        self._deployment = deployment
        self._client = client

    def deployment(self, name: str) -> Deployment:
        assert name == "fake"
        return self._deployment

    def client(self, name: str) -> BenchmarkClient:
        assert name == "fake"
        return self._client


class FakeEngine:
    """Parameters a (1 to 8) and b (1 to 4); brings the fake deployment and client along."""

    name = "fake"
    aliases: tuple[str, ...] = ()
    server = ServerFacts()
    neutral = NeutralTable()
    request_body: Mapping[str, object] = {}
    predicted = False
    own_deployment = "fake"
    own_client = "fake"
    model_format: ModelFormat = "hf"
    typical_start_s = 2.0
    rules: tuple[Rule, ...] = ()
    catalogue = Catalogue(
        engine="fake",
        version="1",
        parameters=tuple(
            CatalogueParameter(name=name, flag=f"--{name}", type="int", low=1, high=high, default=1, ordered=True)
            for name, high in (("a", 8), ("b", 4))
        ),
    )

    def with_catalogue(self, catalogue: Catalogue) -> FakeEngine:
        return self

    def world_size(self, values: Mapping[str, Scalar]) -> int | None:
        return None

    def summary(self, values: Mapping[str, Scalar]) -> str:
        return ""

    def command(self, launch: LaunchRequest) -> Command:
        return Command(argv=("serve", *(f"--{name}={value}" for name, value in launch.parameters.items())))

    def options(self, launch: LaunchRequest) -> Mapping[str, object]:
        return {"a": launch.parameters.get("a", 1), "b": launch.parameters.get("b", 1)}

    def check_runtime(self, runtime: Runtime) -> RuntimeInfo:
        return RuntimeInfo("1")

    def read_model(self, path: str) -> Mapping[str, object]:
        return {}

    def suggest(self, model: Mapping[str, object], cores: int | None, concurrency: int) -> Suggestion:
        return Suggestion({}, "none")
