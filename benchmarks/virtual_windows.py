"""Windows of the quickstart task in virtual time, and a server and a client that measure them.

The truth of each configuration is the measured grid. A window is a closed loop of 16 streams in front of ``n_parallel``
slots, first come first served, with the lengths of the task, a speed that wanders while it runs, and requests that
differ; it is scaled to the configuration's measured request rate, mean and p90 TTFT and mean TPOT. Starts of a
configuration differ by 3 %. The windows are put before the product's own rules, in the same slices, as real ones.

A start takes the time that a real one does: warm-up and the last requests as they come out, and the rest of what the
quickstart's 6.2 s a start leave beside windows of 5 s.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from autotuner.benchmark.builtin.watched import SLICE_S, Watched
from autotuner.benchmark.builtin.wire import Seen
from autotuner.contracts.attempt import AttemptJob, AttemptRecord, Failure, Handle
from autotuner.contracts.client import ClientSession, OnProgress
from autotuner.contracts.deployment import DeploymentStats, Endpoint, OnHandle
from autotuner.contracts.executor import ExecutorSession
from autotuner.contracts.measurement import Measurement, RequestRecord
from autotuner.contracts.stopping import EarlyStop
from autotuner.contracts.values import digest
from autotuner.contracts.workload import LoadPoint, MeasureLimits
from autotuner.metrics.summary import keeps, summarise
from autotuner.planning.plan import Plan
from autotuner.runner.attempt import run_attempt
from autotuner.scoring.early_stop import Looks
from autotuner.services.grid import Grid, GridPoint

BETWEEN_STARTS = 0.03
WANDER, WANDER_S = 0.05, 0.5
"""Standard deviation of the speed while a window runs, and how long it keeps, seconds."""
JITTER = 0.05
"""Standard deviation from request to request."""
LONG_S = 40.0
"""Length of the window that a configuration is scaled by."""
LOAD_S = 0.3
"""How long a server takes to come and to go."""


@dataclass(frozen=True)
class Truth:
    """A configuration as the grid knows it. Seconds, requests per second."""

    slots: int
    rate: float
    ttft_mean: float
    ttft_p90: float
    tpot: float


def truth_of(point: GridPoint, streams: int) -> Truth:
    """From a point of the grid."""
    slots = point.parameters["n_parallel"]
    metrics = point.metrics
    return Truth(
        slots=min(int(slots) if isinstance(slots, int) else 1, streams),
        rate=metrics["requests_per_second"],
        ttft_mean=metrics["mean_ttft"],
        ttft_p90=metrics["p90_ttft"],
        tpot=metrics["mean_tpot"],
    )


@dataclass(frozen=True)
class Raw:
    """A simulated request before it is scaled: seconds of the simulation; ``slow``: how much slower than the mean."""

    started: float
    ttft: float
    ended: float
    slow: float
    prompt: int
    output: int


class Loop:
    """A closed loop in front of one configuration, scaled to what the grid says of it."""

    def __init__(self, truth: Truth, point: LoadPoint) -> None:
        self._truth = truth
        self._streams = point.concurrency or 1
        self._parts = [(round(part.prompt.expected), round(part.output.expected)) for _, part in point.traffic.parts]
        total = sum(weight for weight, _ in point.traffic.parts)
        self._weights = [weight / total for weight, _ in point.traffic.parts]
        self._prompt = sum(w * prompt for w, (prompt, _) in zip(self._weights, self._parts, strict=True))
        decode = sum(w * (out - 1) for w, (_, out) in zip(self._weights, self._parts, strict=True)) * truth.tpot
        self._prefill = max(truth.slots / truth.rate - decode, 0.001)
        known = [raw for raw in self._raw(Random(0), Random(1), LONG_S) if raw.started > LONG_S / 10]
        ttft = np.array([raw.ttft for raw in known])
        self._stretch = len(known) / (LONG_S * 0.9) / truth.rate
        self._centre = float(ttft.mean()) * self._stretch
        tail = float(np.percentile(ttft, 90)) * self._stretch - self._centre
        self._spread = max(truth.ttft_p90 - truth.ttft_mean, 0.0) / max(tail, 1e-6)

    def records(self, rng: Random, lengths: Random, noise: float, seconds: float) -> list[RequestRecord]:
        """Requests from the first on, by their start; ``noise``: the start's own factor on all times.

        ``lengths`` draws what is asked for, which is the same in every start, as the client's requests are.
        """
        raw = self._raw(rng, lengths, seconds / self._stretch / noise)
        return sorted((self._record(one, noise) for one in raw), key=lambda record: record.started)

    def enough_s(self, limits: MeasureLimits) -> float:
        """More than a window can need: the warm-up, the requests asked for, what is in flight, and some."""
        requests = limits.warmup_requests + limits.min_requests + 2 * self._streams
        return limits.window_s + 2 * requests / self._truth.rate

    def _record(self, raw: Raw, noise: float) -> RequestRecord:
        started = raw.started * self._stretch * noise
        ttft = self._truth.ttft_mean + self._spread * (raw.ttft * self._stretch - self._centre)
        first = started + max(ttft, 0.001) * noise
        gap = self._truth.tpot * raw.slow * noise
        arrivals = tuple(first + gap * number for number in range(raw.output))
        return RequestRecord(
            started=started,
            first_token=first,
            last_token=arrivals[-1],
            finished=arrivals[-1],
            arrivals=arrivals,
            output_tokens=raw.output,
            prompt_tokens=raw.prompt,
            asked_tokens=raw.output,
        )

    def _raw(self, rng: Random, lengths: Random, seconds: float) -> list[Raw]:
        free = [0.0] * self._truth.slots
        begins = [0.0] * self._streams
        wander, last = WANDER * rng.gauss(0, 1), 0.0
        found: list[Raw] = []
        while begins[0] < seconds:
            started = heapq.heappop(begins)
            served = max(started, heapq.heappop(free))
            kept = math.exp(-max(served - last, 0.0) / WANDER_S)
            wander = kept * wander + math.sqrt(1 - kept**2) * WANDER * rng.gauss(0, 1)
            last = max(served, last)
            prompt, output = lengths.choices(self._parts, self._weights)[0]
            slow = math.exp(wander + JITTER * rng.gauss(0, 1))
            # Half of a prompt's time does not hang on its length: it waits for a batch.
            prefill = self._prefill * (0.5 + 0.5 * prompt / self._prompt) * slow
            ended = served + prefill + self._truth.tpot * (output - 1) * slow
            heapq.heappush(free, ended)
            heapq.heappush(begins, ended)
            found.append(Raw(started, served + prefill - started, ended, slow, prompt, output))
        return found


@dataclass(frozen=True)
class Window:
    """Requests of a window that was left open as long as the limits say; times from its opening.

    ``warmup_s``: how long the load was on before.
    """

    records: Sequence[RequestRecord]
    seconds: float
    warmup_s: float


def full_window(records: Sequence[RequestRecord], limits: MeasureLimits) -> Window:
    """Where the window opens after the warm-up and closes by its limits, as the client does it."""
    ends = sorted(record.finished for record in records)
    opened = ends[limits.warmup_requests - 1] if limits.warmup_requests else 0.0
    moved = [_moved(record, opened) for record in records if record.finished >= opened]
    own = sorted(record.finished for record in moved if record.in_window)
    enough = own[limits.min_requests - 1] if limits.min_requests else 0.0
    return Window(moved, min(max(limits.window_s, enough), limits.max_window_s), opened)


def _moved(record: RequestRecord, by: float) -> RequestRecord:
    return record.model_copy(
        update={
            "started": record.started - by,
            "first_token": (record.first_token or 0.0) - by,
            "last_token": (record.last_token or 0.0) - by,
            "finished": record.finished - by,
            "arrivals": tuple(arrival - by for arrival in record.arrivals),
            "in_window": record.started >= by,
        }
    )


def stopped_at(window: Window, looks: Looks, slo_limits: Mapping[str, float]) -> tuple[float, EarlyStop | None]:
    """When the rule ends the window, which it is told of as by one worker of the client."""
    watched, told = Watched(looks, 1), 0
    over = sorted(window.records, key=lambda record: record.finished)
    tick = 1
    while (at := tick * SLICE_S) < window.seconds:
        known = told
        while known < len(over) and over[known].finished <= at:
            known += 1
        seen = _seen(over[told:known], over[:known], [r for r in over[known:] if r.started <= at], at, slo_limits)
        told = known
        early = watched.take(0, at, seen)
        if early is not None:
            return at, early
        tick += 1
    return window.seconds, None


def _seen(
    new: Sequence[RequestRecord],
    ended: Sequence[RequestRecord],
    live: Sequence[RequestRecord],
    at: float,
    slo_limits: Mapping[str, float],
) -> Seen:
    begun = [record for record in (*ended, *live) if 0 <= (record.first_token or 0.0) <= at]
    return Seen(
        ended=tuple(
            (r.started, (r.first_token or 0) - r.started, _tpot(r), (r.last_token or 0) - r.started, True)
            for r in new
            if r.in_window
        ),
        live=tuple(
            (r.started, (r.first_token or 0) - r.started if (r.first_token or 0) <= at else None)
            for r in live
            if r.in_window
        ),
        output_tokens=float(sum(0 <= arrival <= at for r in (*ended, *live) for arrival in r.arrivals)),
        prompt_tokens=float(sum(r.prompt_tokens or 0 for r in begun)),
        good=sum(keeps(r, slo_limits) for r in ended),
    )


def _tpot(record: RequestRecord) -> float:
    return ((record.last_token or 0.0) - (record.first_token or 0.0)) / ((record.output_tokens or 2) - 1)


# ---- a server, a client and an executor that exist in virtual time only


@dataclass
class Clock:
    """Seconds that went by in virtual time."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class NoServer:
    """A deployment that starts nothing."""

    name = "local"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        """At once."""
        handle = Handle(deployment=self.name, fields={})
        await on_handle(handle)
        return handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        """After the time that a server takes."""
        self._clock.now += LOAD_S
        return Endpoint("http://127.0.0.1:9", "simulated", engine_version="simulated")

    async def failure(self, handle: Handle) -> Failure | None:
        """It never dies."""
        return None

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        """It says nothing."""
        return ""

    async def stats(self, handle: Handle) -> DeploymentStats:
        """It uses nothing."""
        return DeploymentStats()

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """Nothing to stop."""

    async def clean(self, handle: Handle) -> bool:
        """Nothing is left."""
        return False


