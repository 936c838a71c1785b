"""Keeping the load up: closed loop by concurrency, open loop at times fixed in advance."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Protocol

from autotuner.benchmark.builtin.arrivals import drawn_gaps, replayed_gaps
from autotuner.benchmark.builtin.draws import Draws
from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.prompts import Bodies
from autotuner.benchmark.builtin.source import Source
from autotuner.benchmark.dataset import endless
from autotuner.contracts.workload import LoadPoint, Workload
from autotuner.timing.alarm import Alarm

MAX_IN_FLIGHT = 4096
"""Open loop: beyond this, requests wait in the client; their latency counts from their scheduled time all the same."""

LONGEST_PAUSE_S = 0.5


class Load(Protocol):
    """One way of issuing requests."""

    def start(self, at: float) -> None:
        """Issue the first requests; a schedule begins at that time of the monotonic clock."""

    def ended(self, exchange: Exchange) -> None:
        """A request is over."""

    def stop(self) -> None:
        """Issue no more."""


class ClosedLoop:
    """Each request that ends is replaced at once; when every one fails, after a growing pause (at most 0.5 s)."""

    def __init__(self, source: Source, issue: Callable[[Exchange], None], concurrency: int) -> None:
        self._source = source
        self._issue = issue
        self._concurrency = concurrency
        self._loop = asyncio.get_running_loop()
        self._failures = 0
        self._stopped = False

    def start(self, at: float) -> None:
        for _ in range(self._concurrency):
            self._next()

    def ended(self, exchange: Exchange) -> None:
        self._source.ended(exchange)
        self._failures = self._failures + 1 if exchange.error is not None else 0
        rounds = self._failures // self._concurrency
        if exchange.error is None:
            self._next()
        elif rounds == 0:
            self._loop.call_soon(self._next)
        else:
            self._loop.call_later(min(0.005 * 2.0 ** min(rounds, 10), LONGEST_PAUSE_S), self._next)

    def stop(self) -> None:
        self._stopped = True

    def _next(self) -> None:
        if not self._stopped:
            self._issue(self._source.take())


class OpenLoop:
    """Requests at times fixed in advance, by the gaps between them; what is late stays late.

    Of several workers each has the same gaps and serves every n-th time: ``share`` is (which, how many).
    """

    def __init__(
        self,
        source: Source,
        issue: Callable[[Exchange], None],
        gaps: Iterator[float],
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._source = source
        self._issue = issue
        self._gaps = gaps
        self._due = 0.0
        self._skipped, self._every = share
        self._alarm: Alarm | None = None
        self._waiting: deque[float] = deque()
        self._in_flight = 0

    def start(self, at: float) -> None:
        self._due = at
        self._alarm = Alarm(self._arrive)
        self._plan()
        self._alarm.set(self._due)

    def ended(self, exchange: Exchange) -> None:
        self._source.ended(exchange)
        self._in_flight -= 1
        self._pass_on()

    def stop(self) -> None:
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None

    def _plan(self) -> None:
        self._due += sum(next(self._gaps) for _ in range(self._skipped + 1))
        self._skipped = self._every - 1

    def _arrive(self) -> None:
        if self._alarm is None:
            return
        now = monotonic()
        while self._due <= now:
            self._waiting.append(self._due)
            self._plan()
        self._alarm.set(self._due)
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting and self._in_flight < MAX_IN_FLIGHT:
            self._in_flight += 1
            self._issue(self._source.take(self._waiting.popleft()))


def make_load(
    workload: Workload,
    point: LoadPoint,
    repeat: int,
    bodies: Bodies,
    content: bytes | None,
    issue: Callable[[Exchange], None],
    share: tuple[int, int],
) -> Load:
    """The load of one measurement, or one worker's share of it. ``content``: of the workload's dataset, if any."""
    seed = f"{workload.seed}/{point.name}/{repeat}/arrivals"
    rows = times = None
    if workload.dataset is not None and content is not None:
        path = Path(workload.dataset.path)
        rows = endless(content, path, _first_row(workload, point, repeat))
        times = (row.at or 0.0 for row in endless(content, path, 0))
    draws = Draws(point, workload.seed, repeat, rows, share)
    name = f"{point.name}/{repeat}"
    if point.concurrency is not None:
        return ClosedLoop(Source(bodies, draws, 2 * point.concurrency + 16, name), issue, point.concurrency)
    if point.replay_speed is not None and workload.dataset is not None and times is not None:
        gaps = replayed_gaps(times, workload.dataset.period_s or 1.0, point.replay_speed)
        return OpenLoop(Source(bodies, draws, 64, name), issue, gaps, share)
    rate = point.request_rate or 1.0
    gaps = drawn_gaps(workload.arrival, rate, workload.burstiness, seed)
    return OpenLoop(Source(bodies, draws, min(round(2 * rate) + 16, 1024), name), issue, gaps, share)


def _first_row(workload: Workload, point: LoadPoint, repeat: int) -> int:
    """Where in the dataset a measurement begins: apart from the others, to find little of theirs in a cache."""
    if point.replay_speed is not None or workload.dataset is None:
        return 0
    names = [other.name for other in workload.load_points]
    number = names.index(point.name) * workload.repeats + repeat
    return number * workload.dataset.requests // (len(names) * workload.repeats)
