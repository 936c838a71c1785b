"""The kernel's timer for an event loop, whose own timers are a millisecond coarse."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from contextlib import suppress

_MONOTONIC, _NONBLOCK, _CLOEXEC, _ABSOLUTE = 1, 0o4000, 0o2000000, 1
_EARLY_S = 0.001
"""Loops may call this much too early."""


class Alarm:
    """Calls ``ring`` at the time that was set last, never before it. Belongs to the running loop until it is closed.

    A timerfd where the system has one, else the loop's timer. os.timerfd_create only exists from Python 3.13 on.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor, self._settime = _kernel_timer()
        self._spec = (ctypes.c_long * 4)()
        self._place = ctypes.byref(self._spec)
        if self._descriptor >= 0:
            self._loop.add_reader(self._descriptor, self._rings)

    def set(self, due: float) -> None:
        """Ring at that time of the monotonic clock, and not at the one set before."""
        if self._descriptor < 0:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due + _EARLY_S, self._ring)
            return
        seconds = int(due)
        self._spec[2], self._spec[3] = seconds, int((due - seconds) * 1e9) or 1
        self._settime(self._descriptor, _ABSOLUTE, self._place, None)

    def close(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            self._settime = _nothing

    def _rings(self) -> None:
        if self._descriptor < 0:
            return
        with suppress(BlockingIOError):
            os.read(self._descriptor, 8)
        self._ring()


def _kernel_timer() -> tuple[int, Callable[..., int]]:
    """The descriptor of a new timer and the function that sets it; -1 where the system has none."""
    try:
        libc = ctypes.CDLL(None)
        descriptor = libc.timerfd_create(_MONOTONIC, _NONBLOCK | _CLOEXEC)
    except (OSError, AttributeError):
        return -1, _nothing
    return descriptor, libc.timerfd_settime


def _nothing(*_: object) -> int:
    return 0
