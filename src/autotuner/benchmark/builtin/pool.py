"""Several workers as one: how many, their common turning points, and who hears of whom."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from math import ceil
from time import monotonic

from autotuner.benchmark.builtin.process import RawPart, WorkerProcess
from autotuner.benchmark.builtin.watched import Watched
from autotuner.benchmark.builtin.window import too_many_errors
from autotuner.benchmark.builtin.wire import Done, Go, Measure, Progress, Result, Shut, Waiting
from autotuner.contracts.client import ClientError, OnProgress
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.stopping import EarlyStop, StopRules
from autotuner.contracts.workload import LoadPoint, MeasureLimits
from autotuner.scoring.early_stop import Looks

STREAMS_PER_PROCESS = 512
TOKENS_PER_PROCESS = 40_000.0
"""Per second. A process manages more than twice that on a core of its own, but not without waits of its own."""

NOTICE_S = 0.02
"""From the word to go until all go."""


def processes_for(point: LoadPoint, wanted: int | None, cores: tuple[int, ...] | None) -> int:
    """How many processes share a load.

    As many as wanted; else one for each 512 streams or each 40 000 tokens/s of a request rate, but no more than the
    client has cores (half of all where it is not pinned). Never more than streams.
    """
    if wanted is not None:
        number = wanted
    else:
        hands = len(cores) if cores is not None else len(os.sched_getaffinity(0)) // 2
        if point.concurrency is not None:
            need = ceil(point.concurrency / STREAMS_PER_PROCESS)
        else:
            need = ceil((point.request_rate or 0.0) * point.traffic.expected_output / TOKENS_PER_PROCESS)
        number = min(need, hands)
    return max(1, number if point.concurrency is None else min(number, point.concurrency))


async def conduct(
    workers: Sequence[WorkerProcess], order: Measure, on_progress: OnProgress, rules: StopRules | None = None
) -> AsyncGenerator[Result, None]:
    """Have the order done by the workers together; yields what the first one sums up.

    With ``rules`` a window is ended when its verdict is certain.

    ClientError when one of them fails or dies. Whoever leaves this early has to see that all of them stop.
    """
    for index, worker in enumerate(workers):
        await worker.send(order.model_copy(update={"share": (index, len(workers))}))
    course = _Course(order.workload.limits, len(workers), on_progress, rules)
    receiving = {asyncio.ensure_future(worker.receive()): index for index, worker in enumerate(workers)}
    try:
        while receiving:
            arrived, _ = await asyncio.wait(receiving, return_when=asyncio.FIRST_COMPLETED)
            for task in arrived:
                index = receiving.pop(task)
                report = task.result()
                over = False
                if report.number != order.number:
                    pass
                elif isinstance(report, RawPart):
                    await workers[0].pass_on(report)
                elif isinstance(report, Progress):
                    if course.shows(index, report):
                        await _tell(workers, _shut(order.number, report.figures, course.reason))
                elif isinstance(report, Waiting):
                    if course.all_wait(index):
                        await _tell(workers, Go(number=order.number, at=monotonic() + NOTICE_S))
                elif isinstance(report, Result):
                    yield report.model_copy(update={"measurement": course.finished(report.measurement)})
                elif isinstance(report, Done):
                    if report.failure is not None:
                        raise ClientError(report.failure)
                    over = True
                if not over:
                    receiving[asyncio.ensure_future(workers[index].receive())] = index
    finally:
        for task in receiving:
            task.cancel()


async def _tell(workers: Sequence[WorkerProcess], order: Go | Shut) -> None:
    for worker in workers:
        await worker.send(order)


def _shut(number: int, figures: LiveFigures, reason: str | None) -> Shut:
    return Shut(number=number, load_point=figures.load_point, repeat=figures.repeat, reason=reason)


class _Course:
    """Where the workers stand in one measurement."""

    def __init__(self, limits: MeasureLimits, count: int, on_progress: OnProgress, rules: StopRules | None) -> None:
        self._limits = limits
        self._count = count
        self._on_progress = on_progress
        self._rules = rules
        self._watched: Watched | None = None
        self._early: EarlyStop | None = None
        self._waiting: set[int] = set()
        self._latest: dict[int, Progress] = {}
        self._shut = False
        self.reason: str | None = None

    def all_wait(self, index: int) -> bool:
        """One more waits; whether it was the last."""
        self._waiting.add(index)
        if len(self._waiting) < self._count:
            return False
        self._waiting.clear()
        return True

    def finished(self, measurement: Measurement) -> Measurement:
        """A measurement is over: it bears the verdict that ended it, if one did."""
        early, self._early, self._watched = self._early, None, None
        self._latest.clear()
        self._shut = False
        if early is None or measurement.stopped != early.kind:
            return measurement
        return measurement.model_copy(update={"early_stop": early})

    def shows(self, index: int, report: Progress) -> bool:
        """Show the figures of all together. True once: when the window has to close, for ``reason``."""
        self._latest[index] = report
        if index == 0:
            self._on_progress(_merged([one.figures for one in self._latest.values()]))
        early = self._verdict(index, report)
        if self._shut or not (early or (self._count > 1 and self._must_shut())):
            return False
        self._shut = True
        return True

    def _verdict(self, index: int, report: Progress) -> bool:
        """Whether the window ends because its verdict is certain; ``reason`` is its kind then."""
        if self._rules is None or report.seen is None:
            return False
        if self._watched is None:
            limits, name = self._limits, report.figures.load_point
            looks = Looks(
                self._rules,
                planned_s=limits.window_s,
                min_requests=limits.min_requests,
                scored=name in self._rules.scored,
            )
            self._watched = Watched(looks, self._count)
        early = self._watched.take(index, report.figures.elapsed_s, report.seen)
        if early is None or self._shut:
            return False
        self._early, self.reason = early, early.kind
        return True

    def _must_shut(self) -> bool:
        limits, latest = self._limits, self._latest.values()
        figures = [one.figures for one in latest]
        if len(figures) < self._count or any(one.phase == "warmup" for one in figures):
            return False
        errors = sum(one.errors for one in figures)
        finished = errors + sum(one.completed for one in figures)
        self.reason = too_many_errors(limits, errors, finished)
        if self.reason is None and limits.max_requests is not None:
            self.reason = "max_requests" if sum(one.started for one in latest) >= limits.max_requests else None
        long = min(one.elapsed_s for one in figures) >= limits.window_s
        return self.reason is not None or (long and 0 < limits.min_requests <= finished)


def _merged(figures: Sequence[LiveFigures]) -> LiveFigures:
    if len(figures) == 1:
        return figures[0]
    first = figures[0]
    means = [(one.ttft_mean_s, one.completed) for one in figures if one.ttft_mean_s is not None and one.completed]
    rates = [one.output_throughput for one in figures if one.output_throughput is not None]
    total = sum(weight for _, weight in means)
    return first.model_copy(
        update={
            "completed": sum(one.completed for one in figures),
            "errors": sum(one.errors for one in figures),
            "ttft_mean_s": sum(mean * weight for mean, weight in means) / total if total else None,
            "output_throughput": sum(rates) if rates else None,
        }
    )
