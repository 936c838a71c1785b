"""Processes of this host by identity (boot, pid, start time), and the tree below one. Reads /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
LISTENING = "0A"


@dataclass(frozen=True)
class Process:
    """A process that no other one can be taken for. ``start_time`` in clock ticks since boot."""

    pid: int
    start_time: int


@dataclass(frozen=True)
class _Stat:
    process: Process
    state: str
    parent: int
    group: int
    session: int
    cpu_ticks: int


def boot_id() -> str:
    """Identity of this boot of the host."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def find(pid: int) -> Process | None:
    """The process that has the pid now (a zombie too)."""
    stat = _stat(pid)
    return stat.process if stat else None


def alive(process: Process) -> bool:
    """Whether it runs; a zombie does not."""
    stat = _stat(process.pid)
    return stat is not None and stat.process == process and stat.state not in "ZX"


def tree(root: Process) -> set[Process]:
    """The running processes of the root: itself, its descendants, its session and group. Empty if it is not there."""
    stats = _all()
    if root not in {stat.process for stat in stats.values()}:
        return set()
    return {stat.process for stat in _members(root.pid, stats) if stat.state not in "ZX"}


def usage(root: Process) -> tuple[int, float] | None:
    """Resident bytes and CPU seconds of the tree; None if the root is gone."""
    stats = _all()
    if root not in {stat.process for stat in stats.values()}:
        return None
    resident, ticks = 0, 0
    for stat in _members(root.pid, stats):
        ticks += stat.cpu_ticks
        with contextlib.suppress(OSError, ValueError, IndexError):
            resident += int((PROC / str(stat.process.pid) / "statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK")


def send(process: Process, number: signal.Signals) -> None:
    """Signal exactly this process; nothing if it is gone, also when another one has its pid by now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        descriptor = os.pidfd_open(process.pid)
        try:
            # Looked at after the descriptor is held: the pid can't change hands in between.
            if alive(process):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def listens(root: Process, port: int) -> bool | None:
    """Whether one of the tree listens on the TCP port; None when that can't be seen."""
    sockets = _listening_sockets(port)
    if not sockets:
        return None
    hidden = False
    for process in tree(root):
        try:
            for descriptor in (PROC / str(process.pid) / "fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if str(descriptor.readlink()) in sockets:
                        return True
        except PermissionError:
            hidden = True
        except OSError:
            continue
    return None if hidden else False


def out_of_memory_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since boot; None if it does not tell."""
    with contextlib.suppress(OSError):
        for line in (PROC / "vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def _listening_sockets(port: int) -> set[str]:
    found: set[str] = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROC / "self/net" / name).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{columns[9]}]")
    return found


def _members(root: int, stats: dict[int, _Stat]) -> list[_Stat]:
    children: dict[int, list[int]] = {}
    for stat in stats.values():
        children.setdefault(stat.parent, []).append(stat.process.pid)
    chosen = {pid for pid, stat in stats.items() if pid == root or root in (stat.group, stat.session)}
    waiting = list(chosen)
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in chosen:
                chosen.add(child)
                waiting.append(child)
    return [stats[pid] for pid in chosen]


def _all() -> dict[int, _Stat]:
    found = (_stat(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdecimal())
    return {stat.process.pid: stat for stat in found if stat}


def _stat(pid: int) -> _Stat | None:
    """Fields of /proc/PID/stat, see proc(5). The name, in parentheses, may hold anything."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return _Stat(
        process=Process(pid, int(fields[19])),
        state=fields[0],
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        cpu_ticks=sum(int(field) for field in fields[11:15]),
    )
