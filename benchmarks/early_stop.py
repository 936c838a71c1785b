"""What early stop saves on the quickstart task, and what it costs in the quality of the choice.

    python benchmarks/early_stop.py --simulated 20 --out out/early-stop.json
    python benchmarks/early_stop.py --real --seeds 1 2 3 4 --out out/early-stop-real.json

Each seed is run twice, with and without ``optimization.early_stop``, all else the same.

Simulated: the whole task, through its coordinator, with request-level windows in virtual time. The truth of each
configuration is the measured grid. A window is a closed loop of 16 streams in front of ``n_parallel`` slots, first come
first served, with the lengths of the task, a speed that wanders while it runs, and requests that differ; it is scaled
to the configuration's measured request rate, mean and p90 TTFT and mean TPOT. Starts of a configuration differ by 3 %;
both runs of a seed draw the same. The windows are put before the same rule, in the same slices, as real ones.

Real: the task itself on llama.cpp; on a quiet machine only.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import fmean, median

import numpy as np
from quiet import add_arguments, quiet_machine

from autotuner.benchmark.builtin.watched import SLICE_S, Watched
from autotuner.benchmark.builtin.wire import Seen
from autotuner.cli.render.progress import PlainObserver
from autotuner.config.document import TaskDocument
from autotuner.config.identity import fingerprint, identity
from autotuner.config.load import to_data
from autotuner.contracts.attempt import AttemptJob, AttemptReason, Failure, Handle, Phase
from autotuner.contracts.client import BenchmarkClient, ClientSession, OnProgress
from autotuner.contracts.deployment import Deployment, DeploymentStats, Endpoint, OnHandle
from autotuner.contracts.measurement import Measurement, RequestRecord
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.stopping import EarlyStop
from autotuner.contracts.store import ExperimentOrigin, NewTask
from autotuner.contracts.values import Frozen, Scalar, digest
from autotuner.contracts.workload import LoadPoint, MeasureLimits
from autotuner.coordinator.loop import Coordinator
from autotuner.executors.inline import InlineExecutor
from autotuner.metrics.summary import keeps, summarise
from autotuner.planning.plan import Plan
from autotuner.scoring.early_stop import Looks
from autotuner.search.registry import make_strategy
from autotuner.services.documents import read_document
from autotuner.services.grid import Grid, GridPoint
from autotuner.services.grid_files import load_grid
from autotuner.services.host import describe_host
from autotuner.services.planning import plan_document
from autotuner.services.report.wording import percent
from autotuner.services.settings import Settings
from autotuner.services.tasks import run_task
from autotuner.store.sql_store import open_store

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quickstart"
DATA = Path(tempfile.gettempdir()) / "inference-autotuner-early-stop"

BETWEEN_STARTS = 0.03
WANDER, WANDER_S = 0.05, 0.5
"""Standard deviation of the speed while a window runs, and how long it keeps, seconds."""
JITTER = 0.05
"""Standard deviation from request to request."""
LONG_S = 40.0
"""Length of the window that a configuration is scaled by."""


class Arm(Frozen):
    """One run of one seed. Times in seconds; ``truth``: what the grid says of its choice, None where that is unfit."""

    windows_s: float
    search_windows_s: float
    measure_s: float | None = None
    shortened: int = 0
    pruned: int = 0
    winner: dict[str, Scalar] | None = None
    truth: float | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Pair(Frozen):
    """A seed without and with early stop."""

    seed: int
    full: Arm
    early: Arm

    @property
    def saved(self) -> float:
        """By how much the measuring of the whole task is shorter, as a share."""
        return 1 - self.early.windows_s / self.full.windows_s

    @property
    def saved_in_search(self) -> float:
        """The same of the searched configurations alone; the others are measured in full in both runs."""
        return 1 - self.early.search_windows_s / self.full.search_windows_s

    @property
    def regret(self) -> float | None:
        """By how much the choice is worse by the grid, as a share; below zero it is better.

        1 for a choice that is unfit where the other one is not; None where the full run's choice is unfit.
        """
        if self.full.truth is None:
            return None
        return 1.0 if self.early.truth is None else 1 - self.early.truth / self.full.truth


# ---- windows in virtual time


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
    """Requests of a window that was left open as long as the limits say; times from its opening."""

    records: Sequence[RequestRecord]
    seconds: float


def full_window(records: Sequence[RequestRecord], limits: MeasureLimits) -> Window:
    """Where the window opens after the warm-up and closes by its limits, as the client does it."""
    ends = sorted(record.finished for record in records)
    opened = ends[limits.warmup_requests - 1] if limits.warmup_requests else 0.0
    moved = [_moved(record, opened) for record in records if record.finished >= opened]
    own = sorted(record.finished for record in moved if record.in_window)
    enough = own[limits.min_requests - 1] if limits.min_requests else 0.0
    return Window(moved, min(max(limits.window_s, enough), limits.max_window_s))


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


# ---- a server and a client that exist in virtual time only


class NoServer:
    """A deployment that starts nothing."""

    name = "local"

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        """At once."""
        handle = Handle(deployment=self.name, fields={})
        await on_handle(handle)
        return handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        """At once."""
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

    def __init__(self, loops: Loops, seed: int) -> None:
        self._loops = loops
        self._seed = seed

    @asynccontextmanager
    async def open(self, cores: tuple[int, ...] | None) -> AsyncIterator[ClientSession]:
        """Nothing to open."""
        yield self

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
            yield summarise(
                [record for record in window.records if record.started < seconds],
                load_point=point,
                repeat=repeat,
                window_s=seconds,
                slo_limits=job.slo_limits,
                stopped=None if early is None else early.kind,
            ).model_copy(update={"early_stop": early})


@dataclass(frozen=True)
class VirtualPlugins:
    """What the executor looks up."""

    own: VirtualClient

    def deployment(self, name: str) -> Deployment:
        """The one that starts nothing."""
        return NoServer()

    def client(self, name: str) -> BenchmarkClient:
        """The virtual one."""
        return self.own


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


# ---- the two runs of a seed


async def simulated(seed: int, grid: Grid, settings: Settings) -> Pair:
    """Both runs in virtual time."""
    arms: list[Arm] = []
    loops: Loops | None = None
    for early in (False, True):
        document = _document(seed, early=early)
        plan = plan_document(document, settings)
        plan = replace(plan, server=plan.server.model_copy(update={"metrics_path": None}))
        loops = loops or Loops(plan, grid)
        client = VirtualClient(loops, seed)
        with tempfile.TemporaryDirectory(dir=settings.data_dir) as own:
            arms.append(_arm(await _run(plan, document, client, Path(own)), plan, grid))
    return Pair(seed=seed, full=arms[0], early=arms[1])


async def _run(plan: Plan, document: TaskDocument, client: VirtualClient, folder: Path) -> TaskResult:
    described = identity(document)
    async with open_store(str(folder / "tasks.db")) as store:
        task = await store.create_task(
            NewTask(
                name=plan.task_name, document=to_data(document), fingerprint=fingerprint(described), identity=described
            )
        )
        coordinator = Coordinator(
            store=store,
            plan=plan,
            strategy=lambda setup: make_strategy(document.optimization.strategy, setup),
            observer=Silent(),
            artefacts=folder,
            host={"hostname": "virtual"},
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
        )
        opening = InlineExecutor().open(VirtualPlugins(client), client="builtin", client_cores=None)
        return await coordinator.run(task, opening)


async def real(seed: int, grid: Grid, settings: Settings) -> Pair:
    """Both runs on llama.cpp. What lies finished in the data folder is not run again."""
    arms: list[Arm] = []
    for early in (False, True):
        document = _document(seed, early=early)
        outcome = await run_task(document, settings, PlainObserver(sys.stderr))
        arms.append(_arm(outcome.result, plan_document(document, settings), grid))
    return Pair(seed=seed, full=arms[0], early=arms[1])


def _document(seed: int, *, early: bool) -> TaskDocument:
    name = f"early-stop-{seed}-{'on' if early else 'off'}"
    sets = [f"optimization.seed={seed}", f"task_name={name}", f"optimization.early_stop={str(early).lower()}"]
    return read_document(str(EXAMPLE / "task.yaml"), sets=sets)


def _arm(result: TaskResult, plan: Plan, grid: Grid) -> Arm:
    searched = [s for s in result.experiments if s.origin is ExperimentOrigin.SEARCH]
    scores = {plan.space.identity(p.parameters): p.score if p.eligible else None for p in grid.points}
    chosen = None if result.winner is None else plan.space.identity(result.winner.parameters)
    return Arm(
        windows_s=result.measuring.windows_s,
        search_windows_s=math.fsum(float(s.metrics.get("measured_s") or 0.0) for s in searched),
        measure_s=result.phase_seconds.get(Phase.MEASURE),
        shortened=result.measuring.shortened,
        pruned=result.measuring.pruned,
        winner=None if result.winner is None else result.winner.parameters,
        truth=None if chosen is None else scores.get(chosen),
        reasons=tuple(reason for s in searched for reason in s.stopped_early),
        warnings=result.warnings,
    )


class Silent:
    """An observer that shows nothing."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """Nothing."""

    def on_message(self, message: str) -> None:
        """Nothing."""


# ---- what it comes to


def summary(pairs: Sequence[Pair]) -> dict[str, float | int | None]:
    """The figures over all seeds; shares."""
    regrets = [pair.regret for pair in pairs if pair.regret is not None]
    full, early = math.fsum(p.full.windows_s for p in pairs), math.fsum(p.early.windows_s for p in pairs)
    full_search = math.fsum(p.full.search_windows_s for p in pairs)
    early_search = math.fsum(p.early.search_windows_s for p in pairs)
    return {
        "seeds": len(pairs),
        "saved_of_search": 1 - early_search / full_search,
        "least_saved_of_search": min(pair.saved_in_search for pair in pairs),
        "saved_of_task": 1 - early / full,
        "least_saved_of_task": min(pair.saved for pair in pairs),
        "compared": len(regrets),
        "mean_regret": fmean(regrets) if regrets else None,
        "median_regret": median(regrets) if regrets else None,
        "worst_regret": max(regrets, default=None),
        "unfit_choices": sum(pair.early.truth is None for pair in pairs),
        "unfit_choices_without": sum(pair.full.truth is None for pair in pairs),
    }


def text(pairs: Sequence[Pair]) -> str:
    """All of it as plain text."""
    lines = ["seed  search without  with    saved   task without  with    saved   not to the end  regret"]
    lines += [
        f"{p.seed:4}  {p.full.search_windows_s:12.1f} s  {p.early.search_windows_s:5.1f} s"
        f" {percent(p.saved_in_search):>7}"
        f"  {p.full.windows_s:10.1f} s  {p.early.windows_s:5.1f} s {percent(p.saved):>7}"
        f"  {p.early.shortened:3} ({p.early.pruned} out)   {percent(p.regret):>7}"
        for p in pairs
    ]
    reasons = Counter(_kind(reason) for pair in pairs for reason in pair.early.reasons)
    lines += ["", *(f"{count:4} × {reason}" for reason, count in reasons.most_common()), ""]
    return "\n".join([*lines, *(f"{name:26} {_shown(name, value)}" for name, value in summary(pairs).items())])


def _kind(reason: str) -> str:
    why = reason.partition(": ")[2]
    return next(
        (kind for kind in ("the SLO is out of reach", "it is certainly worse") if why.startswith(kind)), "precise"
    )


def _shown(name: str, value: float | int | None) -> str:
    return percent(value) if isinstance(value, float) or value is None else str(value)


async def run_all(given: argparse.Namespace, grid: Grid) -> list[Pair]:
    """One seed after the other."""
    pairs: list[Pair] = []
    settings = Settings(data_dir=given.data_dir, database=str(given.data_dir / "autotuner.db"))
    for seed in given.seeds:
        print(f"Seed {seed}", file=sys.stderr)
        pairs.append(await (real if given.real else simulated)(seed, grid, settings))
    return pairs


def main() -> int:
    """0 when at least 30 % of the search's measuring is saved at a mean regret of at most 3 %, else 1."""
    parser = argparse.ArgumentParser(description="what early stop saves and costs on the quickstart task")
    parser.add_argument("--real", action="store_true", help="on llama.cpp, instead of in virtual time")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: 1 to 20, with --real 1 to 4")
    parser.add_argument("--grid", default=str(EXAMPLE / "grid.json"), help="the measured grid (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, default=DATA, help="tasks and models (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    add_arguments(parser)
    given = parser.parse_args()
    given.seeds = given.seeds or list(range(1, 5 if given.real else 21))
    given.data_dir = given.data_dir.absolute()
    given.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    grid = load_grid(given.grid)
    quiet = quiet_machine(anyway=given.anyway, wait=given.wait) if given.real else nullcontext()
    with quiet as disturbance:
        host = describe_host()
        pairs = asyncio.run(run_all(given, grid))
        print(text(pairs))
    figures = summary(pairs)
    if given.out is not None:
        everything = {
            "host": host,
            "simulated": not given.real,
            "not_to_be_quoted": disturbance,
            "summary": figures,
            "seeds": [{**pair.model_dump(mode="json"), "regret": pair.regret} for pair in pairs],
        }
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    saved, regret = figures["saved_of_search"], figures["mean_regret"]
    return 0 if saved is not None and saved >= 0.3 and regret is not None and regret <= 0.03 else 1


if __name__ == "__main__":
    sys.exit(main())
