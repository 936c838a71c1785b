"""One alarm for all streams of a server."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from autotuner.timing.alarm import Alarm

_BURST = 32
"""So many steps, then the loop looks for requests: one that waits to be read would get a wrong time of arrival."""

_NEVER = float("inf")


class Step(Protocol):
    """What is called when it is due."""

    def step(self, now: float) -> float | None:
        """Do what is due; when next, None for never again. Times of the loop's clock."""


class Schedule:
    """Calls steps when they are due, those that fall due within a tick together, in the order of their times.

    The loop's own timers are rounded up to a millisecond and cost more than a token's bytes; this takes the kernel's
    timer instead.
    """

    def __init__(self, tick_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._tick_s = tick_s
        self._heap: list[tuple[float, int, Step]] = []
        self._order = count()
        self._rung = 0.0
        self._armed = _NEVER
        self._ringing = False
        self._closed = False
        self._going_on: asyncio.Handle | None = None
        self._alarm = Alarm(self._ring)
        self.lateness = Lateness()

    def put(self, due: float, step: Step) -> None:
        """Call the step at that time."""
        heappush(self._heap, (due, next(self._order), step))
        if due < self._armed and not self._ringing and not self._closed:
            self._arm()

    def close(self) -> None:
        """Forget all and give the kernel's timer back."""
        self._heap.clear()
        self._closed = True
        if self._going_on is not None:
            self._going_on.cancel()
        self._alarm.close()

    def _ring(self) -> None:
        if self._closed:
            return
        self._armed = _NEVER
        self._ringing = True
        heap, order, late, loop = self._heap, self._order, self.lateness, self._loop
        left = _BURST
        now = self._rung = loop.time()
        while heap and heap[0][0] <= now and left:
            due, _, step = heappop(heap)
            following = step.step(now)
            if following is not None:
                heappush(heap, (following, next(order), step))
            late.add(now - due)
            left -= 1
            if not left % 8:
                now = loop.time()
        self._ringing = False
        if self._closed:
            return
        if heap and not left:
            # Through the loop, so that requests that came meanwhile are read first.
            self._armed = 0.0
            self._going_on = loop.call_soon(self._ring)
        elif heap:
            self._arm()

    def _arm(self) -> None:
        if self._armed == 0.0:
            return
        due = max(self._heap[0][0], self._rung + self._tick_s)
        if due >= self._armed:
            return
        self._armed = due
        self._alarm.set(due)


class Lateness:
    """How long after its due time each step was done, counted by 10 µs."""

    def __init__(self) -> None:
        self._counts = [0] * 20_001
        self.most = 0.0

    def add(self, late: float) -> None:
        """Count one."""
        place = int(late * 1e5)
        self._counts[min(20000, place)] += 1
        if late > self.most:
            self.most = late

    def quantile(self, share: float) -> float:
        """Seconds, to the upper end of 10 µs; 0.2 s stands for all that is longer."""
        wanted, seen = share * sum(self._counts), 0
        for place, number in enumerate(self._counts):
            seen += number
            if number and seen >= wanted:
                return min((place + 1) * 1e-5, 0.2)
        return 0.0
