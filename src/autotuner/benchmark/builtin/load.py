"""Keeping the load up: closed loop by concurrency, open loop by request rate."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

from autotuner.benchmark.builtin.draws import Draws, generator
from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.prompts import Bodies

MAX_IN_FLIGHT = 4096
"""Open loop: beyond this, requests wait in the client; their latency counts from their scheduled time all the same."""

LONGEST_PAUSE_S = 0.5


class Source:
    """Requests, built ahead of need so that building one never delays its start."""

    def __init__(self, bodies: Bodies, draws: Draws, ahead: int) -> None:
        self._bodies = bodies
        self._draws = draws
        self._loop = asyncio.get_running_loop()
        self._ready = deque(self._build() for _ in range(ahead))

    def take(self, scheduled: float | None = None) -> Exchange:
        """The next request; another one is built when the loop comes round."""
        request, asked = self._ready.popleft() if self._ready else self._build()
        self._loop.call_soon(self._refill)
        return Exchange(request, asked, scheduled)

    def _refill(self) -> None:
        self._ready.append(self._build())

    def _build(self) -> tuple[bytes, int]:
        prompt_tokens, output_tokens = self._draws.next()
        return self._bodies.build(prompt_tokens, output_tokens), output_tokens


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
    """Requests at a rate, at times fixed in advance; what is late stays late.

    Of several workers each has the same schedule and serves every n-th time of it: ``share`` is (which, how many).
    """

    def __init__(
        self,
        source: Source,
        issue: Callable[[Exchange], None],
        rate: float,
        arrivals: Literal["closed", "constant", "poisson"],
        seed: str,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._source = source
        self._issue = issue
        self._rate = rate
        self._arrivals = arrivals
        self._random = generator(seed)
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._skipped, self._every = share
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[float] = deque()
        self._in_flight = 0

    def start(self, at: float) -> None:
        self._due = at
        self._plan()

    def ended(self, exchange: Exchange) -> None:
        self._in_flight -= 1
        self._pass_on()

    def stop(self) -> None:
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _plan(self) -> None:
        for _ in range(self._skipped + 1):
            gap = 1.0 if self._arrivals == "constant" else self._random.exponential()
            self._due += gap / self._rate
        self._skipped = self._every - 1
        self._timer = self._loop.call_at(self._due, self._arrive)

    def _arrive(self) -> None:
        self._waiting.append(self._due)
        self._plan()
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting and self._in_flight < MAX_IN_FLIGHT:
            self._in_flight += 1
            self._issue(self._source.take(self._waiting.popleft()))