class VirtualClient:
    """The client and its only session. ``seed``: of the starts' noise."""

    name = "builtin"

    def __init__(self, loops: Loops, seed: int, clock: Clock) -> None:
        self._loops = loops
        self._seed = seed
        self._clock = clock

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        """Windows of the configuration. Its starts of one purpose are the same in every run of the seed."""
        name, loop = self._loops.of(() if job.command is None else job.command.argv)
        purpose = job.draw_key.partition("/")[2]
        rng = Random(digest([self._seed, name, purpose]))
        noise = math.exp(BETWEEN_STARTS * rng.gauss(0, 1))
        limits = job.workload.limits
        for point, repeat in job.remaining():
            lengths = Random(f"{job.workload.seed}/{repeat}")
            window = full_window(loop.records(rng, lengths, noise, loop.enough_s(limits)), limits)
            seconds, early = window.seconds, None
            if job.stop is not None:
                scored = point.name in job.stop.scored
                looks = Looks(job.stop, planned_s=limits.window_s, min_requests=limits.min_requests, scored=scored)
                seconds, early = stopped_at(window, looks, job.slo_limits)
            own = [record for record in window.records if record.started < seconds]
            self._clock.now += window.warmup_s + max(record.finished for record in own)
            yield summarise(
                own,
                load_point=point,
                repeat=repeat,
                window_s=seconds,
                slo_limits=job.slo_limits,
                stopped=None if early is None else early.kind,
            ).model_copy(update={"early_stop": early, "warmup_s": window.warmup_s})


