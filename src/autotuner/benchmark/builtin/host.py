"""What other programs take from the cores of server and client, in slices of a window, from /proc.

It runs in the process that owns the workers, beside their event loops. The time that no core was idle is taken from the
kernel's exact idle clocks; from it goes the time of the server and of ourselves. What is left was used by others, seen
or not: programs that come and go between two samples are in it, and time that a hypervisor took is too.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import monotonic

SLICE_S = 0.5
DISTURBED_MEAN = 0.05
DISTURBED_SECOND = 0.075
"""Shares of the watched cores, of two at least (0.10 and 0.15 cores there): other programs disturb a window with so
much over all of it, or over a second anywhere in it. On many cores a little work beside finds a core that is free.
"""

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE, _IOWAIT, _STEAL = 3, 4, 7
_UTIME, _PPID = 11, 1
"""Places in /proc/PID/stat behind the name."""


@dataclass(frozen=True)
class CpuTimes:
    """Counters at one instant, in seconds: idle and stolen time of the watched cores, CPU of ours and of the server."""

    at: float
    cores: int
    idle: float
    stolen: float
    server: float
    ours: dict[int, float]
    """By process."""


@dataclass(frozen=True)
class Slice:
    """A piece of a window."""

    begin: float
    """In seconds from its opening."""
    seconds: float
    share: float
    """CPU of other programs, in cores."""


@dataclass(frozen=True)
class Foreign:
    """CPU of other programs in a window, in cores."""

    mean: float
    peak: float
    """Over the worst second."""
    disturbed: bool
    begun: float | None
    """When the first disturbed second began, in seconds from the opening of the window."""


class HostWatch:
    """Takes samples all the time inside ``running``; asked for a window, it tells what others took from it.

    ``ours`` are processes of which only their own time counts, ``server`` is the root of the server's tree. Without one
    nothing can be told: what an unknown server uses is not foreign.
    """

    def __init__(self, cores: tuple[int, ...] | None, ours: Iterable[int], server: int | None) -> None:
        self._cores = None if cores is None else frozenset(cores)
        self._ours = set(ours)
        self._server = server
        self._family: set[int] = set()
        self._strangers: set[int] = set()
        self.samples: list[CpuTimes] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sample twice a second inside."""
        task = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def foreign(self, opened: float, window_s: float) -> Foreign | None:
        """What others took between two instants; None when that cannot be told."""
        if not self.samples or self.samples[-1].at < opened + window_s:
            await asyncio.to_thread(self.take)
        slices = [(a, b) for a, b in pairwise(self.samples) if b.at > opened and a.at < opened + window_s]
        inner = [(a, b) for a, b in slices if opened <= (a.at + b.at) / 2 < opened + window_s]
        pieces = [Slice(a.at - opened, b.at - a.at, used(a, b)) for a, b in inner or slices]
        return judge(pieces, cores=self.samples[-1].cores if self.samples else 0)

    def take(self) -> None:
        """Take one sample; nothing happens where there is no /proc or no server."""
        if self._server is None:
            return
        try:
            sample = self._read(self._server)
        except OSError:
            return
        if sample is not None:
            self.samples.append(sample)

    async def _sample(self) -> None:
        while True:
            await asyncio.to_thread(self.take)
            await asyncio.sleep(SLICE_S)

    def _read(self, server: int) -> CpuTimes | None:
        at = monotonic()
        cores, idle, stolen = _cores(self._cores)
        self._look_for_children(server)
        if _stat(server) is None:
            return None
        # What children have used moves to their parent when it has waited for them; with ours that is not wanted.
        family = sum(sum(map(int, fields[_UTIME : _UTIME + 4])) for fields in map(_stat, self._family) if fields)
        ours = {
            pid: sum(map(int, fields[_UTIME : _UTIME + 2])) / _TICKS
            for pid in self._ours - self._family
            if (fields := _stat(pid)) is not None
        }
        return CpuTimes(at, cores, idle / _TICKS, stolen / _TICKS, family / _TICKS, ours)

    def _look_for_children(self, server: int) -> None:
        """Add to the family who was started by one of it. Everybody is looked at once only."""
        alive = {int(name) for name in os.listdir(PROC) if name.isdecimal()}  # noqa: PTH208
        self._family &= alive
        self._strangers &= alive
        parents: dict[int, int] = {}
        for pid in alive - self._strangers - self._family:
            fields = _stat(pid)
            if fields is not None:
                parents[pid] = int(fields[_PPID])
        self._family.add(server)
        grown = True
        while grown:
            found = {pid for pid, parent in parents.items() if parent in self._family} - self._family
            self._family |= found
            grown = bool(found)
        self._strangers |= parents.keys() - self._family
        supervisor = parents.get(server)
        if supervisor is not None and supervisor > 1:
            self._ours.add(supervisor)


def used(before: CpuTimes, after: CpuTimes) -> float:
    """CPU that neither we nor the server used between two samples, in cores."""
    elapsed = after.at - before.at
    busy = elapsed * after.cores - (after.idle - before.idle)
    # Of one that is gone its last bit is not known, and small.
    own = sum(seconds - before.ours.get(pid, seconds) for pid, seconds in after.ours.items())
    return max(busy - own - (after.server - before.server), after.stolen - before.stolen, 0.0) / elapsed


def judge(slices: Sequence[Slice], *, cores: int) -> Foreign | None:
    """The verdict on successive slices of so many watched cores; None without any."""
    if not slices:
        return None
    most, most_of_a_second = (share * max(cores, 2) for share in (DISTURBED_MEAN, DISTURBED_SECOND))
    mean = _average(slices)
    seconds = [(pair, _average(pair)) for pair in pairwise(slices)]
    first = next((pair for pair, share in seconds if share > most_of_a_second), slices if mean > most else ())
    begun = next((piece.begin for piece in first if piece.share > most), 0.0 if first else None)
    return Foreign(
        mean=mean,
        peak=max([share for _, share in seconds], default=mean),
        disturbed=begun is not None,
        begun=None if begun is None else max(begun, 0.0),
    )


def _average(slices: Sequence[Slice]) -> float:
    return sum(piece.seconds * piece.share for piece in slices) / sum(piece.seconds for piece in slices)


def _cores(wanted: frozenset[int] | None) -> tuple[int, int, int]:
    """Number of the watched cores, their idle and their stolen ticks. OSError without /proc."""
    number = idle = stolen = 0
    for line in (PROC / "stat").read_text(encoding="ascii").splitlines():
        name, *columns = line.split()
        core = name.removeprefix("cpu")
        if name.startswith("cpu") and core.isdecimal() and (wanted is None or int(core) in wanted):
            number += 1
            idle += int(columns[_IDLE]) + int(columns[_IOWAIT])
            stolen += int(columns[_STEAL])
    return number, idle, stolen


def _stat(pid: int) -> list[str] | None:
    """The fields behind the name; None when the process is gone."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(descriptor, 2048)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return text.decode("utf-8", "replace").rpartition(")")[2].split()
