"""The page for Prometheus: what this process counts, and what the store says at the moment."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from autotuner.contracts.overview import Overview, OverviewStore
from autotuner.contracts.queue import WorkerRecord
from autotuner.services.health import HealthStore, is_live

BOUNDS_S = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
PORTION = 2000
"""Starts that are read at once."""


async def exposition(store: HealthStore, process: CollectorRegistry, phases: PhaseTimes) -> bytes:
    """The page. AutotunerError(STORE_UNAVAILABLE)."""
    await phases.catch_up(store)
    stored = [*_of_overview(await store.overview()), *_of_workers(await store.list_workers()), phases.family()]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(stored))
    return generate_latest(process) + generate_latest(registry)


class PhaseTimes:
    """How long the phases of starts took that ended since this began: each start is read until it has ended, once."""

    def __init__(self) -> None:
        self._read_to: int | None = None
        self._open: set[int] = set()
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS_S) + 1))
        self._sums: defaultdict[str, float] = defaultdict(float)

    async def catch_up(self, store: OverviewStore) -> None:
        """Take in what has ended since the last call."""
        if self._read_to is None:
            self._read_to = await store.newest_attempt()
        while True:
            also = sorted(self._open)
            found = await store.start_phases(after=self._read_to, also=also, limit=PORTION + len(also))
            for start in found:
                if start.ended and (start.id in self._open or start.id > self._read_to):
                    self._take(start.phase_seconds)
                    self._open.discard(start.id)
                elif not start.ended:
                    self._open.add(start.id)
            self._open &= {start.id for start in found} | {number for number in self._open if number not in also}
            self._read_to = max([self._read_to, *(start.id for start in found)])
            if len(found) < PORTION:
                return

    def family(self) -> Metric:
        """The histogram."""
        made = HistogramMetricFamily(
            "autotuner_start_phase_seconds",
            "Time that a phase of a server start took, of starts that ended since the service was started",
            labels=("phase",),
        )
        for phase, counts in sorted(self._buckets.items()):
            total, buckets = 0, []
            for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), counts, strict=True):
                total += count
                buckets.append((bound, total))
            made.add_metric((phase,), buckets, self._sums[phase])
        return made

    def _take(self, seconds: dict[str, float]) -> None:
        for phase, took in seconds.items():
            self._buckets[phase][bisect_left(BOUNDS_S, took)] += 1
            self._sums[phase] += took


class _Given:
    """A collector of what is there already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._families


def _of_overview(counted: Overview) -> Iterable[Metric]:
    tasks = GaugeMetricFamily("autotuner_tasks", "Tasks by status", labels=("status",))
    for status, number in counted.tasks.items():
        tasks.add_metric((status.value,), number)
    yield tasks
    experiments = GaugeMetricFamily("autotuner_experiments", "Experiments by status", labels=("status",))
    for state, number in counted.experiments.items():
        experiments.add_metric((state.value,), number)
    yield experiments
    failures = GaugeMetricFamily(
        "autotuner_experiments_failed", "Failed experiments by class of failure", labels=("reason",)
    )
    for reason, number in counted.failures.items():
        failures.add_metric((reason,), number)
    yield failures
    queue = GaugeMetricFamily("autotuner_queue_tasks", "Queued tasks", labels=("state",))
    queue.add_metric(("waiting",), counted.waiting)
    queue.add_metric(("claimed",), counted.claimed)
    yield queue
    waited = 0.0 if counted.waiting_since is None else (datetime.now(UTC) - counted.waiting_since).total_seconds()
    yield GaugeMetricFamily("autotuner_queue_wait_seconds", "How long the oldest task waits", value=max(0.0, waited))
    yield CounterMetricFamily("autotuner_events", "Events of the tasks that there are", value=counted.events)


def _of_workers(workers: list[WorkerRecord]) -> Iterable[Metric]:
    states = GaugeMetricFamily("autotuner_workers", "Workers by state; silent: not heard of", labels=("state",))
    counts: defaultdict[str, int] = defaultdict(int)
    for worker in workers:
        counts[worker.state.value if is_live(worker) else "silent"] += 1
    for state in ("idle", "busy", "stopping", "silent"):
        states.add_metric((state,), counts[state])
    yield states
    ages = GaugeMetricFamily("autotuner_worker_silent_seconds", "Since a worker was heard of", labels=("worker",))
    for worker in workers:
        ages.add_metric((worker.name,), worker.silent_s)
    yield ages
