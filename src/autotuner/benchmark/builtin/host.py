"""CPU use of this host, of the server and of this process, from /proc; and how late our own loop runs."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, process_time
from types import TracebackType
from typing import Self

import numpy as np

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE_COLUMNS = (3, 4)  # idle, iowait
_GUEST_COLUMNS = 8  # guest time from here on is in user time already


@dataclass(frozen=True)
class CpuUse:
    """CPU seconds so far; ``server`` None when its processes are not known, ``busy`` None without /proc."""

    at: float
    own: float
    busy: float | None
    server: float | None


def cpu_use(cores: tuple[int, ...] | None, server_pid: int | None) -> CpuUse:
    """Read the counters; ``busy`` covers the given cores, or all."""
    return CpuUse(
        at=monotonic(),
        own=process_time(),
        busy=_busy(cores),
        server=None if server_pid is None else _tree(server_pid),
    )


def own_share(before: CpuUse, after: CpuUse) -> float:
    """CPU of this process between the two, in cores."""
    return (after.own - before.own) / (after.at - before.at)


def foreign_share(before: CpuUse, after: CpuUse) -> float | None:
    """CPU of programs that are neither this process nor the server, in cores; None when that cannot be told."""
    if before.busy is None or after.busy is None or before.server is None or after.server is None:
        return None
    foreign = (after.busy - before.busy) - (after.own - before.own) - (after.server - before.server)
    return max(foreign / (after.at - before.at), 0.0)


def _busy(cores: tuple[int, ...] | None) -> float | None:
    wanted = {"cpu"} if cores is None else {f"cpu{core}" for core in cores}
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    ticks = 0
    for line in lines:
        name, *columns = line.split()
        if name in wanted:
            counted = [int(column) for column in columns[:_GUEST_COLUMNS]]
            ticks += sum(counted) - sum(counted[column] for column in _IDLE_COLUMNS)
    return ticks / _TICKS


def _tree(pid: int) -> float | None:
    """CPU of a process, its living descendants, and those they have waited for; None when it is gone."""
    ticks = _ticks(pid)
    if ticks is None:
        return None
    total, waiting = ticks, _children(pid)
    while waiting:
        child = waiting.pop()
        total += _ticks(child) or 0
        waiting += _children(child)
    return total / _TICKS


def _ticks(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        for task in tasks:
            children += map(int, (task / "children").read_text(encoding="ascii").split())
    except OSError:
        return children
    return children


class LoopLag:
    """Samples how late the event loop runs its callbacks, inside its context."""

    PERIOD_S = 0.01

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lags: list[float] = []
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._plan()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def p99(self) -> float | None:
        """The 99th percentile of the lag in seconds; None without a sample."""
        return float(np.percentile(self._lags, 99)) if self._lags else None

    def _plan(self) -> None:
        self._due = self._loop.time() + self.PERIOD_S
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._lags.append(max(self._loop.time() - self._due, 0.0))
        self._plan()
