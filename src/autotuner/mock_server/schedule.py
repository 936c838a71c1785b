"""One alarm for all streams of a server."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

_BURST = 32
"""So many steps, then the loop looks for requests: one that waits to be read would get a wrong time of arrival."""

_NEVER = float("inf")
_MONOTONIC, _NONBLOCK, _CLOEXEC, _ABSOLUTE = 1, 0o4000, 0o2000000, 1


class Step(Protocol):
    """What is called when it is due."""

    def step(self, now: float) -> float | None:
        """Do what is due; when next, None for never again. Times of the loop's clock."""


class Schedule:
    """Calls steps when they are due, those that fall due within a tick together, in the order of their times.

    The loop's own timers are rounded up to a millisecond and cost more than a token's bytes; this takes the kernel's
    timer instead, where there is one.
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
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._alarm = _kernel_timer()
        if self._alarm is not None:
            self._loop.add_reader(self._alarm.descriptor, self._ring)
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
        if self._timer is not None:
            self._timer.cancel()
        if self._alarm is not None:
            self._loop.remove_reader(self._alarm.descriptor)
            os.close(self._alarm.descriptor)
            self._alarm = None

    def _ring(self) -> None:
        if self._closed:
            return
        if self._alarm is not None:
            self._alarm.acknowledge()
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
            self._timer = loop.call_soon(self._ring)
        elif heap:
            self._arm()

    def _arm(self) -> None:
        if self._armed == 0.0:
            return
        due = max(self._heap[0][0], self._rung + self._tick_s)
        if due >= self._armed:
            return
        self._armed = due
        if self._alarm is not None:
            self._alarm.set(due)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._ring)


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


class _Alarm:
    """A timerfd. os.timerfd_create only exists from Python 3.13 on."""

    def __init__(self, libc: ctypes.CDLL, descriptor: int) -> None:
        self.descriptor = descriptor
        self._spec = (ctypes.c_long * 4)()
        self._place = ctypes.byref(self._spec)
        self._settime: Callable[..., int] = libc.timerfd_settime

    def set(self, due: float) -> None:
        """Ring at that time of the monotonic clock."""
        seconds = int(due)
        self._spec[2], self._spec[3] = seconds, int((due - seconds) * 1e9) or 1
        self._settime(self.descriptor, _ABSOLUTE, self._place, None)

    def acknowledge(self) -> None:
        """Make it silent until it rings again."""
        with suppress(BlockingIOError):
            os.read(self.descriptor, 8)


def _kernel_timer() -> _Alarm | None:
    """None where the system has none."""
    try:
        libc = ctypes.CDLL(None)
        descriptor = libc.timerfd_create(_MONOTONIC, _NONBLOCK | _CLOEXEC)
    except (OSError, AttributeError):
        return None
    return _Alarm(libc, descriptor) if descriptor >= 0 else None
