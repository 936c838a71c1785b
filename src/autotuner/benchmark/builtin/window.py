"""The course of one measurement: warm-up, window, drain; which requests belong to it, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from time import monotonic

from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.contracts.measurement import LiveFigures, RequestRecord
from autotuner.contracts.workload import MeasureLimits

EARLY_S = 0.001
"""The loop's timers may ring this much too early; no window is shorter than asked."""

ERRORS_BEFORE_RATE = 20
"""A share of errors is judged from this many finished requests on."""


def too_many_errors(limits: MeasureLimits, errors: int, finished: int) -> str | None:
    """Which limit so many errors among so many finished requests break."""
    if limits.max_errors is not None and errors >= limits.max_errors:
        return "max_errors"
    rate = limits.max_error_rate
    return (
        "max_error_rate" if rate is not None and finished >= ERRORS_BEFORE_RATE and errors > rate * finished else None
    )


class Window:
    """Watches requests start and end. Hand ``started`` and ``ended`` to the sender; await the three turning points."""

    def __init__(self, limits: MeasureLimits, concurrency: int | None) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._hopeless = max(1, min(limits.warmup_requests, concurrency or limits.warmup_requests))
        self._born = monotonic()
        self._opened: float | None = None
        self._closed: float | None = None
        self._live: set[Exchange] = set()
        self._over: list[Exchange] = []
        self._warm_ok = 0
        self._warm_errors = 0
        self._own_started = 0
        self._own_ok = 0
        self._own_errors = 0
        self._tokens = 0
        self._ttft_sum = 0.0
        self._warm: asyncio.Future[None] = self._loop.create_future()
        self._shut: asyncio.Future[None] = self._loop.create_future()
        self._drained: asyncio.Future[None] = self._loop.create_future()
        self.stopped: str | None = None
        if limits.warmup_requests == 0:
            self._warm.set_result(None)

    @property
    def opened(self) -> float:
        """When the window opened, on the monotonic clock."""
        return self._born if self._opened is None else self._opened

    @property
    def seconds(self) -> float:
        """Length of the closed window."""
        return (monotonic() if self._closed is None else self._closed) - self.opened

    async def warm(self) -> None:
        """Returns when enough requests have finished, or it is plain that none will."""
        await self._warm

    async def measure(self, at: float | None = None) -> None:
        """Open the window, now or at a time of the monotonic clock soon to come; return when it has closed."""
        self._opened = monotonic() if at is None else at
        length = min(self._limits.window_s, self._limits.max_window_s)
        longest = self._limits.max_window_s
        soft = self._loop.call_at(self._opened + length + EARLY_S, self._time_is_up)
        hard = self._loop.call_at(self._opened + longest + EARLY_S, self._time_is_up, "max_window_s")
        try:
            await self._shut
        finally:
            soft.cancel()
            hard.cancel()

    async def drain(self) -> None:
        """Returns when all requests begun before the window's end have ended, at most ``drain_s`` later.

        Not waited for at all when too many errors have ended the measurement.
        """
        if self.stopped in ("max_errors", "max_error_rate"):
            return
        self._check_drained()
        await asyncio.wait({self._drained}, timeout=self._limits.drain_s)

    def shut(self, reason: str | None) -> None:
        """Close the window, if it is open."""
        if self._opened is not None:
            self._close(reason)

    @property
    def over(self) -> Sequence[Exchange]:
        """Requests that have ended since the opening, in that order: of the window, or begun before it."""
        return self._over

    @property
    def live(self) -> Collection[Exchange]:
        """Requests in flight, whenever begun."""
        return self._live

    @property
    def own_started(self) -> int:
        """Requests started inside the window so far."""
        return self._own_started

    def started(self, exchange: Exchange) -> None:
        """A request was handed to the socket (open loop: was due)."""
        self._live.add(exchange)
        start = exchange.started or 0.0
        # An open loop may hand it over late: it belongs to the window in which it was due.
        if self._opened is None or start < self._opened or (self._closed is not None and start >= self._closed):
            return
        exchange.in_window = True
        self._own_started += 1
        if self._own_started == self._limits.max_requests:
            self._close("max_requests")

    def ended(self, exchange: Exchange) -> None:
        """A request has ended, well or not."""
        self._live.discard(exchange)
        if self._opened is None:
            self._count_warm_up(exchange)
            return
        if not self._belongs(exchange):
            return  # begun after the window: it only keeps the load up
        self._over.append(exchange)
        if exchange.in_window:
            self._count_own(exchange)
        if self._closed is not None:
            self._check_drained()

    def records(self) -> list[RequestRecord]:
        """All requests of the window, and those begun before it that ended after its opening."""
        unfinished = [exchange for exchange in self._live if exchange.in_window]
        return sorted((e.record(self.opened) for e in (*self._over, *unfinished)), key=lambda r: r.started)

    def figures(self, load_point: str, repeat: int) -> LiveFigures:
        """Running figures."""
        now = monotonic()
        measuring = self._opened is not None
        elapsed = max(now - self.opened, 0.0)
        return LiveFigures(
            load_point=load_point,
            repeat=repeat,
            phase="warmup" if not measuring else "measure" if self._closed is None else "drain",
            elapsed_s=elapsed,
            window_s=self._limits.window_s if self._closed is None else self.seconds,
            completed=self._own_ok if measuring else self._warm_ok,
            errors=self._own_errors if measuring else self._warm_errors,
            ttft_mean_s=self._ttft_sum / self._own_ok if self._own_ok else None,
            output_throughput=self._tokens / elapsed if measuring and self._closed is None and elapsed > 0 else None,
        )

    def _count_warm_up(self, exchange: Exchange) -> None:
        if exchange.error is None:
            self._warm_ok += 1
        else:
            self._warm_errors += 1
        enough = self._warm_ok + self._warm_errors >= self._limits.warmup_requests
        hopeless = self._warm_ok == 0 and self._warm_errors >= self._hopeless
        if (enough or hopeless) and not self._warm.done():
            self._warm.set_result(None)

    def _count_own(self, exchange: Exchange) -> None:
        if exchange.error is not None:
            self._own_errors += 1
        else:
            self._own_ok += 1
            self._tokens += exchange.output_tokens or 0
            self._ttft_sum += exchange.arrivals[0] - (exchange.started or 0.0)
        finished = self._own_ok + self._own_errors
        limits = self._limits
        hopeless = too_many_errors(limits, self._own_errors, finished)
        if hopeless is not None:
            self._close(hopeless)
        elif finished >= limits.min_requests and self.seconds >= limits.window_s:
            self._close(None)

    def _time_is_up(self, otherwise: str | None = None) -> None:
        """Close the window if it has its requests; if not, only when there is a reason to go without them."""
        if self._own_ok + self._own_errors >= self._limits.min_requests:
            self._close(None)
        elif otherwise is not None:
            self._close(otherwise)

    def _close(self, reason: str | None) -> None:
        if self._closed is not None:
            if reason in ("max_errors", "max_error_rate") and not self._drained.done():
                self.stopped = reason
                self._drained.set_result(None)
            return
        self._closed = monotonic()
        self.stopped = reason
        self._shut.set_result(None)

    def _check_drained(self) -> None:
        if not self._drained.done() and not any(map(self._belongs, self._live)):
            self._drained.set_result(None)

    def _belongs(self, exchange: Exchange) -> bool:
        """Whether it was begun before the window's end."""
        return self._closed is None or exchange.in_window or (exchange.started or 0.0) < self._closed