class VirtualSession:
    """An executor's session in virtual time."""

    def __init__(self, client: ClientSession, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def run(self, job: AttemptJob) -> AsyncGenerator[AttemptRecord, None]:
        """Run one attempt; what it took is virtual time."""
        return run_attempt(job, NoServer(self._clock), self._client, clock=self._clock)


@asynccontextmanager
async def virtual_session(loops: Loops, seed: int) -> AsyncIterator[ExecutorSession]:
    """A session for one task. ``seed``: of the starts' noise."""
    clock = Clock()
    yield VirtualSession(VirtualClient(loops, seed, clock), clock)


class Loops:
    """The loops of a grid by the arguments that a configuration is started with, each made when it is first needed."""

    def __init__(self, plan: Plan, grid: Grid) -> None:
        self._point = plan.workload.load_points[-1]
        streams = self._point.concurrency or 1
        self._truths = {plan.space.identity(p.parameters): truth_of(p, streams) for p in grid.points if p.metrics}
        started = [*plan.space.enumerate(), *(p.configuration for p in plan.references)]
        started += [plan.baseline.configuration] if plan.baseline is not None else []
        self._names = {plan.resolver.command(each).argv: plan.space.identity(each) for each in started}
        self._made: dict[str, Loop] = {}

    def of(self, argv: tuple[str, ...]) -> tuple[str, Loop]:
        """The configuration's identity and its loop."""
        name = self._names[argv]
        if name not in self._made:
            self._made[name] = Loop(self._truths[name], self._point)
        return name, self._made[name]
